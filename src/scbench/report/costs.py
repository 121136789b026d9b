"""The cost tables, and the facts at the top of a report."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.console import counted
from scbench.report.marks import LACKS
from scbench.report.scores import stage_title
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, percent, spread_text
from scbench.stats import SIMULATED, CostRow, MethodInfo, Share, Summary
from scbench.types import Form

ESTIMATED = "~"
NOTHING = "measured"  # the one column of a table in which every method failed
MEASURES = {
    "prefill_s": "prefill",
    "compress_s": "compression",
    "ttft_cold_s": "TTFT cold",
    "ttft_warm_s": "TTFT warm",
    "ttft_disk_s": "TTFT disk",
    "tpot_s": "TPOT",
    "held_bytes": "held",
    "peak_bytes": "peak",
    "loaded_bytes": "loaded per step",
    "moved_bytes": "moved per step",
    "extra_passes": "extra passes",
}


def cost_tables(summary: Summary) -> list[Table]:
    """One table for each model, length and form; measures that nobody measured have no column.

    A method that failed there has a row of dashes, and the reason stands below.
    """
    places = sorted({(row.model, row.length_tokens, row.form) for row in summary.costs})
    return [_cost_table(summary, place, number) for number, place in enumerate(places, start=1)]


def _cost_table(summary: Summary, place: tuple[str, int, str], number: int) -> Table:
    model, length_tokens, form = place
    infos = {info.name: info for info in summary.methods}
    mine = [row for row in summary.costs if (row.model, row.length_tokens, row.form) == place]
    mine = list(dict.fromkeys(mine))  # a method that failed alike on two sessions has one row
    mine.sort(key=lambda row: (list(infos).index(row.method), bool(row.failure)))
    measures = [name for name in MEASURES if any(getattr(row, name) is not None for row in mine)]
    rows = []
    for row in mine:
        info = infos.get(row.method, MethodInfo(row.method))
        share = summary.cost_share(row)
        entries = tuple(_cost_entry(row, share, name) for name in measures or [NOTHING])
        rows.append(Row(name=info.label, group=stage_title(info), entries=entries))
    lengths = f", {length_tokens:,} tokens" if length_tokens else ""
    mark = "" if form == Form.FULL else f", form: {form}"
    titles = [MEASURES[name] for name in measures] or [NOTHING]
    return Table(
        title=f"Cost, {model}{lengths}{mark}",
        label=f"cost-{number}",
        corner="method",
        columns=tuple(Column(title=title) for title in titles),
        rows=tuple(rows),
        notes=tuple(_cost_notes(mine, rows)),
    )


def _cost_entry(row: CostRow, share: Share | None, name: str) -> Entry:
    if row.failure:
        return Entry(main=GAP, marks=LACKS)
    main, reach = spread_text(name, getattr(row, name))
    return Entry(main=main, interval=reach, aside=_beside(share, name), marks=_marks(row, name))


def _cost_notes(mine: Sequence[CostRow], rows: Sequence[Row]) -> list[str]:
    contexts = {
        spread_text("context_tokens", row.context_tokens)[0] for row in mine if row.context_tokens
    }
    sessions = {str(row.sessions) for row in mine if row.sessions}
    notes = [
        "Each method ran alone and warm. Medians, with smallest … largest where repeats differ."
    ]
    notes += [f"Contexts of {', '.join(sorted(contexts))} tokens."] if contexts else []
    notes += [f"{', '.join(sorted(sessions))} sessions."] if sessions else []
    notes += [
        "Of dense: bytes right after the context, each element counted alike; what stands above it "
        "was really allocated, on this machine."
    ]
    drawn = "".join(entry.marks for row in rows for entry in row.entries)
    notes += [f"{ESTIMATED} computed, not measured."] if ESTIMATED in drawn else []
    if any(SIMULATED in row.name for row in rows):
        notes.append(f"{SIMULATED} simulated: masked instead of freed.")
    failed = [f"{row.method}: {row.failure}" for row in mine if row.failure]
    notes += [f"{LACKS} not measured. {line}." for line in failed]
    return notes


def _beside(share: Share | None, name: str) -> str:
    """The bytes held as a share of dense: the same number as in the score tables."""
    if name != "held_bytes" or share is None:
        return ""
    return f"{percent(share.ratio)} % of dense"


def _marks(row: CostRow, name: str) -> str:
    return ESTIMATED if name in row.estimated else ""


def facts(summary: Summary) -> list[tuple[str, str]]:
    """What ran, in a few lines."""
    turns = summary.turns
    scored = turns["strict"].count()
    rules = ", ".join(sorted({*turns["strict_rule"].unique(), *turns["official_rule"].unique()}))
    lengths = (
        ", ".join(
            f"{length:,}" for length in sorted({one.length_tokens for one in summary.settings})
        )
        or GAP
    )
    return [
        ("Models", ", ".join(sorted({one.model for one in summary.settings})) or GAP),
        ("Methods", ", ".join(method.name for method in summary.methods) or GAP),
        ("Tasks", ", ".join(summary.book.title_of(task) for task in summary.tasks) or GAP),
        *_forms(summary),
        ("Modes", ", ".join(summary.modes) or GAP),
        ("Context lengths", f"{lengths} tokens"),
        ("Protocols", "; ".join(sorted({one.protocol for one in summary.settings})) or GAP),
        ("Sessions", f"{turns['session'].n_unique():,}"),
        (
            "Turns",
            f"{turns.height:,}, of these {scored:,} scored and "
            f"{counted(turns.height - scored, 'gap')}",
        ),
        ("Scorers", rules or GAP),
    ]


def _forms(summary: Summary) -> list[tuple[str, str]]:
    """What the tasks are written in, wherever it is not the full form alone: such numbers compare
    with nothing published.
    """
    forms = sorted({one.form for one in summary.settings})
    if not set(forms) - {str(Form.FULL)}:
        return []
    return [
        (
            "Form",
            f"form: {', '.join(forms)} (tiny tasks have a closed vocabulary; never compare them "
            f"with full or official data)",
        )
    ]
