"""What a lab model can do with full attention, on sessions it was never trained on: the gate of every (task, length) cell.

Answers are judged under teacher forcing: all tokens of an answer and its end are the most likely ones. Greedy decoding gives exactly these
answers, so for tasks without partial credit this *is* the strict score, and for the others (MultiHop, summaries) a lower bound of it, at a tenth of
the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import pad_sequence

from scbench.errors import ScbenchError
from scbench.lab.corpus import EVALUATION_SEEDS, Row, row
from scbench.lab.tokens import Count
from scbench.tasks import task
from scbench.types import Form, Mode, Session

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GATE, BLIND_MARGIN, DECILE_FLOOR = 0.90, 0.05, 0.80
BATCH_TOKENS = 16_384
Z95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One answer. `depth` as in Turn."""

    turn: int
    depth: float | None
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One task at one length in one mode. Ratios from 0 to 1; the interval is Wilson's over answers, 95 %."""

    task: str
    length_tokens: int
    mode: str
    sessions: int
    answers: int
    exact: float
    low: float
    high: float
    by_turn: tuple[float, ...]
    by_depth: tuple[float, ...]  # deciles that hold an answer, from the start of the context to its end
    blind: float  # the same questions without any context
    chance: float

    @property
    def passes(self) -> bool:
        """Whether a drop in this cell under a method is the method's."""
        return self.exact >= GATE and self.blind <= self.chance + BLIND_MARGIN and min(self.by_depth, default=1.0) >= DECILE_FLOOR


def sessions(name: str, length_tokens: int, count: int, first_seed: int = EVALUATION_SEEDS) -> list[Session]:
    """Held-out sessions, of as many of the task's turns as the length holds."""
    kind = task(name, Form.TINY)
    return [kind.make(seed=str(first_seed + i), target=length_tokens, turns=kind.turns, count=Count()) for i in range(count)]


def cell(model: PreTrainedModel, name: str, length_tokens: int, mode: Mode, *, count: int = 200) -> Cell:
    """Measure one cell. Raises what the generator raises where the length cannot hold the turns (TooSmall)."""
    held_out = sessions(name, length_tokens, count)
    judged = list(_judge(model, held_out, mode))
    asked_alone = held_out[: max(count // 4, 1)]
    blind = list(_judge(model, [replace(one, context="") for one in asked_alone], Mode.MULTI_REQUEST))
    right = sum(one.right for one in judged)
    low, high = wilson(right, len(judged))
    return Cell(
        task=name,
        length_tokens=length_tokens,
        mode=str(mode),
        sessions=count,
        answers=len(judged),
        exact=right / len(judged),
        low=low,
        high=high,
        by_turn=_means([(one.turn, one.right) for one in judged]),
        by_depth=_means([(min(int(10 * one.depth), 9), one.right) for one in judged if one.depth is not None]),
        blind=sum(one.right for one in blind) / len(blind),
        chance=task(name, Form.TINY).chance,
    )


def cells(
    model: PreTrainedModel,
    names: Sequence[str],
    lengths_tokens: Sequence[int],
    modes: Sequence[Mode] = tuple(Mode),
    *,
    count: int = 200,
) -> Iterator[Cell]:
    """All cells; a length that cannot hold a task's turns is left out."""
    for length_tokens in lengths_tokens:
        for name in names:
            for mode in modes:
                try:
                    yield cell(model, name, length_tokens, mode, count=count)
                except ScbenchError:
                    break


def wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a ratio (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    ratio, z2 = right / of, Z95**2
    middle = (ratio + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 * math.sqrt(ratio * (1 - ratio) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _judge(model: PreTrainedModel, asked: Sequence[Session], mode: Mode) -> Iterator[Judged]:
    """Every answer of every session; in multi-request mode each turn is a stream of its own."""
    streams: list[tuple[Row, list[tuple[int, float | None]]]] = []
    for session in asked:
        whole = [(turn, one.depth) for turn, one in enumerate(session.turns)]
        if mode is Mode.MULTI_TURN:
            streams.append((row(session), whole))
        else:
            streams += [(row(replace(session, turns=(session.turns[turn],))), [(turn, depth)]) for turn, depth in whole]
    streams.sort(key=lambda stream: len(stream[0].ids))
    first = 0
    while first < len(streams):
        last = first + 1
        while last < len(streams) and (last + 1 - first) * len(streams[last][0].ids) <= BATCH_TOKENS:
            last += 1
        batch = streams[first:last]
        for (_, turns), rights in zip(batch, _rights(model, [found for found, _ in batch]), strict=True):
            for (turn, depth), right in zip(turns, rights, strict=True):
                yield Judged(turn=turn, depth=depth, right=right)
        first = last


@torch.inference_mode()
def _rights(model: PreTrainedModel, rows: Sequence[Row]) -> list[list[bool]]:
    """For every row, whether each of its answers is right, in order."""
    ids = pad_sequence([torch.tensor(one.ids) for one in rows], batch_first=True).to(model.device)
    flags = pad_sequence([torch.tensor(one.loss, dtype=torch.bool) for one in rows], batch_first=True).to(model.device)
    hidden = model.base_model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    wanted = flags[:, 1:]
    same = model.get_output_embeddings()(hidden[wanted]).argmax(-1) == ids[:, 1:][wanted]
    places = wanted.nonzero()
    found: list[list[bool]] = [[] for _ in rows]
    before: tuple[int, int] | None = None
    for (at, column), right in zip(places.tolist(), same.tolist(), strict=True):
        if before == (at, column - 1):
            found[at][-1] = found[at][-1] and right
        else:
            found[at].append(right)
        before = (at, column)
    return found


def _means(pairs: Sequence[tuple[int, bool]]) -> tuple[float, ...]:
    groups: dict[int, list[bool]] = {}
    for group, right in pairs:
        groups.setdefault(group, []).append(right)
    return tuple(round(sum(groups[group]) / len(groups[group]), 4) for group in sorted(groups))
