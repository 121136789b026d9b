"""`scbench plan`: what a run would cost and refuse, as tables or as JSON. No weights are needed."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table

from scbench.console import err, out, plain
from scbench.errors import BadConfig
from scbench.grid.plan import Plan, PlannedModel, Refusal
from scbench.grid.settings import Settings

JSON, PRICE = "as_json", "price_per_hour"
PLAN_PANEL = "What to show"
PLAN_OPTIONS: tuple[tuple[str, Any, str, str, str], ...] = (
    (JSON, bool, "--json", PLAN_PANEL, "the whole plan as one JSON object"),
    (
        PRICE,
        float,
        "--price",
        PLAN_PANEL,
        "of an hour on the device, for what the run would cost; default: none",
    ),
)
MINUTE, HOUR = 60.0, 3600.0
GIB = 1 << 30
MOST_POINTS = 100.0  # a larger difference there cannot be


def plan(words: dict[str, Any]) -> None:
    """Show cells, tokens, time, memory, disk and refusals of a run before anything runs.

    No weights are read: a configuration is enough, and the short names of `scbench list models`
    need no file at all. --device also takes a card that is not here: h200, h100, a100, l40s, l4,
    b200, rtx-4090.
    """
    from scbench import api

    given = dict(words)
    for name in ("quiet", "full"):
        given.pop(name, None)
    is_json = bool(given.pop(JSON, False))
    price = given.pop(PRICE, None)
    if price is not None and not price >= 0:
        raise BadConfig(f"--price {price}: it is a number from 0, of an hour")
    settings = api.settle(given)
    made = api.plan_of(settings, price_per_hour=price)
    if is_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        show(made, has_costs=bool(settings.cost_sessions))
        if made.rows:
            _sight(settings)
    if not made.rows:
        raise typer.Exit(2)


def show(made: Plan, *, has_costs: bool = True) -> None:
    """The plan for people: a table, the totals, and every refusal with its reason."""
    if made.rows:
        out.print(_table(made))
    for model in made.models:
        _model(model)
    _units(made)
    if made.rows:
        _totals(made, ", cost pass included" * has_costs)
    for refusal in made.refusals:
        _refusal(refusal)
    for line in sorted({line for row in made.rows for line in row.refused}):
        _refusal(Refusal(kind="method", what="", why=line))


def _table(made: Plan) -> Table:
    several = len(made.models) > 1
    columns = (
        *(("model",) if several else ()),
        "task",
        "length",
        "cells",
        "turns",
        "tokens read",
        "if each cell read its own",
        "answer tokens, about",
        "TFLOP",
        "KV held",
    )
    table = Table(*columns)
    for row in made.rows:
        numbers = (row.length_tokens, row.cells, row.turns, row.read_tokens, row.naive_read_tokens)
        table.add_row(
            *((plain(row.model),) if several else ()),
            row.task,
            *(f"{number:,}" for number in numbers),
            f"{row.answer_tokens_low:,} to {row.answer_tokens_high:,}",
            f"{row.flops / 1e12:,.2f}",
            f"{row.held_bytes / 2**20:,.1f} MiB",
        )
    return table


def _model(model: PlannedModel) -> None:
    rate = f" at {model.flops_per_s / 1e9:,.0f} GFLOP/s" if model.flops_per_s else ""
    window = f"window {model.window_tokens:,} tokens"
    if model.trained_tokens is not None and model.window_tokens > model.trained_tokens:
        window += f", beyond the {model.trained_tokens:,} it is made for: every record is marked so"
    _line(
        f"{model.name}: {model.params / 1e6:,.0f}M parameters, {model.dtype} on {model.device}"
        f"{rate} ({model.rate}); {window}"
    )
    for note in model.notes:
        _line(f"  {note}")


def _units(made: Plan) -> None:
    """The sizes of every method, a line a length; those of a task's own length stand in --json."""
    told: dict[int, dict[str, int]] = {}
    for row in made.rows:
        sizes = told.setdefault(row.asked_tokens or row.length_tokens, {})
        for of_method in row.units.values():
            sizes.update(of_method)
    for length, sizes in told.items():
        words = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        if words:
            _line(f"units at {length:,} tokens: {words}")


def _totals(made: Plan, cost: str) -> None:
    _line(
        f"about {_time(made.seconds_low)} to {_time(made.seconds_high)}{cost}, "
        f"{made.fixed_s[0]:,.0f} to {made.fixed_s[1]:,.0f} seconds of it to begin and to draw the "
        f"page; at most {made.peak_bytes / GIB:,.2f} GiB of memory and "
        f"{made.disk_bytes / GIB:,.2f} GiB on disk"
    )
    if made.price is not None:
        _line(f"price: {made.price[0]:,.2f} to {made.price[1]:,.2f}")


def _sight(settings: Settings) -> None:
    """How small a difference would be seen."""
    from scbench.sight import sight_of

    seen = sight_of(settings)
    if seen.overall_points is None or seen.task_points is None:
        _line(
            "one session has no spread: no difference can be told; give --sessions 8, or --detect 5"
        )
        return
    if min(seen.overall_points, seen.task_points) > MOST_POINTS:
        _line(
            f"{seen.sessions:,} sessions a task see no difference at all in four cases of five; "
            "give --sessions 8, or --detect 5"
        )
        return
    _line(
        f"{seen.sessions:,} sessions a task see a difference of {seen.overall_points:.1f} points "
        f"in the average, {seen.task_points:.1f} in a single task, in four cases of five (10 % of "
        "turns taken to differ); --detect 5 chooses sessions for 5 points"
    )


def _refusal(refusal: Refusal) -> None:
    kind = "refused" if refusal.is_certain else "may be refused"
    names = dict.fromkeys(filter(None, (refusal.model, refusal.what)))
    text = ": ".join((kind, *names, refusal.why))
    (err if refusal.stops_run else out).print(plain(text), soft_wrap=True)


def _line(text: str) -> None:
    out.print(plain(text), soft_wrap=True)


def _time(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:,.0f} seconds"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:,.0f} minutes"
    return f"{seconds / HOUR:,.1f} hours"
