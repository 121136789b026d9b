"""One folder holds one run: found again by its settings, made larger on purpose, never mixed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from quick import quick
from strangers import write

import scbench
from scbench.api import Result, open_run, settle
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig
from scbench.grid.folder import own_folder
from scbench.grid.method_files import read_in, seen_from
from scbench.grid.settings_file import NAME
from scbench.ledger import manifest
from scbench.ledger.journal import read_records
from scbench.types import KEPT_OLD

GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,streaming-llm[tau=1/4]",
    "length": "512",
    "sessions": 1,
    "turns": 2,
    "cost_sessions": 0,
    "quiet": True,
}
TURNS = 2 * 2 * 2  # turns, modes, methods


def play(folder: Path, **more: Any) -> Result:
    return quick(folder, **{**GRID, **more})


def extend(folder: Path, **more: Any) -> Result:
    return quick(None, extend=folder, **more)


def lines(folder: Path) -> int:
    return sum(1 for _ in read_records(folder))


def test_the_same_settings_find_the_same_folder_and_others_another() -> None:
    words = {name: value for name, value in GRID.items() if name != "quiet"}
    first = settle(words).out
    assert first == settle({**words, "methods": "streaming-llm[tau=1/4],dense"}).out
    assert first == settle({**words, "cost_repeats": 9, "lanes": 3, "retry_failed": True}).out
    changes = [
        {"seed": "7"},
        {"sessions": 2},
        {"tasks": "vt"},
        {"methods": "dense"},
        {"history": "model"},
        {"equal_bytes": "1/4"},
        {"device": "cpu"},
    ]
    others = {settle({**words, **change}).out for change in changes}
    assert len({first, *others}) == len(changes) + 1
    assert all(folder.parent == Path("runs") for folder in others)


@pytest.mark.slow
def test_a_run_without_a_named_folder_resumes_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = dict(GRID)
    folder = scbench.run(**words).folder
    assert scbench.run(**words).folder == folder
    assert lines(folder) == TURNS
    other = scbench.run(**{**words, "seed": "7"}).folder
    assert other != folder
    assert {record.seed for record in open_run(other).records()} == {"7:0"}


def test_a_settings_file_beside_the_results_makes_the_same_run(tmp_path: Path) -> None:
    first = play(tmp_path / "one", prompts="official", turns=3)
    file = tmp_path / "one" / NAME
    assert tomllib.loads(file.read_text())["tasks"] == ["kv"]
    again = scbench.run(config=file, out=tmp_path / "two", quiet=True)
    answers = [
        sorted((r.key, r.turn, r.answer.text) for r in result.records() if r.answer)
        for result in (first, again)
    ]
    assert answers[0] == answers[1]


def test_words_of_the_command_go_before_those_of_the_file(tmp_path: Path) -> None:
    play(tmp_path / "one")
    settings = settle({"config": tmp_path / "one" / NAME, "sessions": 4, "out": tmp_path / "two"})
    assert (settings.sessions, settings.tasks) == (4, ("kv",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sessions = ", "not TOML"),
        ("sesions = 3", "sesions"),
        ("sessions = 0", "sessions"),
        ('modes = ["multi-tern"]', "multi-tern"),
        ("[deep]\nx = 1", "deep"),
        ("\xff", "not TOML"),
    ],
)
def test_a_bad_settings_file_is_told(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / NAME).write_text(text, encoding="latin-1")
    with pytest.raises(BadConfig, match=why):
        scbench.run(config=tmp_path / NAME, out=tmp_path / "run")


def test_a_run_has_an_id_and_commands_that_a_shell_reads(tmp_path: Path) -> None:
    play(tmp_path)
    first = manifest.read(tmp_path)
    play(tmp_path)
    second = manifest.read(tmp_path)
    assert first["id"] == second["id"]
    assert len(second["runs"]) == 2
    assert second["runs"][-1]["data_digest"]
    assert second["runs"][-1]["models"][0]["code_digest"]


def test_extending_adds_methods_and_sessions_and_replays_nothing(tmp_path: Path) -> None:
    play(tmp_path / "run")
    before = (tmp_path / "run" / "records.jsonl").read_bytes()
    larger = extend(tmp_path / "run", methods=f"{write(tmp_path, 'honest')}", sessions=2)
    after = (tmp_path / "run" / "records.jsonl").read_bytes()
    assert after.startswith(before)
    methods = {record.method for record in larger.records()}
    assert methods == {"dense", "streaming-llm[tau=1/4]", "mine.py:Mine[tau=1/4]"}
    assert len(larger.records()) == TURNS // 2 * 3 * 2
    whole = play(
        tmp_path / "whole",
        methods=f"dense,streaming-llm[tau=1/4],{tmp_path}/mine.py:Mine[tau=1/4]",
        sessions=2,
    )
    assert {(r.key, r.turn, r.strict.value) for r in whole.records()} == {
        (r.key, r.turn, r.strict.value) for r in larger.records()
    }


def test_an_edited_method_replaces_its_own_older_rows_which_are_kept(tmp_path: Path) -> None:
    play(tmp_path / "run", methods=f"dense,{write(tmp_path, 'honest')}")
    before = {r.key for r in open_run(tmp_path / "run").records() if r.method != "dense"}
    write(tmp_path, "flipped")
    again = extend(tmp_path / "run")
    after = {r.key for r in again.records() if r.method != "dense"}
    assert not before & after
    assert before <= {record.key for record in read_records(tmp_path / "run")}
    assert lines(tmp_path / "run") == TURNS + TURNS // 2
    assert again.outcome is not None
    (line,) = again.outcome.superseded
    assert "mine.py" in line


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "7"},
        {"turns": 3},
        {"history": "model"},
        {"sessions": 0},
        {"modes": "multi-turn"},
        {"max_new_tokens": 3},
    ],
)
def test_extending_by_anything_else_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    play(tmp_path)
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(BadConfig, match=next(iter(change))):
        extend(tmp_path, **change)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_extending_with_what_the_run_has_already_is_no_difference(tmp_path: Path) -> None:
    play(tmp_path)
    extend(tmp_path, seed="0", tasks="kv", methods="dense")
    assert lines(tmp_path) == TURNS


def test_extending_where_there_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no run"):
        extend(tmp_path / "nowhere", methods="dense")


def test_the_first_command_of_an_extended_run_goes_on_with_all_of_it(tmp_path: Path) -> None:
    play(tmp_path)
    extend(tmp_path, sessions=2)
    again = play(tmp_path)
    assert lines(tmp_path) == 2 * TURNS
    assert {record.seed for record in again.records()} == {"0:0", "0:1"}


@pytest.mark.parametrize("file", ["thesis.tex", "index.html", "data/x.csv"])
def test_a_folder_that_is_not_ours_is_not_written_into(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(BadConfig, match="no folder of a run"):
        play(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {file.split("/")[0]}
    assert path.read_text() == "mine"


def test_a_kill_before_the_first_line_leaves_a_folder_that_is_known_as_ours(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from scbench.ledger.lock import Lock; "
        "lock = Lock(Path(sys.argv[1])); os._exit(9)"
    )
    folder = tmp_path / "run"
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 9
    play(folder)
    assert lines(folder) == TURNS


@pytest.mark.parametrize("name", [".lock", "sessions", "failures", "records.jsonl", "run.toml"])
def test_a_run_never_follows_a_link_out_of_a_folder(tmp_path: Path, name: str) -> None:
    play(tmp_path / "run")
    victim = tmp_path / "victim"
    if name in ("sessions", "failures"):
        victim.mkdir()
    else:
        victim.write_text("mine")
    place = tmp_path / "run" / name
    if place.is_dir():
        place.rename(tmp_path / "moved")
    place.unlink(missing_ok=True)
    place.symlink_to(victim)
    with pytest.raises(BadConfig, match="links"):
        play(tmp_path / "run")
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "mine"


def test_a_report_never_follows_a_link_out_of_a_folder(tmp_path: Path) -> None:
    play(tmp_path / "run")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    open_run(tmp_path / "run").report()
    for name in ("turns.csv", "index.html"):
        (tmp_path / "run" / name).unlink()
        (tmp_path / "run" / name).symlink_to(victim)
    open_run(tmp_path / "run").report()
    assert victim.read_text() == "mine"
    assert not (tmp_path / "run" / "index.html").is_symlink()


@pytest.mark.slow
def test_a_report_is_not_written_over_somebodys_files(tmp_path: Path) -> None:
    play(tmp_path / "run")
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(BadConfig, match=r"index\.html"):
        open_run(tmp_path / "run").report(other)
    assert (other / "index.html").read_text() == "mine"
    open_run(tmp_path / "run").report(tmp_path / "new")
    open_run(tmp_path / "run").report(tmp_path / "new")  # over its own


def test_own_folders_have_plain_names() -> None:
    folder = own_folder(settle({"model": "toy", "tasks": "kv"}))
    assert folder.name.startswith("toy-kv-")
    assert ToyEngine().facts.name == "toy"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a method of its own and a run beside it, which played it from there."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "methods", "honest")
    play(Path("runs/one"), methods="dense,methods/mine.py:Mine[tau=1/4]")
    return tmp_path


def test_methods_in_a_settings_file_are_found_beside_it_from_another_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "runs" / "one" / NAME
    assert "../../methods/mine.py:Mine[tau=1/4]" in tomllib.loads(file.read_text())["methods"]
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    before = lines(file.parent)
    result = scbench.run(config=file, out=file.parent, quiet=True)
    assert lines(result.folder) == before
    assert {record.method for record in result.records()} == {"dense", "mine.py:Mine[tau=1/4]"}
    assert extend(file.parent, sessions=2).outcome.turns_failed == 0


def test_a_project_that_is_moved_finds_its_methods(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "old").mkdir()
    for name in ("methods", "runs"):
        (project / name).rename(project / "old" / name)
    folder = project / "old" / "runs" / "one"
    before = lines(folder)
    result = scbench.run(config=folder / NAME, out=folder, quiet=True)
    assert lines(result.folder) == before


def test_an_older_settings_file_still_means_the_working_folder(project: Path) -> None:
    file = project / "runs" / "one" / NAME
    file.write_text(file.read_text().replace("../../methods", "methods"))
    assert settle({"config": file}).methods[1] == "methods/mine.py:Mine[tau=1/4]"


def test_a_settings_file_whose_method_is_nowhere_says_where_it_looked(project: Path) -> None:
    file = project / "runs" / "one" / NAME
    file.write_text(file.read_text().replace("mine.py", "none.py"))
    with pytest.raises(BadConfig, match=r"neither '.*methods/none.py' nor .*relative to its own"):
        settle({"config": file})


@pytest.mark.parametrize(
    "method",
    [
        "dense",
        "snapkv[tau=1/4]+kivi[bits=2]",
        "a.py:A[tau=1/4]",
        'mine="x/a+b.py":A[tau=1/4|1/8]+kivi',
        "/abs/a.py:A",
        "kivi+b/c.py:C",
    ],
)
def test_a_spelling_comes_back_from_a_folder_as_it_went(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "x/a+b.py", "b/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    folder = Path("runs/one")
    folder.mkdir(parents=True)
    assert read_in(folder, seen_from(folder, [method])) == [method]


def test_keeping_old_records_is_said_with_every_command_that_means_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    play(folder, methods=f"dense,{write(tmp_path, 'honest')}")
    write(tmp_path, "flipped")
    kept = extend(folder, keep_old=True)
    assert sum(KEPT_OLD in record.notes for record in kept.records()) == TURNS // 2
    more = extend(folder, sessions=2)
    assert not any(KEPT_OLD in record.notes for record in more.records())
    assert more.outcome is not None
    (line,) = more.outcome.superseded
    assert "they no longer count and are played again (--keep-old keeps them)" in line
    assert len(more.records()) == 2 * TURNS


def test_what_one_command_was_told_for_itself_is_not_said_to_the_next(tmp_path: Path) -> None:
    play(tmp_path / "run", keep_old=True, retry_failed=True, lanes=5, cost_repeats=2)
    settings = settle({"extend": tmp_path / "run", "sessions": 2})
    assert (settings.keep_old, settings.retry_failed, settings.debug) == (False, False, False)
    assert (settings.lanes, settings.cost_repeats) == (5, 2)
