"""Two runs, item by item: the same questions to the same methods, before and after a change.

An item is a turn of a session, by the session's digest: what was asked is the same to the last
character. Differences are those of any report (`averages.between`, `difference.corrected`), with
the earlier run in the place of the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from scbench.stats import pool
from scbench.stats.averages import Sheet, between
from scbench.stats.cells import Setting, pairs, part_names
from scbench.stats.difference import Case, Difference, corrected, families
from scbench.stats.frame import SETTING
from scbench.stats.intervals import Estimate
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.stats.standing import MARGIN

BEFORE, AFTER = "before", "after"
FLOOR = "side_floor"
ITEM: dict[str, type[pl.DataType]] = {  # what a comparison needs of a turn
    "model": pl.String,
    "length_tokens": pl.Int64,
    "protocol": pl.String,
    "form": pl.String,
    "task": pl.String,
    "subtask": pl.String,
    "mode": pl.String,
    "method": pl.String,
    "session": pl.String,
    "seed": pl.String,
    "turn": pl.Int64,
    "strict": pl.Float64,
    "gap": pl.String,
    "answer": pl.String,  # a digest of the answer's tokens
    FLOOR: pl.Float64,
}
PLACE = ("mode", "task", "method", "session", "turn")
EVERY = "all tasks"
Solves = Callable[[str, str, int, str], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRow:
    """A method in one mode of a setting, on one task or on all of them, in both runs.

    `lost` are turns that had a score before and have none after, by reason. `flips` are turns that
    score lower and higher than before.
    """

    setting: Setting
    mode: str
    method: str
    name: str  # a task, or EVERY
    before: Estimate
    after: Estimate
    difference: Difference
    sessions: int  # a task, in the task with fewest
    tasks: tuple[str, ...]
    lost: Mapping[str, int] = field(default_factory=dict)
    flips: tuple[int, int] = (0, 0)

    @property
    def place(self) -> str:
        """`snapkv[tau=1/4], multi-turn`."""
        return f"{self.method}, {self.mode}"


@dataclass(frozen=True, kw_only=True)
class TwoRuns:
    """What two runs have in common, compared; `items` has a row for each turn that both have."""

    rows: tuple[PairedRow, ...]
    items: pl.DataFrame
    only_before: tuple[str, ...]  # methods
    only_after: tuple[str, ...]

    def overall(self) -> tuple[PairedRow, ...]:
        return tuple(row for row in self.rows if row.name == EVERY)

    def table(self) -> pl.DataFrame:
        """A row a method, mode and task (or all), scores in 0..1; a notebook shows it."""
        return pl.DataFrame(
            [
                {
                    "setting": row.setting.label,
                    "mode": row.mode,
                    "method": row.method,
                    "tasks": row.name,
                    "before": row.before.value,
                    "after": row.after.value,
                    "difference": row.difference.value,
                    "low": row.difference.estimate.low,
                    "high": row.difference.estimate.high,
                    "p": row.difference.p_holm,
                    "verdict": row.difference.judged.text if row.difference.judged else "",
                    "n": row.difference.estimate.n,
                    "lower": row.flips[0],
                    "higher": row.flips[1],
                    "lost": sum(row.lost.values()),
                }
                for row in self.rows
            ],
            infer_schema_length=None,
        )

    def flipped(self) -> pl.DataFrame:
        """The items whose score changed, the largest losses first."""
        changed = self.items.filter(pl.col("after") != pl.col("before"))
        order = [*SETTING, "method", "mode", "task", "seed", "turn"]
        return changed.sort("change", *order)


def items_of(table: pl.DataFrame) -> pl.DataFrame:
    """The columns of `frame` that a comparison needs."""
    known = [
        pl.col(name).cast(kind) if name in table.columns else pl.lit(None, kind).alias(name)
        for name, kind in ITEM.items()
    ]
    return table.select(known)


def compare_runs(
    before: pl.DataFrame,
    after: pl.DataFrame,
    *,
    book: TaskBook = PAPER_BOOK,
    solves: Solves | None = None,
    methods: Sequence[str] | None = None,
    margin: float = MARGIN,
) -> TwoRuns:
    """Two tables of items (`items_of`), as far as they have items in common; `methods` chooses.

    Where each run has one model, or one protocol, and the two differ, the items are those of the
    later one's setting: whether such runs may be compared at all is for the caller to say.
    """
    before, after = _in_one_setting(before, after), after
    shared = [name for name in _names(after) if name in _names(before)]
    chosen = [name for name in shared if methods is None or name in methods]
    left = before.filter(pl.col("method").is_in(chosen))
    right = after.filter(pl.col("method").is_in(chosen))
    rows: list[PairedRow] = []
    for setting in _settings(right):
        for mode in sorted(set(_of(right, setting)["mode"]), reverse=True):
            for method in chosen:
                mine = _of(left, setting, mode, method)
                theirs = _of(right, setting, mode, method)
                rows += _rows(setting, mode, method, mine, theirs, book, solves)
    return TwoRuns(
        rows=tuple(_judged(rows, margin)),
        items=_items(left, right),
        only_before=tuple(name for name in _names(before) if name not in shared),
        only_after=tuple(name for name in _names(after) if name not in shared),
    )


def _names(table: pl.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["method"].to_list()))


def _settings(table: pl.DataFrame) -> list[Setting]:
    return sorted({Setting(*key) for key in table.select(SETTING).unique().iter_rows()})


def _of(
    table: pl.DataFrame, setting: Setting, mode: str | None = None, method: str | None = None
) -> pl.DataFrame:
    is_there = pl.all_horizontal(*(pl.col(name) == getattr(setting, name) for name in SETTING))
    for name, value in (("mode", mode), ("method", method)):
        is_there &= pl.lit(True) if value is None else pl.col(name) == value
    return table.filter(is_there)


def _in_one_setting(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The earlier items under the later model and protocol, where each run has but one."""
    for name in ("model", "protocol"):
        mine, theirs = set(before[name]), set(after[name])
        if len(mine) == len(theirs) == 1 and mine != theirs:
            before = before.with_columns(pl.lit(theirs.pop()).alias(name))
    return before


def _items(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Every turn that has a score in both, side by side."""
    scored = pl.col("strict").is_not_null()
    keys = [*SETTING, *PLACE]
    left = before.filter(scored).select(
        *keys, pl.col("strict").alias("before"), pl.col("answer").alias("answer_before")
    )
    right = after.filter(scored).select(
        *keys, "subtask", "seed", pl.col("strict").alias("after"), pl.col("answer")
    )
    both = left.join(right, on=keys, how="inner")
    return both.select(
        *SETTING,
        *(name for name in PLACE if name not in ("session", "turn")),
        "subtask",
        "seed",
        "session",
        "turn",
        "before",
        "after",
        (pl.col("after") - pl.col("before")).alias("change"),
        (pl.col("answer") == pl.col("answer_before")).alias("same_answer"),
    ).sort(*SETTING, "method", "mode", "task", "seed", "turn")


def _rows(
    setting: Setting,
    mode: str,
    method: str,
    before: pl.DataFrame,
    after: pl.DataFrame,
    book: TaskBook,
    solves: Solves | None,
) -> list[PairedRow]:
    """Of all tasks, then of each, as far as they can be measured and were asked in both."""
    tasks = book.in_order(set(before["task"]) & set(after["task"]))
    open_tasks = [
        task
        for task in tasks
        if solves is None or solves(setting.model, task, setting.length_tokens, mode) is not False
    ]
    names = {EVERY: open_tasks, **{task: [task] for task in tasks}} if tasks else {}
    sheet = _sheet(setting, mode, pool.with_parts(before, book), pool.with_parts(after, book), book)
    return [_row(sheet, method, name, some) for name, some in names.items()]


def _sheet(
    setting: Setting, mode: str, before: pl.DataFrame, after: pl.DataFrame, book: TaskBook
) -> Sheet:
    every = pl.concat([before, after])
    by_task = every.partition_by(["task"], as_dict=True)
    return Sheet(
        setting,
        mode,
        turns={BEFORE: before, AFTER: after},
        cells={},
        floors=pool.floors_of(every, setting.form, book),
        parts={str(key[0]): part_names(str(key[0]), turns, book) for key, turns in by_task.items()},
        baseline=BEFORE,
        book=book,
    )


def _row(sheet: Sheet, method: str, name: str, tasks: Sequence[str]) -> PairedRow:
    is_of_tasks = pl.col("task").is_in(tasks)
    before, after = (sheet.turns[one].filter(is_of_tasks) for one in (BEFORE, AFTER))
    found = between(sheet, AFTER, BEFORE, tasks)
    both = pairs(after, before)
    counts = both.group_by("task").agg(pl.col("session").n_unique())["session"].to_list()
    change = both["strict"] - both["strict_base"]
    return PairedRow(
        setting=sheet.setting,
        mode=sheet.mode,
        method=method,
        name=name,
        before=found.other,
        after=found.one,
        difference=found.difference,
        sessions=min(counts, default=0),
        tasks=found.tasks,
        lost=_lost(before, after),
        flips=(int((change < 0.0).sum()), int((change > 0.0).sum())),
    )


def _lost(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, int]:
    """Turns with a score before and none after, by why; `not run` where there is no record."""
    keys = ["task", "session", "turn"]
    had = before.filter(pl.col("strict").is_not_null()).select(keys)
    missing = had.join(after.filter(pl.col("strict").is_not_null()), on=keys, how="anti")
    reasons = missing.join(after.select(*keys, "gap"), on=keys, how="left")["gap"]
    counts = reasons.fill_null("not run").value_counts(sort=True)
    return {str(why): int(count) for why, count in counts.iter_rows()}


def _judged(rows: Sequence[PairedRow], margin: float) -> list[PairedRow]:
    """With verdicts, corrected over all methods and modes of a setting: all tasks are one family,
    the single tasks another."""
    found = list(rows)
    for places in families([(row.setting, row.name == EVERY) for row in rows]):
        cases = [
            Case(
                difference=rows[place].difference,
                sessions=rows[place].sessions,
                headroom=rows[place].before.value,
            )
            for place in places
        ]
        for place, difference in zip(places, corrected(cases, margin=margin), strict=True):
            found[place] = replace(found[place], difference=difference)
    return found
