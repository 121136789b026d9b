"""What a law is, and what every law is told by: a context, streams over it, and their logits.

A law is a function of an engine and a method. It raises `Broken` with the numbers that show it; a
law that does not apply to a method says why by `Idle`. Laws stand in `laws_*.py` by what they look
at, and are kept in `LAWS` by their statement.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.errors import ScbenchError
from scbench.kv import Snapshot, Stream
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.blending import read_context

CONTEXT_TOKENS = 230
QUERY = tuple(range(40, 57))
OTHER = tuple(range(90, 101))
EVIDENCE = (*range(20, 26), *range(110, 119))  # what a ceiling is told that gold rests on


class Broken(ScbenchError):
    """A law does not hold for a method; the text has the numbers."""


class Idle(Exception):
    """The law says nothing about this method; the text says why."""


Law = Callable[[LocalEngine, Method], None]
LAWS: dict[str, Law] = {}


def law(statement: str) -> Callable[[Law], Law]:
    def keep(check: Law) -> Law:
        LAWS[statement] = check
        return check

    return keep


def context(tokens: int = CONTEXT_TOKENS) -> list[int]:
    """A fixed pseudo-random context of byte tokens with some structure (repeats), so that attention
    has something to find.
    """
    return [(at * at * 31 + at * 7) % 96 + 32 if at % 5 else 65 + at % 7 for at in range(tokens)]


def read(engine: LocalEngine, method: Method, ids: list[int]) -> Snapshot:
    """The snapshot the method forks from."""
    method.check(shape=engine.facts.shape, tokens=len(ids))
    snapshot = read_context(engine, method, ids)
    snapshot.evidence = EVIDENCE
    return snapshot


def opened(engine: LocalEngine, method: Method, ids: list[int] | None = None) -> Stream:
    return fork(read(engine, method, ids or context()), method)


def logits(engine: LocalEngine, stream: Stream, *pieces: tuple[int, ...]) -> Tensor:
    """Logits after each piece was appended in turn, (pieces, V)."""
    return torch.stack([engine.advance([Feed(stream, piece)])[0] for piece in pieces])


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def need(holds: bool, text: str) -> None:
    if not holds:
        raise Broken(text)
