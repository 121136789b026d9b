"""What the program says is not markup, whatever stands in a name."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from scbench import api, cli, commands
from scbench.console import tell
from scbench.errors import BadConfig
from scbench.types import Record


def said(
    monkeypatch: pytest.MonkeyPatch, error: Exception, capsys: pytest.CaptureFixture[str]
) -> str:
    assert commands  # is imported by main, and wants the real app

    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(cli, "take_any_sign", lambda: None)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "'snapkv[tau=1/0]': tau is '1/0'",
        "snapkv[tau=1/4]+h2o[tau=1/8] are two evictions",
        "a path [/] of [red]somebody[/red]",
    ],
)
def test_an_error_keeps_its_brackets(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text in said(monkeypatch, BadConfig(text), capsys)


def test_control_signs_of_a_gap_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    tell("m\x1b[2J\x07\u202e.txt", label="gap")
    assert capsys.readouterr().err == "gap: m\\x1b[2J\\x07\\u202e.txt\n"


BROKEN = {
    "syntax": "def (",
    "zero": "x = 1\0",
    "deep": "x = " + "(" * 5000,
    "circle": "class C(D):\n  pass\nclass D(C):\n  pass\n",
    "presets": "from typing import ClassVar\nclass C:\n  presets: ClassVar = 5\n",
    "import": "from scbench.methods.nothing.at_all import X\nclass C(X):\n  pass\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_method_file_named_in_a_journal_does_not_end_the_report(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.py"
    path.write_text(BROKEN[kind], encoding="utf-8")
    method = f"{path}:C"
    assert api.stages_of([record_of(method)], {}) == {method: ("other", "other")}


def test_a_pipe_named_as_a_method_in_a_journal_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.py")
    method = f"{tmp_path}/x.py:C"
    assert api.stages_of([record_of(method)], {}) == {method: ("other", "other")}


def record_of(method: str) -> Record:
    """As much of a record as tells its method."""
    return cast("Record", SimpleNamespace(method=method))
