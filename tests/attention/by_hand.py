"""Attention worked out by hand: the model library's own matrices of all queries and keys, and plain
loops over them. Nothing of `scbench.attention` is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from scbench.engines.local import LocalEngine
from scbench.grid.suite import TokenCount
from scbench.prompts import Conversation
from scbench.tasks import task
from scbench.types import Mode, Protocol, Session

Matrix = NDArray[np.float64]
SINKS = 4


def session_of(engine: LocalEngine, *, turns: int = 3, seed: str = "0:0") -> Session:
    kind = task("kv")
    return kind.make(seed=seed, target=300, turns=turns, count=TokenCount(engine.tokenizer))


@contextmanager
def own_attention(engine: LocalEngine) -> Iterator[None]:
    """The model computes attention as its library does, and shows it."""
    before = engine.model.config._attn_implementation
    engine.model.set_attn_implementation("eager")
    try:
        yield
    finally:
        engine.model.set_attn_implementation(before)


def matrices(engine: LocalEngine, ids: Sequence[int]) -> tuple[list[Matrix], torch.Tensor]:
    """Of each layer, what every query pays to every key, (heads, T, T); and the last logits."""
    with own_attention(engine), torch.no_grad():
        out = engine.model(
            input_ids=torch.tensor([list(ids)]), output_attentions=True, use_cache=False
        )
    return [layer[0].double().numpy() for layer in out.attentions], out.logits[0, -1]


@dataclass
class ByHand:
    """One session, turn by turn: masses (heads, rows, context keys) of each layer."""

    engine: LocalEngine
    talk: Conversation

    @classmethod
    def of(cls, engine: LocalEngine, session: Session) -> ByHand:
        return cls(engine, Conversation(session, engine.tokenizer, Protocol(), Mode.MULTI_TURN))

    @property
    def keys(self) -> int:
        return len(self.talk.context.ids)

    @property
    def inner(self) -> slice:
        document = self.talk.prompt(0).spans["context"][0]
        return slice(max(SINKS, document), self.keys - self.keys // 32)

    def rows(self, turn: int) -> tuple[list[Matrix], list[Matrix]]:
        """Of each layer: the question's rows, and those that write the answer."""
        prompt, gold = self.talk.prompt(turn), self.talk.gold_ids(turn)
        layers, _ = matrices(self.engine, (*prompt.ids, *gold[:-1]))
        last = len(prompt.ids) - 1
        first = max(prompt.spans["ask"][0], last - 64)
        asked = [layer[:, first:last, : self.keys] for layer in layers]
        answer = [layer[:, last:, : self.keys] for layer in layers]
        return asked, answer

    def evidence(self, turn: int) -> list[int]:
        return list(self.talk.context.rests_on(turn))


def best(masses: Matrix, count: int) -> set[int]:
    """The keys with the largest masses, by sorting one head's row."""
    return {int(at) for at in np.argsort(-masses, kind="stable")[:count]}


def in_common(one: Sequence[set[int]], other: Sequence[set[int]]) -> float:
    """Mean over heads of the share of keys that two lists of sets have in common."""
    return float(np.mean([len(a & b) / len(a) for a, b in zip(one, other, strict=True)]))


def holding(masses: Matrix, part: float) -> int:
    """The fewest keys of one row that hold a part of its mass, counted one by one."""
    left, count = part * masses.sum(), 0
    for mass in sorted(masses, reverse=True):
        count += 1
        left -= mass
        if left <= 0:
            break
    return count
