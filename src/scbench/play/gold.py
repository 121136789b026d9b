"""The gold answer of a turn fed through a method's stream, beside the answer that it gives itself.

Greedy answers part ways at the first different token; the gold answer is one path for all methods.
What each stream says next along it needs no format and has no floor
(docs/decisions/0086-agreement-beside-scores.md).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.errors import NotFinite
from scbench.kv import DenseTail, Onlooker, Stream
from scbench.play.contract import Step
from scbench.play.dense_tokens import DenseTokens
from scbench.types import Cell, GoldScore, Mode

GOLD_TOKENS = 24  # most of a gold answer that are fed; long ones tell no more than their beginning
DENSE = "dense"
NOT_PLAYED = "dense was not played"
NOT_KEPT = "what dense said was not kept; it is when dense is played anew"
OWN_HISTORY = "with the model's own answers as history every method has prompts of its own"


class DenseMemory(Protocol):
    """Where what dense said is kept, by cell and turn (`grid/agreement.py` has it on disk)."""

    def put(self, key: str, turn: int, said: DenseTokens) -> None: ...

    def get(self, key: str, turn: int) -> DenseTokens | None: ...


class InMemory:
    """A DenseMemory for as long as a session is played.

    >>> InMemory().get("a cell", 0) is None
    True
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], DenseTokens] = {}

    def put(self, key: str, turn: int, said: DenseTokens) -> None:
        self._said[key, turn] = said

    def get(self, key: str, turn: int) -> DenseTokens | None:
        return self._said.get((key, turn))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPass:
    """Scores gold answers of one session. `dense_keys` are the keys of dense's cells, by mode."""

    dense_keys: Mapping[Mode, str] = field(default_factory=dict)
    memory: DenseMemory = field(default_factory=InMemory)

    def score(
        self,
        stream: Stream,
        logits_V: Tensor,
        gold_ids: tuple[int, ...],
        *,
        cell: Cell,
        turn: int,
        onlooker: Onlooker | None = None,
    ) -> Generator[Feed, Tensor, GoldScore | None]:
        """Feed the gold's first tokens into a child of `stream`, whose last logits are `logits_V`.

        `onlooker` is told of the queries that predict the gold, that of the prompt's last token
        among them where `without_last` lets it be asked again. None where the gold is empty. Raises
        NotFinite where a likelihood is no number.
        """
        ids = gold_ids[:GOLD_TOKENS]
        if not ids:
            return None
        logits_TV = logits_V.unsqueeze(0)
        before = None if onlooker is None else without_last(stream)
        if before is not None:
            before.onlooker = onlooker
            again_TV = yield Feed(before, [stream.ids[-1], *ids[:-1]], every=True)
            logits_TV = torch.cat([logits_TV, again_TV[1:]])
        elif len(ids) > 1:
            child = stream.fork()
            child.onlooker = onlooker
            more_TV = yield Feed(child, ids[:-1], every=True)
            logits_TV = torch.cat([logits_TV, more_TV])
        logps_TV = logits_TV.float().log_softmax(dim=1)
        nll = -float(logps_TV[range(len(ids)), list(ids)].double().mean())
        if not torch.isfinite(torch.tensor(nll)):
            raise NotFinite(f"the gold answer's likelihood is {nll}; the logits are no numbers")
        if cell.method == DENSE:
            self.memory.put(cell.key, turn, DenseTokens.of(logps_TV))
            return GoldScore(tokens=len(ids), nll=nll, kl_to_dense=0.0, top1_agreement=1.0)
        said, why = self._dense(cell, turn)
        if said is None or said.ids_TK.shape[0] != len(ids):
            why = why or NOT_KEPT
            return GoldScore(
                tokens=len(ids), nll=nll, kl_to_dense=None, top1_agreement=None, why=why
            )
        return GoldScore(
            tokens=len(ids),
            nll=nll,
            kl_to_dense=said.divergence(logps_TV),
            top1_agreement=said.agreement(logps_TV),
        )

    def _dense(self, cell: Cell, turn: int) -> tuple[DenseTokens | None, str]:
        """What dense said at the same place, or why it is not known."""
        key, why = self.dense_key(cell)
        said = None if key is None else self.memory.get(key, turn)
        return said, why or ("" if said is not None else NOT_KEPT)

    def dense_key(self, cell: Cell) -> tuple[str | None, str]:
        """The key of the dense cell that a cell is compared with, or why there is none."""
        if cell.mode not in self.dense_keys:
            return None, NOT_PLAYED
        if cell.mode.has_history and cell.protocol.history.is_own:
            return None, OWN_HISTORY
        return self.dense_keys[cell.mode], ""


def scored(
    gold: GoldPass | None,
    cell: Cell,
    step: Step,
    stream: Stream,
    logits_V: Tensor,
    pay: Callable[[Sequence[int]], Onlooker | None],
) -> Generator[Feed, Tensor, GoldScore | None]:
    """The gold answer of a step, fed and scored where somebody keeps score; `pay` gives who is told
    of its queries. What a stream makes of the gold is drawn by nobody: None for a sample."""
    if gold is None or step.turn is None or cell.sample:
        return None
    ids = step.gold_ids
    score = yield from gold.score(
        stream, logits_V, ids, cell=cell, turn=step.turn, onlooker=pay(ids)
    )
    return score


def without_last(stream: Stream) -> Stream | None:
    """A child of a dense stream without its last token. None where that was read with the context,
    before any compression acts, and where a recurrent state has seen it.

    >>> from scbench.engines.tiny import tiny
    >>> engine = tiny("gqa")
    >>> stream = engine.read(range(30, 40)).fork()
    >>> without_last(stream) is None
    True
    >>> logits = engine.advance([Feed(stream, [40, 41])])
    >>> child = without_last(stream)
    >>> child.logical_tokens, child.positions(0, 0).tolist() == list(range(11))
    (11, True)
    """
    if stream.recurrent is not None or is_read_ahead(stream):
        return None
    child = stream.fork()
    child.ids.pop()
    for layer, cache in child.layers.items():
        tail = stream.layers[layer].tail
        assert isinstance(tail, DenseTail), "dense appends to a plain tail"
        cache.tail = DenseTail()
        if tail.slots > 1:
            cache.tail.append(tail.k_HSD[:, :-1], tail.v_HSD[:, :-1])
    return child


def is_read_ahead(stream: Stream) -> bool:
    """Whether nothing was appended yet: the next token is chosen by a query that saw all of the
    context, whatever a compression has dropped since."""
    return not any(cache.tail.slots for cache in stream.layers.values())
