"""Anyone's task is played, kept and told of like ours, and never taken for another."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from quick import quick
from walk import walk_file, write_walk

import scbench
from scbench.api import Result, open_run, settle
from scbench.errors import BadConfig, BadRow, ScbenchError, Unknown
from scbench.grid.task_places import handed, is_task, package_names, task_at
from scbench.grid.workload import workloads
from scbench.ledger.facts import task_cards
from scbench.prompts import ByteTokenizer
from scbench.task_cards import card_of
from scbench.tasks import NoTinyForm, names
from scbench.types import Form

GRID: dict[str, Any] = {
    "model": "toy",
    "length": "512",
    "sessions": 2,
    "turns": 2,
    "methods": "dense",
    "modes": "multi-request",
    "cost_sessions": 0,
    "agreement": False,
}


def play(folder: Path, *tasks: str, **more: Any) -> Result:
    return quick(folder, **{**GRID, "tasks": ",".join(tasks), **more})


def keys(result: Result) -> set[str]:
    return {record.key for record in result.records()}


# -- files -----------------------------------------------------------------------------------------


def test_tasks_of_a_file_and_of_data_stand_beside_ours(tmp_path: Path) -> None:
    places = write_walk(tmp_path, "doors.py", "tickets.jsonl")
    result = play(tmp_path / "run", *places, "kv")
    by_task = {}
    for record in result.records():
        by_task.setdefault(record.task, []).append(record)
    assert {task: len(found) for task, found in by_task.items()} == {
        "doors": 4,
        "kv": 4,
        "tickets": 3,
    }
    assert {record.length_tokens for record in by_task["tickets"]} == {0}
    assert {record.length_tokens for record in by_task["doors"]} == {512}
    assert all(record.strict.value is not None for record in result.records())
    gaps = {record.official.why for record in by_task["doors"]}
    assert gaps == {"the task has no published rule"}


def test_a_report_knows_a_task_whose_file_is_gone(tmp_path: Path) -> None:
    places = write_walk(tmp_path, "doors.py", "tickets.jsonl")
    play(tmp_path / "run", *places)
    for place in ("doors.py", "tickets.jsonl"):
        (tmp_path / place).unlink()
    summary = open_run(tmp_path / "run").summary()
    book = summary.book
    assert (book.title_of("doors"), book.ability_of("doors")) == ("Keys of doors", "Retr.String")
    assert (book.title_of("tickets"), book.group_of("tickets")) == ("Tickets", "Other tasks")
    by_length = {setting.length_tokens: setting for setting in summary.settings}
    strings = summary.average(by_length[512], "multi-request", "dense", "Retr.String")
    assert strings is not None
    assert strings.tasks == ("doors",)
    overall = summary.average(by_length[0], "multi-request", "dense", "Overall")
    assert overall is not None
    assert overall.tasks == ()


def test_the_same_command_resumes_and_an_edited_task_is_played_anew(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "doors.py")
    first = keys(play(tmp_path / "run", place))
    assert keys(play(tmp_path / "run", place)) == first
    file = tmp_path / "doors.py"
    file.write_text(file.read_text().replace("Remember the keys", "Note the keys"))
    assert card_of("doors").head == "Remember the keys of the doors."
    edited = keys(play(tmp_path / "run", place))
    assert not edited & first
    assert card_of("doors").head == "Note the keys of the doors."


def test_a_module_beside_the_file_counts_too(tmp_path: Path) -> None:
    write_walk(tmp_path, "doors.py")
    (place,) = write_walk(tmp_path, "near.py")
    before = task_at(place).origin
    file = tmp_path / "doors.py"
    file.write_text(file.read_text().replace("10_000", "20_000"))
    assert task_at(place).origin != before


def test_a_settings_file_names_the_task_again(tmp_path: Path) -> None:
    places = write_walk(tmp_path, "doors.py", "tickets.jsonl")
    play(tmp_path / "run", *places)
    again = settle({"config": tmp_path / "run" / "run.toml", "out": tmp_path / "again"})
    assert again.tasks == tuple(places)


def test_a_path_with_a_comma_stands_in_quotes(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    write_walk(folder, "tickets.jsonl")
    settings = settle({**GRID, "tasks": f'"{folder}/tickets.jsonl",kv', "out": tmp_path / "run"})
    assert settings.tasks == (f"{folder}/tickets.jsonl", "kv")


# -- names -----------------------------------------------------------------------------------------


def test_two_tasks_of_one_name_are_refused_and_one_task_twice_is_one(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "doors.py")
    (tmp_path / "other.py").write_text(walk_file("doors.py"))
    with pytest.raises(BadConfig, match="both are called 'doors'"):
        settle({"tasks": f"{place},{tmp_path}/other.py:TASK"})
    assert settle({"tasks": f"{place},{place}"}).tasks == (place,)


def test_the_name_of_one_of_the_papers_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(walk_file("doors.py").replace('"doors"', '"kv"'))
    with pytest.raises(BadConfig, match="one of the paper's"):
        task_at(f"{file}:TASK")
    (tmp_path / "vt.jsonl").write_text(walk_file("tickets.jsonl"))
    with pytest.raises(BadConfig, match="one of the paper's"):
        task_at(f"{tmp_path}/vt.jsonl")


def test_what_is_no_task_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write_walk(tmp_path, "doors.py")
    wrong = {
        f"{tmp_path}/nowhere.py:TASK": "there is no file",
        f"{tmp_path}/doors.py:TSK": "its tasks are TASK",
        f"{tmp_path}/doors.py:CARD": "is TaskCard and no task",
        f"{tmp_path}/nowhere.jsonl": "there is no file",
        "dors": r"path/to/file\.py:TASK",
    }
    for written, said in wrong.items():
        with pytest.raises(ScbenchError, match=said):
            task_at(written)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(BadConfig, match="ZeroDivisionError"):
        task_at(f"{tmp_path}/broken.py:TASK")


def test_a_text_is_known_for_a_task_or_a_method(tmp_path: Path) -> None:
    places = write_walk(tmp_path, "doors.py", "tickets.jsonl")
    assert all(map(is_task, (*places, "kv", *names())))
    assert not any(map(is_task, ("snapkv[tau=1/4]", "dense", f"{tmp_path}/doors.py:CARD")))


# -- packages --------------------------------------------------------------------------------------


def install(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the task of the walk, as pip would leave it behind."""
    (folder / "their_doors.py").write_text(walk_file("doors.py"), encoding="utf-8")
    info = folder / "their_doors-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-doors\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[scbench.tasks]\n{name} = their_doors:TASK\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "their_doors", raising=False)


def test_a_task_of_a_package_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "doors", monkeypatch)
    result = play(tmp_path / "run", "doors")
    assert {record.task for record in result.records()} == {"doors"}
    assert task_cards(tmp_path / "run")["doors"].title == "Keys of doors"
    assert is_task("doors")


def test_an_entry_point_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "gates", monkeypatch)
    with pytest.raises(BadConfig, match="calls itself 'doors'"):
        task_at("gates")


def test_a_package_cannot_take_the_name_of_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "kv", monkeypatch)
    assert task_at("kv").title == "Retr.KV"
    assert package_names() == ()


# -- what goes wrong -------------------------------------------------------------------------------


def test_what_a_generator_raises_is_a_gap_of_that_session(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "doors.py")
    file = tmp_path / "doors.py"
    check = '    checked("doors", target=target, turns=turns)\n'
    text = file.read_text()
    assert check in text
    text = text.replace(check, check + '    if seed.endswith("1"):\n        1 / 0\n')
    file.write_text(text)
    result = play(tmp_path / "run", place)
    assert result.outcome is not None
    assert len(result.records()) == 2
    assert any("ZeroDivisionError" in gap for gap in result.outcome.gaps)
    with pytest.raises(ZeroDivisionError):
        play(tmp_path / "debug", place, debug=True)


def test_what_a_scorer_raises_is_a_gap_with_the_reason(tmp_path: Path) -> None:
    write_walk(tmp_path, "doors.py")
    (place,) = write_walk(tmp_path, "near.py")
    file = tmp_path / "near.py"
    text = file.read_text()
    file.write_text(text.replace("    said, key =", "    1 / 0\n    said, key ="))
    raising = play(tmp_path / "run", place).records()
    assert {record.strict.value for record in raising} == {None}
    assert all("ZeroDivisionError" in record.strict.why for record in raising)
    file.write_text(text.replace("    said, key =", "    return 2.0\n    said, key ="))
    beyond = play(tmp_path / "run", place).records()
    assert {record.strict.value for record in beyond} == {None}
    assert all("from 0 to 1" in record.strict.why for record in beyond)
    file.write_text(text.replace("chance=0.25", "official=lambda answer, wanted: 1 / 0"))
    official = [record.official for record in play(tmp_path / "run", place).records()]
    assert {score.value for score in official} == {None}
    assert all("ZeroDivisionError" in score.why for score in official)


def test_a_model_of_closed_vocabularies_leaves_out_what_has_no_tiny_form(tmp_path: Path) -> None:
    places = write_walk(tmp_path, "doors.py", "tickets.jsonl")
    settings = settle({**GRID, "tasks": f"{places[0]},kv", "length": "256"})
    assert [load.task for load in workloads(settings, Form.TINY)] == ["kv"]
    for place in places:
        with pytest.raises(NoTinyForm, match="--form full"):
            task_at(place, Form.TINY)
    with pytest.raises(Unknown, match="no tiny form"):
        workloads(settle({**GRID, "tasks": places[1]}), Form.TINY)


def test_a_plan_counts_the_sessions_of_a_file(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "tickets.jsonl")
    settings = settle({**GRID, "tasks": place, "sessions": 8})
    (load,) = workloads(settings, Form.FULL, ByteTokenizer())
    assert (load.sessions, load.limits, load.asked_tokens) == (2, (16, 16), 0)
    assert load.length_tokens in (53, 54)


def test_a_damaged_line_of_data_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"context": "a", "turns": []}\n')
    with pytest.raises(BadRow, match="line 1"):
        settle({"tasks": str(file)})


def test_a_title_full_of_markup_is_told_as_it_is_and_nothing_more(tmp_path: Path) -> None:
    title = "<b>Keys</b> | $x_1$ {{7*7}} [red]%"
    write_walk(tmp_path, "doors.py")
    file = tmp_path / "doors.py"
    file.write_text(file.read_text().replace("Keys of doors", title))
    text = file.read_text().replace("ability=STRING", 'ability="<i>Mine</i> & co_"')
    file.write_text(text)
    result = play(tmp_path / "run", f"{file}:TASK", turns=1, sessions=1)
    paths = result.report()
    page = paths["index.html"].read_text(encoding="utf-8")
    assert "&lt;b&gt;Keys" in page
    assert "<b>Keys" not in page
    assert "<i>Mine" not in page
    latex = paths["tables.tex"].read_text(encoding="utf-8")
    assert r"\$x\_1\$" in latex
    markdown = paths["report.md"].read_text(encoding="utf-8")
    assert "<b>Keys" not in markdown


# -- objects ---------------------------------------------------------------------------------------


def run_of(folder: Path, tasks: list[object]) -> Result:
    return scbench.run(**{**GRID, "tasks": tasks, "out": folder, "quiet": True})


def test_a_task_object_is_played_as_its_file_is(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "doors.py")
    written = play(tmp_path / "written", place)
    handed_over = run_of(tmp_path / "handed", [task_at(place), "kv"])
    assert {record.task for record in handed_over.records()} == {"doors", "kv"}
    of_doors = [record.key for record in handed_over.records() if record.task == "doors"]
    assert set(of_doors) == keys(written)


def test_a_task_made_in_this_process_counts_by_the_source_of_its_sessions(tmp_path: Path) -> None:
    (place,) = write_walk(tmp_path, "doors.py")
    bare = replace(task_at(place), origin=None)
    result = run_of(tmp_path / "run", [bare])
    assert {record.task for record in result.records()} == {"doors"}
    assert task_at("doors").origin is not None
    other = replace(bare, make=partial(bare.make))
    assert handed(other) == "doors"


def test_an_object_that_is_no_task_or_is_called_like_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="is int and no task"):
        run_of(tmp_path / "run", [3])
    ours = task_at("kv")
    with pytest.raises(BadConfig, match="give yours another name"):
        handed(replace(ours, version=99))
    assert handed(ours) == "kv"
