"""`scbench compare` and `scbench gate`, from two runs to what is printed and the status."""

from __future__ import annotations

import csv
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import Result
from factory import record
from quick import quick
from typer.testing import CliRunner

from scbench.against.junit import junit
from scbench.cli import app
from scbench.errors import BadConfig, Mismatch
from scbench.stats import frame
from scbench.stats.gate import gate
from scbench.stats.two_runs import compare_runs, items_of

GRID = {"model": "toy", "tasks": "kv", "length": "512", "turns": 2, "cost_sessions": 0}
METHOD = """
from scbench.methods.compression.knorm import Knorm

class Mine(Knorm):
    def kept_slots(self, *, layer, layers, tokens):
        return tokens // {cut}
"""


def play(folder: Path, *, cut: int = 1, sessions: int = 6, **words: object) -> Path:
    """A run with a method whose file is `mine.py`, which keeps all or a part of the slots."""
    folder.mkdir()
    (folder / "mine.py").write_text(METHOD.format(cut=cut), encoding="utf-8")
    methods = ["dense", f"{folder}/mine.py:Mine[tau=1/4]", "closed-book"]
    given = {**GRID, "methods": methods, "sessions": sessions, **words}
    quick(folder / "run", **given)
    return folder / "run"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("runs")
    good = play(home / "good", sessions=8)
    return {
        "good": good,
        "again": Path(shutil.copytree(good, home / "again")),
        "bad": play(home / "bad", cut=4, sessions=8),
        "few": play(home / "few", sessions=3),
    }


def call(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


def test_a_comparison_says_which_items_flipped(runs: dict[str, Path], tmp_path: Path) -> None:
    told = call("compare", runs["good"], runs["bad"], "--to", tmp_path / "flips.csv")
    assert told.exit_code == 0, told.output
    row = next(line for line in told.output.splitlines() if "mine.py:Mine" in line)
    assert "worse" in row
    with open(tmp_path / "flips.csv", encoding="utf-8", newline="") as file:
        flips = list(csv.DictReader(file))
    assert len(flips) > 4
    assert {flip["method"] for flip in flips} == {"mine.py:Mine[tau=1/4]"}
    for flip in flips:
        assert flip["answer_before"] != flip["answer_after"]
        assert (float(flip["before"]), float(flip["after"])) == (1.0, 0.0)
        assert flip["gold"] == flip["answer_before"]
        assert flip["question"]
    assert f"{len(flips)} score lower, 0 higher" in told.output


def test_equal_runs_have_the_same_answers(runs: dict[str, Path]) -> None:
    told = call("compare", runs["good"], runs["again"], "--by-task")
    assert told.output.count("same answers (16 of 16)") == 12  # a row of all tasks and one of kv
    assert "0 score lower, 0 higher, 0 other words" in told.output


def test_runs_of_other_sessions_are_refused_unless_that_is_allowed(runs: dict[str, Path]) -> None:
    refused = call("compare", runs["good"], runs["few"])
    assert isinstance(refused.exception, Mismatch)
    assert "sessions: before kv, 512 tokens, seed 0:3" in str(refused.exception)
    told = call("compare", runs["good"], runs["few"], "--allow-different")
    assert told.exit_code == 0, told.output
    assert "differs: sessions: before kv" in told.output
    assert "same answers (6 of 6)" in told.output


def test_what_is_no_run_is_refused_with_what_to_give(tmp_path: Path) -> None:
    refused = call("compare", tmp_path / "none", tmp_path / "none")
    assert "is not the folder of a run" in str(refused.exception)


def test_a_gate_ends_with_a_status_for_each_verdict(runs: dict[str, Path], tmp_path: Path) -> None:
    against = ["--baseline", runs["good"]]
    assert call("gate", runs["bad"], *against, "--max-drop", "10pp").exit_code == 1
    told = call("gate", runs["again"], *against)
    assert told.exit_code == 3, told.output
    assert "more sessions a task, in the run and in its baseline" in told.output
    assert call("gate", runs["again"], *against, "--max-drop", "60pp").exit_code == 0
    assert call("gate", runs["again"], *against, "--pass-same").exit_code == 0
    assert "closed-book" not in told.output  # nobody serves a floor
    unlike = call("gate", runs["few"], *against)
    assert isinstance(unlike.exception, Mismatch)  # `cli.main` ends with 2
    nowhere = tmp_path / "no" / "folder" / "x.xml"
    assert call("gate", runs["again"], *against, "--junit", nowhere).exit_code == 2


def test_a_baseline_file_says_what_its_run_says(runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert call("gate", runs["good"], "--write-baseline", file).exit_code == 0
    for run in ("bad", "again"):
        by_file = call("gate", runs[run], "--baseline", file, "--max-drop", "10pp")
        by_run = call("gate", runs[run], "--baseline", runs["good"], "--max-drop", "10pp")
        assert by_file.output == by_run.output
        assert by_file.exit_code == by_run.exit_code
    assert "score lower" in call("compare", file, runs["bad"]).output


def test_a_method_that_the_run_lacks_is_no_pass(runs: dict[str, Path], tmp_path: Path) -> None:
    quick(tmp_path / "run", **GRID, methods="dense", sessions=8)
    words = ["gate", tmp_path / "run", "--baseline", runs["good"], "--max-drop", "60pp"]
    refused = call(*words)
    assert isinstance(refused.exception, BadConfig)
    assert "the run lacks mine.py:Mine[tau=1/4] of the baseline" in str(refused.exception)
    assert call(*words, "--methods", "dense").exit_code == 0
    assert call(*words, "--allow-different").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [["--max-drop", "0pp"], ["--max-drop", "1%"], ["--confidence", "100"], ["--methods", "x"]],
)
def test_a_bound_that_means_nothing_is_refused(runs: dict[str, Path], words: list[str]) -> None:
    told = call("gate", runs["again"], "--baseline", runs["good"], *words)
    assert isinstance(told.exception, BadConfig)
    assert isinstance(call("gate", runs["again"]).exception, BadConfig)


def test_the_junit_file_has_a_case_for_each_method_and_mode(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "gate.xml"
    words = ["gate", runs["bad"], "--baseline", runs["good"], "--junit", file]
    call(*words, "--max-drop", "10pp")
    suite = ElementTree.parse(file).getroot()
    names = [case.attrib["name"] for case in suite]
    assert sorted(names) == [
        f"{method}, {mode}"
        for method in ("dense", "mine.py:Mine[tau=1/4]")
        for mode in ("multi-request", "multi-turn")
    ]
    kinds = {
        case.attrib["name"]: [one.attrib["type"] for one in case.iter("failure")] for case in suite
    }
    assert kinds["mine.py:Mine[tau=1/4], multi-turn"] == ["drops"]
    assert kinds["dense, multi-turn"] == ["cannot-tell"]
    assert suite.attrib["failures"] == "4"
    call(*words, "--max-drop", "10pp", "--skip-untold")
    suite = ElementTree.parse(file).getroot()
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("2", "2")
    assert len(list(suite.iter("skipped"))) == 2


def test_no_name_breaks_the_junit_file() -> None:
    name = 'a<b>&"\x1b[2J\x07]]>'
    before = [record(method=name, session=at, turn=0, turns=1) for at in range(4)]
    items = items_of(frame(before))
    rows = gate(compare_runs(items, items).overall(), max_drop=0.01)
    suite = ElementTree.fromstring(junit(rows))
    assert suite[0].attrib["name"].startswith('a<b>&"\\x1b[2J\\x07]]>')
