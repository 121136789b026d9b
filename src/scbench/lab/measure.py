"""What a lab model can do with full attention, on sessions it was never trained on: the gate of
every (task, length) cell.

Answers are judged under teacher forcing: all tokens of an answer and its end are the most likely
ones. Greedy decoding gives exactly these answers, so for tasks without partial credit this *is* the
strict score, and for the others (MultiHop, summaries) a lower bound of it, at a tenth of the time.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from scbench.errors import TooSmall
from scbench.lab.corpus import EVALUATION_SEEDS, CorpusRow, row
from scbench.lab.tokens import ASK, END, Count, tokenizer
from scbench.tasks import task
from scbench.types import PAPER_MODES, Form, Mode, Session

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
class MeasuredCell:
    """One task at one length in one mode. Ratios from 0 to 1; the interval is Wilson's over
    answers, 95 %.
    """

    task: str
    length_tokens: int
    mode: str
    sessions: int
    answers: int
    exact: float
    low: float
    high: float
    by_turn: tuple[float, ...]
    by_depth: tuple[
        float, ...
    ]  # deciles that hold an answer, from the start of the context to its end
    blind: float  # the same questions without any context
    chance: float

    @property
    def passes(self) -> bool:
        """Whether a drop in this cell under a method is the method's."""
        return (
            self.exact >= GATE
            and self.blind <= self.chance + BLIND_MARGIN
            and min(self.by_depth, default=1.0) >= DECILE_FLOOR
        )


def sessions(
    name: str, length_tokens: int, count: int, first_seed: int = EVALUATION_SEEDS
) -> list[Session]:
    """Held-out sessions, of as many of the task's turns as the length holds."""
    kind = task(name, Form.TINY)
    return [
        kind.make(seed=str(first_seed + i), target=length_tokens, turns=kind.turns, count=Count())
        for i in range(count)
    ]


def cell(
    model: PreTrainedModel, name: str, length_tokens: int, mode: Mode, *, count: int = 200
) -> MeasuredCell:
    """Measure one cell. Raises what the generator raises where the length cannot hold the turns
    (TooSmall).
    """
    return both(model, name, length_tokens, (mode,), count=count)[0]


def both(
    model: PreTrainedModel,
    name: str,
    length_tokens: int,
    modes: Sequence[Mode] = PAPER_MODES,
    *,
    count: int = 200,
) -> list[MeasuredCell]:
    """The cells of one task at one length; each context is read once for all modes."""
    held_out = sessions(name, length_tokens, count)
    judged = _judge(model, held_out, modes)
    alone = [replace(one, context="") for one in held_out[: max(count // 4, 1)]]
    blind = _judge(model, alone, (Mode.MULTI_REQUEST,))[Mode.MULTI_REQUEST]
    return [_cell(name, length_tokens, mode, judged[mode], blind, count) for mode in modes]


def _cell(
    name: str,
    length_tokens: int,
    mode: Mode,
    judged: Sequence[Judged],
    blind: Sequence[Judged],
    count: int,
) -> MeasuredCell:
    right = sum(one.right for one in judged)
    low, high = wilson(right, len(judged))
    return MeasuredCell(
        task=name,
        length_tokens=length_tokens,
        mode=str(mode),
        sessions=count,
        answers=len(judged),
        exact=right / len(judged),
        low=low,
        high=high,
        by_turn=_means([(one.turn, one.right) for one in judged]),
        by_depth=_means(
            [(min(int(10 * one.depth), 9), one.right) for one in judged if one.depth is not None]
        ),
        blind=sum(one.right for one in blind) / len(blind),
        chance=task(name, Form.TINY).chance,
    )


def cells(
    model: PreTrainedModel,
    names: Sequence[str],
    lengths_tokens: Sequence[int],
    modes: Sequence[Mode] = PAPER_MODES,
    *,
    count: int = 200,
) -> Iterator[MeasuredCell]:
    """All cells; a length that cannot hold a task's turns is left out."""
    for length_tokens in lengths_tokens:
        for name in names:
            try:
                found = both(model, name, length_tokens, modes, count=count)
            except TooSmall:
                continue
            yield from found


def wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a ratio (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    ratio, z2 = right / of, Z95**2
    middle = (ratio + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 * math.sqrt(ratio * (1 - ratio) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _judge(
    model: PreTrainedModel, asked: Sequence[Session], modes: Sequence[Mode]
) -> dict[Mode, list[Judged]]:
    """Every answer of every session. Contexts equally long are read together, and each is read
    once: its cache is forked for what follows.
    """
    found: dict[Mode, list[Judged]] = {mode: [] for mode in modes}
    by_size: dict[int, list[Session]] = {}
    for session in asked:
        by_size.setdefault(_shared(row(session)), []).append(session)
    for size, group in by_size.items():
        step = max(1, BATCH_TOKENS // size)
        for first in range(0, len(group), step):
            batch = group[first : first + step]
            cache = _read(model, [row(session).ids[:size] for session in batch])
            for mode in modes:
                for turns in _streams(batch, mode):
                    tails = [
                        _tail(session, own, size) for session, own in zip(batch, turns, strict=True)
                    ]
                    for session, own, rights in zip(
                        batch, turns, _rights(model, tails, deepcopy(cache), size), strict=True
                    ):
                        for turn, right in zip(own, rights, strict=True):
                            found[mode].append(
                                Judged(turn=turn, depth=session.turns[turn].depth, right=right)
                            )
    return found


def _shared(one: CorpusRow) -> int:
    """Tokens before the first question."""
    return one.ids.index(_token(ASK))


def _streams(batch: Sequence[Session], mode: Mode) -> Iterator[list[range]]:
    """Which turns of each session make one stream: all of them, or one at a time."""
    if mode is Mode.MULTI_TURN:
        yield [range(len(session.turns)) for session in batch]
        return
    for turn in range(max(len(session.turns) for session in batch)):
        yield [range(turn, min(turn + 1, len(session.turns))) for session in batch]


def _tail(session: Session, turns: range, size: int) -> CorpusRow:
    """What follows the shared part: these turns with their golds; a lone end where a session has no
    such turn.
    """
    if not turns:
        return CorpusRow((_token(END), _token(END)), (0, 0))
    whole = row(replace(session, turns=session.turns[turns.start : turns.stop]))
    return CorpusRow(whole.ids[size:], whole.loss[size:])


def _token(word: str) -> int:
    return int(tokenizer().raw.convert_tokens_to_ids(word))


@torch.inference_mode()
def _read(model: PreTrainedModel, contexts: Sequence[Sequence[int]]) -> Any:
    """The cache after the contexts [sessions, size]."""
    return _cache_of(
        model.base_model(input_ids=torch.tensor(contexts, device=model.device), use_cache=True)
    )


def _cache_of(out: Any) -> Any:
    cache = getattr(out, "past_key_values", None)
    return out.cache_params if cache is None else cache


def _hidden(model: PreTrainedModel, ids: Tensor, cache: Any, past_tokens: int) -> Tensor:
    """[rows, tokens, hidden] of what follows the `past_tokens` in `cache` (None and 0: of texts
    from their beginning).

    A model with Mamba-2 layers needs `scan.fast`. Positions are told, because Bamba counts them
    from 0 whatever its cache holds.
    """
    takes = inspect.signature(model.forward).parameters
    told: dict[str, Any] = {"cache_params" if "cache_params" in takes else "past_key_values": cache}
    if "position_ids" in takes:
        told["position_ids"] = torch.arange(
            past_tokens, past_tokens + ids.shape[1], device=ids.device
        )[None]
    hidden: Tensor = model.base_model(input_ids=ids, use_cache=True, **told).last_hidden_state
    return hidden


@torch.inference_mode()
def _rights(
    model: PreTrainedModel, rows: Sequence[CorpusRow], cache: Any, past_tokens: int
) -> list[list[bool]]:
    """For every row, whether each of its answers is right, in order. `cache` is what stands before
    the rows; it is written to.
    """
    ids = pad_sequence([torch.tensor(one.ids) for one in rows], batch_first=True).to(model.device)
    flags = pad_sequence(
        [torch.tensor(one.loss, dtype=torch.bool) for one in rows], batch_first=True
    ).to(model.device)
    hidden = _hidden(model, ids[:, :-1], cache, past_tokens)
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
