"""`scbench score` takes answers to any task: the paper's by name, anyone's by its reference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scbench import task_cards
from scbench.cli import app
from scbench.errors import BadConfig, BadRow, Unknown
from scbench.scoring.fields import FIELDS

LENGTHS = '''
from scbench.errors import Unknown
from scbench.task_cards import Subtask, TaskCard
from scbench.tasks.contract import Task


def near(answer, wanted):
    """A tenth less for every character too many or too few."""
    return max(0.0, 1 - abs(len(answer) - len(wanted.golds[0])) / 10)


CARD = TaskCard(
    name="lengths", title="Lengths", subtasks=(Subtask(name="lengths", strict=near),)
)
MIX = TaskCard(
    name="lengths_and_numbers",
    title="Lengths and numbers",
    subtasks=(Subtask(name="near", strict=near), Subtask(name="sum", strict="number")),
)


def make(**asked):
    raise Unknown("no session is made where answers are scored")


TASK = Task(card=CARD, make=make)
MIXED = Task(card=MIX, make=make)
'''
TICKETS = [
    {"task": {"title": "Tickets", "scorer": "number"}},
    {"context": "Ticket 41 is Ada's.", "turns": [{"question": "Ada's?", "answers": ["41"]}]},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a task in code and one in data; what is loaded is forgotten afterwards."""
    monkeypatch.setattr(task_cards, "_BROUGHT", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lengths.py").write_text(LENGTHS, encoding="utf-8")
    written(tmp_path / "tickets.jsonl", TICKETS)
    return tmp_path


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path.name


def line(task: str, prediction: str, gold: str, **more: Any) -> dict[str, Any]:
    row = {"task": task, "mode": "multi-turn", "prediction": prediction, "gold": gold}
    return {**row, **more}


def score(*words: str) -> Result:
    return CliRunner().invoke(app, ["score", *words], catch_exceptions=False)


def scores(path: Path) -> list[tuple[float | None, float | None]]:
    rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    return [(row["scores"]["strict"], row["scores"]["official"]) for row in rows]


def test_lines_of_a_task_in_a_file_are_scored_by_its_own_scorer(folder: Path) -> None:
    rows = [
        line("lengths", "four", "text"),
        line("lengths", "fourteen", "text"),
        line("tickets", "It is 41.", "41"),
        line("scbench_kv", "4821", "4821"),
    ]
    answers = written(folder / "answers.jsonl", rows)
    told = score(answers, "--tasks", "lengths.py:TASK,tickets.jsonl", "--out", "scored.jsonl")
    assert told.exit_code == 0, told.output
    assert scores(folder / "scored.jsonl") == [(1.0, None), (0.6, None), (1.0, None), (1.0, 1.0)]
    first = json.loads((folder / "scored.jsonl").read_text().splitlines()[0])
    assert "official" in first["why"]
    assert "lengths" in told.output
    assert "80.0" in told.output


def test_a_mix_of_ones_own_is_scored_part_by_part(folder: Path) -> None:
    rows = [
        line("lengths_and_numbers", "four", "text", subtask="near"),
        line("lengths_and_numbers", "8", "7", subtask="sum"),
    ]
    answers = written(folder / "answers.jsonl", rows)
    told = score(answers, "--tasks", "lengths.py:MIXED", "--out", "scored.jsonl")
    assert [strict for strict, _ in scores(folder / "scored.jsonl")] == [1.0, 0.0]
    assert "lengths_and_numbers: near" in told.output.replace("\n", "")
    bare = written(folder / "bare.jsonl", [line("lengths_and_numbers", "8", "7")])
    with pytest.raises(BadRow, match="'subtask' is missing; lengths_and_numbers has near, sum"):
        score(bare, "--tasks", "lengths.py:MIXED")


def test_a_task_that_was_not_given_is_refused_in_a_sentence_that_says_how(folder: Path) -> None:
    answers = written(folder / "answers.jsonl", [line("lengths", "four", "text")])
    with pytest.raises(BadRow) as caught:
        score(answers)
    told = str(caught.value)
    assert told.startswith("answers.jsonl:1: field 'task' is 'lengths'; allowed are scbench_kv, ")
    assert told.endswith(
        "; a task of your own is given by its reference: --tasks my_task.py:TASK, my.jsonl, or "
        "the name under which a package registered it"
    )
    assert not (folder / "answers.scored.jsonl").exists()


def test_a_name_that_looks_like_a_task_of_ones_own_that_is_given_is_told(folder: Path) -> None:
    answers = written(folder / "answers.jsonl", [line("length", "four", "text")])
    with pytest.raises(BadRow, match=r"allowed are scbench_kv, .*, lengths; a task of your own"):
        score(answers, "--tasks", "lengths.py:TASK")


def test_a_reference_that_leads_nowhere_is_refused_before_any_line_is_read(folder: Path) -> None:
    answers = written(folder / "answers.jsonl", [line("lengths", "four", "text")])
    with pytest.raises(Unknown, match=r"there is no file 'nowhere.py'"):
        score(answers, "--tasks", "nowhere.py:TASK")
    with pytest.raises(BadConfig, match="is function and no task"):
        score(answers, "--tasks", "lengths.py:near")


def test_the_help_shows_a_task_of_ones_own() -> None:
    shown = CliRunner().invoke(app, ["score", "--help"], env={"COLUMNS": "160"}).output
    assert "--tasks" in shown
    assert "my_task.py:TASK,my.jsonl" in shown


def test_the_help_says_what_each_field_holds_and_where_generated_data_has_it() -> None:
    shown = CliRunner().invoke(app, ["score", "--help"], env={"COLUMNS": "160"}).output
    assert [field for field in FIELDS if field not in shown] == []
    assert ".evidence.jsonl" in shown


def test_fields_that_no_rule_reads_are_named_once(folder: Path) -> None:
    rows = [line("scbench_kv", "4821", "4821", vocabulry=["x"], id=n) for n in range(3)]
    told = score(written(folder / "answers.jsonl", rows))
    assert told.exit_code == 0, told.output
    said = " ".join(told.output.split())
    assert said.count("fields that no rule reads") == 1
    assert "'vocabulry' (did you mean 'vocabulary'?), 'id'" in said
    clean = score(written(folder / "clean.jsonl", [line("scbench_kv", "4821", "4821")]))
    assert "note" not in clean.output


def test_generated_questions_without_their_vocabulary_are_told_once(folder: Path) -> None:
    asked = {"generated": True, "question": "Who?"}
    rows = [line("scbench_qa_eng", "Peroth", "Peroth", **asked) for _ in range(2)]
    rows.append(line("scbench_qa_eng", "Peroth", "Peroth", vocabulary=["Peroth"], **asked))
    rows.append(line("scbench_qa_eng", "Peroth", "Peroth", question="Who?"))
    said = " ".join(score(written(folder / "answers.jsonl", rows)).output.split())
    assert "2 generated lines of qa_eng or qa_chn say neither 'numeric' nor 'vocabulary'" in said
    assert "<config>.evidence.jsonl" in said


def test_scoring_a_task_of_ones_own_needs_no_torch(folder: Path) -> None:
    written(folder / "answers.jsonl", [line("lengths", "four", "text")])
    code = (
        "import sys; from pathlib import Path; from scbench.commands.score import score; "
        "score(Path('answers.jsonl'), 'lengths.py:TASK'); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
