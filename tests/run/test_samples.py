"""Answers that are drawn, several to each turn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import scbench
from scbench.api import Result, plan
from scbench.errors import BadConfig

GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,streaming-llm[tau=1/4]",
    "length": "512",
    "sessions": 1,
    "turns": 2,
    "temperature": 6.0,
    "max_new_tokens": 12,
    "cost_sessions": 0,
    "quiet": True,
}


def play(folder: Path, **more: Any) -> Result:
    return scbench.run(**{**GRID, **more, "out": folder})


def answers(result: Result) -> dict[tuple[object, ...], tuple[int, ...]]:
    return {
        (one.mode, one.method, one.turn, one.sample): one.answer.ids
        for one in result.records()
        if one.answer is not None
    }


def test_every_sample_is_drawn_by_itself_whatever_it_is_packed_with(tmp_path: Path) -> None:
    together = answers(play(tmp_path / "a", samples=3))
    alone = answers(play(tmp_path / "b", samples=3, lanes=1))
    assert together == alone
    assert len(together) == 2 * 2 * 2 * 3
    by_turn = Counter((mode, method, turn) for mode, method, turn, _ in together)
    assert set(by_turn.values()) == {3}
    assert len(set(together.values())) > len(by_turn)  # not three times the same


def test_more_samples_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    first = answers(play(tmp_path, samples=1))
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    both = answers(scbench.run(extend=tmp_path, samples=2, quiet=True))
    assert first.items() < both.items()
    assert {sample for *_, sample in both} == {0, 1}
    assert (tmp_path / "records.jsonl").read_text().splitlines()[: len(lines)] == lines
    with pytest.raises(BadConfig, match="samples=1, and the run has 2"):
        scbench.run(extend=tmp_path, samples=1, quiet=True)


def test_a_turn_is_counted_once_and_read_sample_by_sample(tmp_path: Path) -> None:
    result = play(tmp_path, samples=3)
    assert result.frame().height == 8
    assert result.frame()["samples"].to_list() == [3] * 8
    assert result.samples().height == 24
    outcome = result.outcome
    assert outcome is not None
    assert (outcome.turns_planned, outcome.turns_answered) == (24, 24)
    golds = {one.sample: one.gold is None for one in result.records()}
    assert golds == {0: False, 1: True, 2: True}
    assert "3 samples" in (tmp_path / "report.md").read_text()


def test_a_compression_is_made_once_for_all_samples_of_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scbench.play import sources

    made: list[str] = []
    fork = sources.fork

    def counted(snapshot: Any, method: Any) -> Any:
        made.append(str(method))
        return fork(snapshot, method)

    monkeypatch.setattr(sources, "fork", counted)
    play(tmp_path, samples=4, modes="multi-request", methods="streaming-llm[tau=1/4]")
    assert made == ["streaming-llm[tau=1/4]"]


def test_the_best_token_is_asked_for_once(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"samples=2.*temperature"):
        play(tmp_path, samples=2, temperature=0.0)
    with pytest.raises(BadConfig, match="samples=0"):
        play(tmp_path, samples=0)


def test_a_plan_counts_every_sample() -> None:
    words = {name: GRID[name] for name in ("model", "tasks", "methods", "length", "sessions")}
    (one,), (three,) = (plan(**words, temperature=0.7, samples=samples).rows for samples in (1, 3))
    assert (three.cells, three.turns) == (3 * one.cells, 3 * one.turns)
    assert three.read_tokens == one.read_tokens  # read once
    assert three.gold_tokens == one.gold_tokens


def test_own_answers_as_history_belong_to_their_sample(tmp_path: Path) -> None:
    result = play(
        tmp_path, samples=2, history="model", modes="multi-turn", methods="dense", max_new_tokens=80
    )
    first, second = (
        {one.turn: one for one in result.records() if one.sample == sample} for sample in (0, 1)
    )
    told = [len(turns[0].answer.text.strip().encode()) for turns in (first, second)]
    assert told[0] != told[1]  # a byte is a token of this model
    assert first[1].prompt_tokens - second[1].prompt_tokens == told[0] - told[1]
