"""How closely a method follows dense, token by token, where the gold answer is fed to both.

A measure of its own, never mixed into scores: it needs no format, has no floor, and few sessions
decide it. KL and the difference in log-likelihood have no ceiling and lean to one side, so their
intervals are Student's t on the logarithms of the sessions' means (docs/statistics.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np
import polars as pl

from scbench.stats.cells import Setting, session_index
from scbench.stats.clusters import SessionClusters
from scbench.stats.frame import SETTING
from scbench.stats.intervals import ALPHA, GAP, Estimate, mean_of
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.stats.power import MOST_SESSIONS, reach
from scbench.stats.quantiles import t_quantile
from scbench.stats.rates import Floats
from scbench.stats.standing import FEW_SESSIONS, Ruling, Standing

KL_MARGIN = 0.05  # nats a token: what 4 bits or three quarters of a cache cost at most, roughly
TOP1_MARGIN = 0.95  # of the gold's tokens
SHIFT = 0.05  # of the mean, added before a logarithm: a session without any KL has one too
UNMEASURED = "these records hold no gold answers that were fed"
EVERY_TASK = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A method against dense over the turns whose gold answer both were fed.

    `task` is empty for all tasks together. Where nothing was measured the three are gaps and `why`
    says so. Verdicts hold for all methods, modes and (for single tasks) tasks of a setting at once.
    """

    setting: Setting
    mode: str
    method: str
    task: str
    nll_difference: Estimate = GAP  # method minus dense, nats a token
    kl: Estimate = GAP  # KL(dense || method), nats a token
    top1: Estimate = GAP  # share of tokens whose likeliest next one is dense's
    kl_judged: Ruling | None = None
    top1_judged: Ruling | None = None
    family: int = 1
    why: str = ""

    @property
    def is_gap(self) -> bool:
        return self.kl.is_gap


def agreements(
    table: pl.DataFrame, *, baseline: str, book: TaskBook = PAPER_BOOK
) -> list[Agreement]:
    """Of every method and mode: over all tasks, then task by task."""
    if table["gold_tokens"].count() == 0 and not table["gold_why"].count():
        return []
    found: list[Agreement] = []
    for key, rows in table.partition_by([*SETTING, "mode"], as_dict=True).items():
        found += _of_mode(Setting(*key[:-1]), str(key[-1]), rows, baseline, book)
    whole = [one for one in found if one.task == EVERY_TASK]
    single = [one for one in found if one.task != EVERY_TASK]
    return [*_judged(whole, baseline), *_judged(single, baseline)]


def _of_mode(
    setting: Setting, mode: str, rows: pl.DataFrame, baseline: str, book: TaskBook
) -> list[Agreement]:
    dense = rows.filter(pl.col("method") == baseline).select(
        "task", "session", "turn", pl.col("gold_nll").alias("gold_nll_base")
    )
    source = pl.struct("task", "seed").map_elements(
        lambda one: f"{book.source_of(one['task'])} {one['seed']}", return_dtype=pl.String
    )
    joined = rows.join(dense, on=["task", "session", "turn"], how="left")
    found = []
    for key, mine in joined.partition_by(["method"], as_dict=True, maintain_order=True).items():
        pooled = mine.with_columns(source.alias("session"))
        found.append(_agreement(setting, mode, str(key[0]), EVERY_TASK, pooled))
        for task, turns in mine.partition_by(["task"], as_dict=True, maintain_order=True).items():
            found.append(_agreement(setting, mode, str(key[0]), str(task[0]), turns))
    return found


def _agreement(
    setting: Setting, mode: str, method: str, task: str, rows: pl.DataFrame
) -> Agreement:
    one = Agreement(setting=setting, mode=mode, method=method, task=task)
    measured = rows.filter(pl.col("gold_kl").is_not_null())
    difference = (pl.col("gold_nll") - pl.col("gold_nll_base")).alias("difference")
    compared = rows.with_columns(difference).filter(pl.col("difference").is_not_null())
    if measured.height == 0:
        reasons = sorted({why for why in rows["gold_why"].drop_nulls().to_list() if why})
        return replace(
            one,
            nll_difference=_by_session(compared, "difference"),
            why="; ".join(reasons) or UNMEASURED,
        )
    shares = measured.filter(pl.col("gold_top1").is_not_null())
    return replace(
        one,
        nll_difference=_by_session(compared, "difference"),
        kl=_by_session(measured, "gold_kl"),
        top1=mean_of(
            SessionClusters.of(
                shares["gold_top1"].to_numpy(),
                session_index(shares),
                np.zeros(shares.height, dtype=np.int64),
            )
        ),
    )


def _by_session(rows: pl.DataFrame, column: str) -> Estimate:
    """The mean of the sessions' means, with the interval of `unbounded`."""
    if rows.height == 0:
        return GAP
    means = rows.group_by("session").agg(pl.col(column).mean()).sort("session")
    return unbounded(means[column].to_numpy(), n=rows.height)


def unbounded(means_S: Floats, *, n: int = 0, alpha: float = ALPHA) -> Estimate:
    """The mean of values without a ceiling, one a session.

    Where all lie on one side of zero: Cox's interval for a lognormal mean, t on the logarithms.
    Else Student's t on the values. All equal: no spread, so the limits are the value.
    """
    value, sessions = float(means_S.mean()), int(means_S.size)
    plain = Estimate(value=value, n=n or sessions, sessions=sessions, how="one-session")
    if sessions < 2:
        return plain
    if np.ptp(means_S) == 0.0:
        return replace(plain, low=value, high=value, how="no-spread")
    if means_S.min() >= 0.0 or means_S.max() <= 0.0:
        low, high = _log_limits(np.abs(means_S), alpha)
        low, high = (low, high) if value >= 0.0 else (-high, -low)
        return replace(plain, low=low, high=high, how="log-t")
    error = float(means_S.std(ddof=1)) / sqrt(sessions)
    extent = t_quantile(1.0 - alpha / 2.0, float(sessions - 1)) * error
    return replace(plain, low=value - extent, high=value + extent, how="t")


def _log_limits(means_S: Floats, alpha: float) -> tuple[float, float]:
    """exp(mean + variance / 2 of the logarithms), with t on its standard error (Olsson 2005)."""
    value, sessions = float(means_S.mean()), means_S.size
    shift = SHIFT * value
    logs = np.log(means_S + shift)
    variance = float(logs.var(ddof=1))
    centre = float(logs.mean()) + variance / 2.0
    error = sqrt(variance / sessions + variance**2 / (2.0 * (sessions + 1)))
    extent = t_quantile(1.0 - alpha / 2.0, float(sessions - 1)) * error
    low = exp(centre - extent) - shift
    high = exp(min(centre + extent, 700.0)) - shift
    return min(value, max(0.0, low)), max(value, high)


def _judged(found: Sequence[Agreement], baseline: str) -> list[Agreement]:
    """With verdicts at a level that holds for all comparisons of a setting at once.

    The baseline agrees with itself by definition: that is no verdict, and no comparison.
    """
    compared = [not one.is_gap and one.method != baseline for one in found]
    sizes = Counter(one.setting for one, is_one in zip(found, compared, strict=True) if is_one)
    return [
        replace(
            one,
            family=sizes[one.setting],
            kl_judged=judge_kl(one.kl, family=sizes[one.setting]),
            top1_judged=judge_top1(one.top1, family=sizes[one.setting]),
        )
        if is_one
        else one
        for one, is_one in zip(found, compared, strict=True)
    ]


def judge_kl(kl: Estimate, *, family: int = 1, margin: float = KL_MARGIN) -> Ruling:
    """Agrees if surely below the margin, departs if surely above."""
    if kl.value is None or kl.low is None or kl.high is None:
        return _too_few(kl, None)
    if kl.low == kl.high:
        return _on(kl.value < margin)
    widening = _widening(kl.sessions, family)
    if kl.how == "log-t":
        # Limits are even about the middle on the logarithmic scale, not about the mean.
        low, high = (max(limit, 1e-12) for limit in (kl.low, kl.high))
        middle, half = sqrt(low * high), log(high / low) / 2.0
        distance = abs(log(margin / middle))
        low, high = middle * exp(-half * widening), middle * exp(min(half * widening, 700.0))
    else:
        middle, half = kl.value, (kl.high - kl.low) / 2.0
        distance = abs(margin - middle)
        low, high = middle - half * widening, middle + half * widening
    if high < margin or low > margin:
        return _on(high < margin)
    return _too_few(kl, _needed(half / _quantile(kl.sessions), distance, kl.sessions, family))


def judge_top1(top1: Estimate, *, family: int = 1, margin: float = TOP1_MARGIN) -> Ruling:
    if top1.value is None or top1.low is None or top1.high is None:
        return _too_few(top1, None)
    widening = _widening(top1.sessions, family)
    low = top1.value - (top1.value - top1.low) * widening
    high = top1.value + (top1.high - top1.value) * widening
    if low > margin or high < margin:
        return _on(low > margin)
    error = (top1.high - top1.low) / 2.0 / 1.96
    return _too_few(top1, _needed(error, abs(top1.value - margin), top1.sessions, family))


def _on(agrees: bool) -> Ruling:
    return Ruling(standing=Standing.AGREES if agrees else Standing.DEPARTS)


def _quantile(sessions: int, family: int = 1) -> float:
    return t_quantile(1.0 - ALPHA / family / 2.0, float(max(1, sessions - 1)))


def _widening(sessions: int, family: int) -> float:
    """How much wider a limit is that holds for the whole family."""
    return _quantile(sessions, family) / _quantile(sessions)


def _needed(error: float, distance: float, sessions: int, family: int) -> int:
    if distance <= 0.0:
        return MOST_SESSIONS
    wanted = sessions * (reach(alpha=ALPHA / family) * error / distance) ** 2
    return int(min(MOST_SESSIONS, np.ceil(wanted)))


def _too_few(one: Estimate, needed: int | None) -> Ruling:
    more = FEW_SESSIONS - one.sessions if needed is None else needed - one.sessions
    return Ruling(standing=Standing.TOO_FEW, more_sessions=max(1, more))
