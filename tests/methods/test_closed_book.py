"""Closed book: what a model says without the context."""

from __future__ import annotations

from pathlib import Path

import pytest

import scbench
from scbench.errors import Mismatch
from scbench.methods import parse


def test_nothing_of_the_context_is_shown_or_answered_from(tmp_path: Path) -> None:
    result = scbench.run(
        model="toy",
        tasks="kv",
        methods="dense,closed-book",
        length="512",
        sessions=2,
        turns=2,
        out=tmp_path,
        quiet=True,
    )
    scores = {"dense": set[float | None](), "closed-book": set[float | None]()}
    for record in result.records():
        scores[record.method].add(record.strict.value)
        assert record.failure is None
        if record.method == "closed-book":
            assert record.evidence_kept == 0.0
            assert record.prompt_tokens < 200
        else:
            assert record.prompt_tokens > 450
    assert scores == {"dense": {1.0}, "closed-book": {0.0}}
    assert result.cost_gaps() == []


@pytest.mark.parametrize("other", ["snapkv", "kivi", "prefix", "cacheblend", "quest", "tier"])
def test_it_is_joined_with_nothing(other: str) -> None:
    with pytest.raises(Mismatch, match="closed-book shows nothing of the context"):
        parse(f"closed-book+{other}")


def test_it_stands_with_the_references_and_in_every_grid_of_all() -> None:
    from scbench.defaults import EVERY_METHOD
    from scbench.methods.cards import CARDS

    assert CARDS["closed-book"].category == "reference"
    assert "closed-book" in EVERY_METHOD
