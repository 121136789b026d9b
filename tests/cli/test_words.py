"""What the program says is what it was given, whatever signs are in it and whatever shows it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from quick import quick

from scbench import cli
from scbench.console import visible


def said(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["scbench", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["--methods", "snapkv[tau=1/0]"], "'snapkv[tau=1/0]'"),
        (["--methods", "snapkv[tau=1/4]+h2o[tau=1/8]"], "snapkv[tau=1/4] and h2o[tau=1/8]"),
        (["--methods", "no/[red]such[/].py:M"], "no/[red]such[/].py"),
        (["--out", "runs/[/]", "--methods", "dense", "--tasks", "[/]"], "[/]"),
        (["--methods", "\x1b[2Jdense"], "\\x1b[2Jdense"),
    ],
)
def test_an_error_is_printed_with_its_brackets_and_without_its_escapes(
    words: list[str],
    whole: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(["run", "--model", "toy", *words], monkeypatch, capsys)
    assert whole in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(
    "page", [pytest.param(one, marks=pytest.mark.slow) for one in ("cp1252", "ascii", "cp437")]
)
def test_a_finished_run_ends_well_on_any_code_page(tmp_path: Path, page: str) -> None:
    quick(tmp_path, model="toy", tasks="kv", methods="dense,snapkv[tau=1/4]", length="256",
          sessions=1, turns=1, cost_sessions=0)  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "scbench", "report", str(tmp_path)],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": page, "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert b"page:" in done.stdout or b"index.html" in done.stdout


def test_a_strict_stream_takes_another_sign_and_signs_that_differ_still_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scbench.console import take_any_sign

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    take_any_sign()
    print("Δ −1 ≈ ≠ ? 测", file=stream)
    stream.flush()
    assert stream.buffer.getvalue() == b"d -1 ~ # ? ?\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 文 [/] \n\t", "plain ü 文 [/] \n\t"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("\x00\x9b", "\\x00\\x9b"),
    ],
)
def test_signs_that_steer_a_terminal_are_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
