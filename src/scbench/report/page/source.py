"""What a page shows of single answers, beside the summary: plain values, handed over by who reads
the run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scbench.types import Record, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsHeld:
    """Of a turn's evidence tokens, how many each KV head holds, one layer after the other, and
    how many the answer loaded; `tokens_held` is the share of heads that hold each token."""

    heads: tuple[int, ...]  # KV heads of each layer
    tokens: int
    held: Sequence[int]
    loaded: Sequence[int] | None = None
    tokens_held: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """An analysis of attention of this run: its folder, facts, means and pictures by title."""

    folder: str
    facts: Mapping[str, Any]
    means: Sequence[Mapping[str, Any]]
    pictures: Sequence[tuple[str, str, str]] = ()  # title, SVG, caption


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSource:
    """The answers of a run, and what stands behind them. A session that is not here is gone."""

    records: Sequence[Record] = ()
    sessions: Mapping[str, Session] = field(default_factory=dict)  # by digest
    evidence: Mapping[tuple[str, int], HeadsHeld] = field(default_factory=dict)  # key, turn
    analyses: Sequence[Analysed] = ()
