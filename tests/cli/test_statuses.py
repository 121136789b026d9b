"""The status that a run ends with: 0, or 1 where most of what was asked for is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from run.strangers import write
from scbench import (
    cli,
    commands,  # noqa: F401  (registers its commands)
)
from scbench.grid.outcome import Outcome

GRID = ["run", "--model", "toy", "--tasks", "kv", "--length", "512", "--sessions", "1"]
GRID += ["--turns", "2", "--modes", "multi-turn", "--cost-sessions", "0", "--quiet"]


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, [*GRID, *words], catch_exceptions=False)


def outcome_of(answered: int, failed: int, unmade: int) -> Outcome:
    found = Outcome(settings=None, outcome="complete")  # type: ignore[arg-type]
    found.turns_answered, found.turns_failed, found.turns_unmade = answered, failed, unmade
    return found


@pytest.mark.parametrize(
    ("answered", "failed", "unmade", "is_mostly_gaps"),
    [(10, 0, 0, False), (5, 5, 0, False), (5, 6, 0, True), (5, 3, 3, True), (0, 0, 0, False)],
)
def test_more_than_half_of_the_planned_turns_make_a_run_of_gaps(
    answered: int, failed: int, unmade: int, is_mostly_gaps: bool
) -> None:
    assert outcome_of(answered, failed, unmade).is_mostly_gaps is is_mostly_gaps


def test_a_run_of_gaps_ends_with_1_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    raising = [write(tmp_path, "raises", f"raising{at}.py") for at in range(2)]
    named = [f"broken{at}={one}" for at, one in enumerate(raising)]
    shown = call("--methods", ",".join(["dense", *named]), "--out", str(tmp_path / "run"))
    assert shown.exit_code == 1, shown.output
    (line,) = [line for line in shown.output.splitlines() if line.startswith("mostly gaps: ")]
    assert "4 of 6 planned turns have no answer" in line
    records = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert len(records) == 6
    assert (tmp_path / "run" / "index.html").is_file()
    (entry,) = json.loads((tmp_path / "run" / "manifest.json").read_text().rsplit("\t", 1)[0])[
        "runs"
    ]
    assert entry["outcome"] == "complete"


def test_a_run_with_few_gaps_ends_with_0(tmp_path: Path) -> None:
    methods = ["dense", "snapkv[tau=1/4]", write(tmp_path, "raises")]
    shown = call("--methods", ",".join(methods), "--out", str(tmp_path / "run"))
    assert shown.exit_code == 0, shown.output
    assert "mostly gaps" not in shown.output


@pytest.mark.parametrize(("tasks", "status"), [("kv,summary", 0), ("kv,summary,repoqa", 1)])
def test_turns_of_sessions_that_cannot_be_made_are_planned_turns(
    tmp_path: Path, tasks: str, status: int
) -> None:
    """Five turns of a summary or of repoqa do not fit into 256 bytes; those of kv do."""
    words = ["--tasks", tasks, "--methods", "dense", "--length", "256", "--turns", "5"]
    shown = call(*words, "--out", str(tmp_path / "run"))
    assert "too few; its turns alone need" in shown.output
    assert shown.exit_code == status, shown.output
    assert ("mostly gaps" in shown.output) is bool(status)


def test_of_two_runs_the_first_does_not_keep_the_second_from_playing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played: list[Any] = []

    def run(words: dict[str, Any], **_: Any) -> int:
        played.append(words)
        return 1 if len(played) == 1 else 0

    monkeypatch.setattr("scbench.commands.run._run", run)
    shown = CliRunner().invoke(cli.app, ["run", "--quiet"], catch_exceptions=False)
    assert len(played) == 2
    assert shown.exit_code == 1
