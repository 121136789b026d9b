"""`scbench ask`: one question under several methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.cli import main

CONTEXT = "{" + ", ".join(f'"key{at:02d}": "value{at:02d}"' for at in range(24)) + "}"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(CONTEXT, encoding="utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["scbench", "ask", "--model", "toy", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_answers_stand_side_by_side_with_their_bytes_and_the_text_is_read_once(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = "dense,streaming-llm[sink_tokens=4,recent_tokens=60],streaming-llm[tau=1/700]"
    words = ("--context", str(text), "--question", 'Key: "key12"', "--methods", methods)
    assert run(monkeypatch, *words) == 0
    told = capsys.readouterr()
    lines = [line for line in told.out.splitlines() if "│" in line]
    dense, small, refused = (
        next(line for line in lines if name in line)
        for name in ("dense", "recent_tokens=60", "tau=1/700")
    )
    assert "value12" in dense
    assert "100 %" in dense
    assert "value12" not in small
    assert "100 %" not in small
    assert "MiB" not in refused  # the reason stands there instead
    assert "read: once" in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--context", "no-such-file", "--question", "x"), "text file in UTF-8"),
        (("--context", "TEXT", "--question", " "), "question is empty"),
        (("--context", "TEXT", "--question", "x", "--methods", "snapkw"), "snapkv"),
    ],
)
def test_bad_input_is_refused_in_words(
    text: Path,
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(text) if word == "TEXT" else word for word in words]
    assert run(monkeypatch, *given) in (1, 2)
    told = capsys.readouterr()
    assert says in " ".join((told.out + told.err).replace("│", " ").split())
