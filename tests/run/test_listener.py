"""`scbench.run(on_record=...)`: who listens hears every new record, and costs none."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

import scbench
from scbench.api import Result
from scbench.ledger.journal import read_records
from scbench.types import Record

ROOT = Path(__file__).parents[2]


def played(out: Path, act: Callable[[Record], object] | None, sessions: int = 2) -> Result:
    return scbench.run(
        on_record=act,
        model="toy",
        tasks="kv",
        methods="dense,prefix",
        length=512,
        sessions=sessions,
        turns=2,
        cost_sessions=0,
        modes="multi-request",
        out=out,
        quiet=True,
    )


def test_it_hears_what_is_kept_in_its_order(tmp_path: Path) -> None:
    heard: list[Record] = []

    def hear(record: Record) -> None:
        assert record in list(read_records(tmp_path / "run"))  # it is on the disk by then
        heard.append(record)

    played(tmp_path / "run", hear)
    assert heard == list(read_records(tmp_path / "run"))
    assert len(heard) == 8


def test_what_was_played_before_is_not_heard_again(tmp_path: Path) -> None:
    heard: list[Record] = []
    played(tmp_path / "run", None, sessions=2)
    played(tmp_path / "run", heard.append, sessions=2)
    assert heard == []


def test_an_error_in_it_costs_no_record_and_is_told(tmp_path: Path) -> None:
    def fails(record: Record) -> None:
        raise ConnectionError("the tracker is away")

    broken = played(tmp_path / "broken", fails)
    sound = played(tmp_path / "sound", None)
    assert broken.outcome is not None
    assert broken.outcome.outcome == "complete"
    assert [(one.turn, one.strict, one.answer) for one in broken.records()] == [
        (one.turn, one.strict, one.answer) for one in sound.records()
    ]
    assert "on_record failed for 8 records; all of them are kept" in broken.outcome.gaps
    assert not any("on_record" in gap for gap in sound.outcome.gaps)  # type: ignore[union-attr]


def test_the_first_errors_are_told_with_their_line_and_the_rest_counted() -> None:
    from factory import record

    from scbench.grid.listener import MOST_TOLD, Listener

    said: list[str] = []
    listener = Listener(lambda one: 1 / 0, said.append)
    for _ in range(MOST_TOLD + 5):
        listener.hear(record())
    assert len(said) == MOST_TOLD
    assert "ZeroDivisionError" in said[0]
    assert "test_listener.py, line" in said[0]
    assert listener.failed == MOST_TOLD + 5


def test_what_it_prints_reaches_the_program_and_not_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played(tmp_path / "run", lambda record: print("heard", record.turn))
    assert capsys.readouterr().out.count("heard") == 8
    assert not (tmp_path / "run" / "said.log").exists()


def test_ctrl_c_in_it_stops_the_run_and_keeps_the_record(tmp_path: Path) -> None:
    def stop(record: Record) -> None:
        raise KeyboardInterrupt

    result = played(tmp_path / "run", stop)
    assert result.outcome is not None
    assert result.outcome.outcome == "interrupted"
    assert len(list(read_records(tmp_path / "run"))) == 1


def test_the_example_of_a_tracker_is_short_and_logs_a_mean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from factory import record

    example = ROOT / "examples" / "tracker.py"
    nodes = ast.parse(example.read_text(encoding="utf-8")).body[1:]
    assert sum((node.end_lineno or 0) - node.lineno + 1 for node in nodes) <= 25
    names = runpy.run_path(str(example))
    for turn, value in enumerate((1.0, 0.0, None)):
        names["on_record"](record(turn=turn, value=value))
    assert capsys.readouterr().out.splitlines()[-1] == "2 {'kv/dense/multi-turn': 0.5}"
