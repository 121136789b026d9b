"""What a key seals: one byte of what made a number, and the number is made anew; or it is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quick import quick

from scbench import code
from scbench.api import Result, open_run
from scbench.engines.toy import ToyEngine
from scbench.grid import identity
from scbench.ledger.journal import read_records
from scbench.play import played_code
from scbench.types import KEPT_OLD

GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,streaming-llm[tau=1/4]",
    "length": "512",
    "sessions": 2,
    "turns": 2,
    "cost_sessions": 0,
    "quiet": True,
}
TURNS = 2 * 2 * 2 * 2  # sessions, turns, modes, methods


class Counting(ToyEngine):
    """Counts its forwards: kept answers need none."""


def play(folder: Path, engine: ToyEngine | None = None, **more: Any) -> Result:
    return quick(folder, engine or Counting(), **{**GRID, **more})


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of our source, to edit; only digests look at it."""
    copy = tmp_path / "house"
    shutil.copytree(code.ROOT, copy, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    monkeypatch.setattr(code, "ROOT", copy)
    return copy


def edit(path: Path, old: str, new: str, house: Path) -> None:
    """Change a line, and look at the source as a new process would."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    played_code._play_code.cache_clear()
    identity._scoring_code.cache_clear()


def lines(folder: Path) -> int:
    return sum(1 for _ in read_records(folder))


PLAYED = [
    ("kv/tail.py", "return", "return 0 or"),
    ("kernels/attention.py", "    return ", "    return 0 or "),
    ("prompts/conversation.py", "return", "return 0 or"),
    ("task_cards/kv.py", "Extract", "Fetch"),
    ("play/decode.py", "logits_V.argmax()", "logits_V.argmin()"),
    ("play/local.py", "LANES = 48", "LANES = 47"),
    ("engines/toy.py", "HEAD_DIM = 32", "HEAD_DIM = 64"),
    ("methods/fork.py", "return", "return 0 or"),
]


QUICK = {"kv/tail.py", "prompts/conversation.py", "play/decode.py"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param(*case, id=case[0], marks=[] if case[0] in QUICK else pytest.mark.slow)
        for case in PLAYED
    ],
)
def test_an_edited_line_of_ours_plays_its_records_again_and_says_why(
    tmp_path: Path, house: Path, file: str, old: str, new: str
) -> None:
    play(tmp_path / "run")
    edit(house / file, old, new, house)
    again = play(tmp_path / "run")
    assert lines(tmp_path / "run") == 2 * TURNS
    assert again.outcome is not None
    (line,) = again.outcome.superseded
    assert f"{TURNS} recorded turns" in line
    assert file.removesuffix(".py").replace("/", ".") in line
    assert len(again.records()) == TURNS
    third = play(tmp_path / "run")
    assert third.outcome is not None
    assert third.outcome.superseded == [], "what was replaced is not told again"


UNPLAYED = [
    ("kv/tail.py", "import torch\n", "import torch  # a remark\n"),
    ("methods/registry.py", "GROUP = ", "MORE = 1\nGROUP = "),
    ("methods/cards/eviction.py", "CARDS = (", "MORE = 1\nCARDS = ("),
    ("methods/described.py", "return", "return 0 or"),
    ("methods/loading/quest.py", "return", "return 0 or"),
    ("report/scores.py", "return", "return 0 or"),
    ("stats/frame.py", "return", "return 0 or"),
]


@pytest.mark.parametrize(("file", "old", "new"), UNPLAYED, ids=[file for file, _, _ in UNPLAYED])
def test_what_an_answer_does_not_depend_on_costs_no_rerun(
    tmp_path: Path, house: Path, file: str, old: str, new: str
) -> None:
    play(tmp_path / "run")
    edit(house / file, old, new, house)
    assert play(tmp_path / "run").outcome.superseded == []  # type: ignore[union-attr]
    assert lines(tmp_path / "run") == TURNS


def test_only_the_methods_that_an_edited_method_is_part_of_are_played_again(
    tmp_path: Path, house: Path
) -> None:
    play(tmp_path / "run")
    edit(house / "methods/compression/streaming_llm.py", "return", "return 0 or", house)
    # The origin of a house method is found once a process; a new one would see the edit.
    from scbench.methods import origin

    origin._ORIGINS.clear()
    play(tmp_path / "run")
    assert lines(tmp_path / "run") == TURNS + TURNS // 2
    origin._ORIGINS.clear()


def test_changed_rules_score_kept_answers_again_and_play_nothing(
    tmp_path: Path, house: Path
) -> None:
    before = play(tmp_path / "run")
    edit(house / "scoring/strings.py", "return", "return 0 or", house)
    engine = Counting()
    again = play(tmp_path / "run", engine)
    assert (engine.calls, engine.reads) == (0, 0)
    assert again.outcome is not None
    assert again.outcome.rescored_turns == TURNS
    assert again.outcome.superseded == []
    answers = [[(r.method, r.turn, r.answer) for r in one.records()] for one in (before, again)]
    assert sorted(answers[0], key=str) == sorted(answers[1], key=str)
    assert len({record.scored for record in again.records()}) == 1
    play(tmp_path / "run", engine)
    assert lines(tmp_path / "run") == 2 * TURNS, "scored again once"


def test_records_of_older_code_can_be_kept_and_are_marked(tmp_path: Path, house: Path) -> None:
    play(tmp_path / "run")
    edit(house / "kv/tail.py", "return", "return 0 or", house)
    engine = Counting()
    kept = play(tmp_path / "run", engine, keep_old=True)
    assert engine.calls == 0
    assert lines(tmp_path / "run") == TURNS
    assert all(KEPT_OLD in record.notes for record in kept.records())
    assert all(KEPT_OLD in record.notes for record in open_run(tmp_path / "run").records())
    fresh = play(tmp_path / "run")
    assert not any(KEPT_OLD in record.notes for record in fresh.records())


def test_a_folder_from_before_there_were_facts_is_said_to_be_one(tmp_path: Path) -> None:
    play(tmp_path)
    path = tmp_path / "records.jsonl"
    old = []
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        for name in ("made", "scored", "crc"):
            row.pop(name)
        old.append(json.dumps({**row, "key": "0" * 64}))
    path.write_text("\n".join(old) + "\n")
    (tmp_path / "facts.jsonl").unlink()
    assert play(tmp_path).outcome.superseded  # type: ignore[union-attr]


FACTS: dict[str, dict[str, Any]] = {
    "weights": {"weights_digest": "other"},
    "dtype": {"dtype": "bfloat16"},
    "choices": {"choices": {"rope": "yarn x4"}},
    "window": {"window_tokens": 1 << 19},
}
TOKENIZER: dict[str, dict[str, Any]] = {
    "template": {"template_digest": "other"},
    "end ids": {"end_ids": frozenset({257, 3})},
}


@pytest.mark.parametrize("change", [*FACTS, *TOKENIZER])
def test_another_model_of_the_same_name_meets_no_old_answers(tmp_path: Path, change: str) -> None:
    play(tmp_path)
    engine = Counting()
    engine.facts = replace(engine.facts, **FACTS.get(change, {}))
    for name, value in TOKENIZER.get(change, {}).items():
        setattr(engine.tokenizer, name, value)
    again = play(tmp_path, engine)
    assert lines(tmp_path) == 2 * TURNS
    assert again.outcome is not None
    assert any("model changed" in line for line in again.outcome.superseded)


def test_a_changed_row_of_data_is_played_again(tmp_path: Path) -> None:
    from scbench.tasks import published, task
    from scbench.tasks.contract import Words

    kind = task("kv")
    made = [kind.make(seed="0:0", target=512, turns=2, count=Words())]
    file = published.write(kind, made, tmp_path / "data", form="jsonl")
    for beside in file.parent.rglob("*.evidence.jsonl"):
        beside.unlink()
    play(tmp_path / "run", data=str(tmp_path / "data"), length="1k", turns=None)
    row = json.loads(file.read_text())
    gold = row["multi_turns"][1]["answer"]
    turned = str(gold)[::-1]
    file.write_text(file.read_text().replace(str(gold), turned))
    again = play(tmp_path / "run", data=str(tmp_path / "data"), length="1k", turns=None)
    assert again.outcome is not None
    assert lines(tmp_path / "run") == 2 * len(again.records())
    assert any("session" in line for line in again.outcome.superseded)


def test_the_card_is_in_the_key_and_not_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity.torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert identity._card("cuda:0") == identity._card("cuda:1") == "cuda NVIDIA H200"
    assert identity._card("cpu") == "cpu"
