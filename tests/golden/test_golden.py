"""The numbers are those that were recorded: a sample on every save, the whole in the slow tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from golden import files
from golden.compare import MOST_LINES, Move, compare, told
from golden.grid import PARTS, TASKS
from golden.models import TINY
from golden.record import NAMES, check
from scbench.methods import names
from scbench.scoring import SUBTASKS

NOT_HERE = {"kvpress"}  # needs a package that is not installed
SOME = ("dense", "snapkv[tau=1/4]", "kivi[bits=2]", "prefix", "quest[tau=1/4]", "cacheblend")
SAMPLE: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {  # part: methods, tasks
    "scores": ((), ()),
    "sessions": ((), ()),
    "toy": (("dense", "snapkv[tau=1/4]", "knorm[tau=1/4]"), ()),
    "tiny-llama": (("dense", "expected-attention[tau=1/4]"), ()),
    "lab-transformer": (SOME, ("kv",)),
}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_the_golden_run_is_what_it_was(name: str) -> None:
    methods, tasks = SAMPLE[name]
    moves = check(name, methods=methods, tasks=tasks)
    assert not moves, told(moves)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_golden_run_is_what_it_was(name: str) -> None:
    moves = check(name)
    assert not moves, told(moves)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_number_of_threads_moves_nothing(threads: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "golden", "--only", "held:lab-transformer,tiny-glm,lab-mamba2"],
        env={**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 moved") == 3


def test_every_method_task_scorer_and_architecture_is_recorded() -> None:
    played = {part for row in PARTS for method in row.methods for part in method.split("+")}
    assert set(names()) - NOT_HERE == {part.partition("[")[0] for part in played}
    recorded = {row["at"].partition(" ")[0] for part in PARTS for row in files.read(part.name)}
    assert recorded == set(TASKS)
    scorers = {row["method"].rpartition(" ")[2] for row in files.read("scores")}
    assert scorers == set(SUBTASKS)
    assert {part.model for part in PARTS} >= {f"tiny-{kind}" for kind in TINY}


def test_nearly_all_that_is_recorded_is_compared() -> None:
    rows = [row for name in NAMES for row in files.read(name)]
    left_out = [row for row in rows if row.get("tie") is not None or row.get("loose")]
    assert len(rows) > 3000
    assert len(left_out) < 0.03 * len(rows)
    assert not [row for row in rows if "failure" in row and row["method"] == "dense"]


def test_the_recorded_files_are_small_and_none_is_left_over() -> None:
    found = {path.name for path in files.DATA.iterdir()}
    assert found == {files.path_of(name).name for name in NAMES}
    assert sum(path.stat().st_size for path in files.DATA.iterdir()) < 1 << 20


# -- the rules -------------------------------------------------------------------------------------


def turn(**words: object) -> dict[str, object]:
    return {
        "part": "p",
        "method": "m",
        "at": "kv turn 0",
        "tokens": [5, 6, 7, "end"],
        "tie": None,
        "strict": 1.0,
        "held_bytes": 640,
        "prompt_tokens": 90,
        **words,
    }


def fields(old: dict[str, object], new: dict[str, object]) -> list[str]:
    return [move.field for move in compare([old], [new])]


def test_one_byte_one_token_or_one_score_is_a_move() -> None:
    assert fields(turn(), turn()) == []
    assert fields(turn(), turn(held_bytes=641)) == ["held_bytes"]
    assert fields(turn(), turn(tokens=[5, 6, 8, "end"])) == ["tokens"]
    assert fields(turn(), turn(strict=0.0)) == ["strict"]
    assert fields(turn(), turn(strict=None)) == ["strict"]


def test_after_a_near_tie_neither_tokens_nor_what_hangs_on_them_is_compared() -> None:
    tied = turn(tie=2)
    assert fields(tied, turn(tokens=[5, 6, 9, 9, "length"], strict=0.0, held_bytes=650)) == []
    assert fields(tied, turn(tokens=[5, 8, 7, "end"])) == ["tokens"]
    # the answer is the same, so this is not excused
    assert fields(tied, turn(held_bytes=641)) == ["held_bytes"]
    assert fields(tied, turn(prompt_tokens=91)) == ["prompt_tokens"]


def test_a_tie_in_the_new_run_excuses_nothing() -> None:
    assert fields(turn(), turn(tie=0, tokens=[9, "end"])) == ["tokens"]


def test_only_slots_with_nearly_tied_votes_may_change_places() -> None:
    old = turn(kept={"0.0": "0-3,9", "0.1": "0-4"}, near={"0.0": "8-9"})
    assert fields(old, turn(kept={"0.0": "0-3,8", "0.1": "0-4"})) == []
    assert fields(old, turn(kept={"0.0": "0-2,8-9", "0.1": "0-4"})) == ["kept"]
    assert fields(old, turn(kept={"0.0": "0-3,9", "0.1": "0-3,8"})) == ["kept"]


def test_a_share_of_attention_may_differ_in_its_last_digits_alone() -> None:
    old = turn(evidence_kept=0.5, evidence_held=0.5)
    assert fields(old, turn(evidence_kept=0.5004, evidence_held=0.5)) == []
    assert fields(old, turn(evidence_kept=0.503, evidence_held=0.5)) == ["evidence_kept"]
    assert fields(old, turn(evidence_kept=0.5, evidence_held=0.5004)) == ["evidence_held"]
    assert fields(old, turn(evidence_kept=None, evidence_held=0.5)) == ["evidence_kept"]
    without_dense = [turn(evidence_kept=None, evidence_held=0.5)]
    assert compare([old], without_dense, narrowed=True) == []


def test_a_row_that_is_missing_or_new_is_named() -> None:
    old, other = turn(), turn(at="kv turn 1")
    assert [(move.old, move.new, move.at) for move in compare([old, other], [old])] == [
        ("there", "none", "kv turn 1")
    ]
    assert compare([old, other], [old], narrowed=True) == []
    assert len(compare([old], [old, other], narrowed=True)) == 1


def test_the_message_names_part_number_method_old_and_new_in_few_lines() -> None:
    moves = [
        Move(f"part {at % 30}", f"m{at}", "kv turn 0", "held_bytes", 64, 65) for at in range(900)
    ]
    words = told(moves).splitlines()
    assert len(words) == MOST_LINES
    assert words[0] == "900 numbers of the golden run moved:"
    assert words[1] == "part 0: held_bytes, 30 of 30 methods: m0; m30; m60; m90 and 26 more"
    assert words[2] == "    m0, kv turn 0: 64 -> 65"
    assert words[-1] == "... and 11 more kinds of numbers"
