"""The findings for a terminal, as Markdown and as plain data. Numbers are in points (percent of the
score's range), as in every table.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from scbench.console import plain as plain_text
from scbench.report import marks
from scbench.report.markdown import draw as pipes
from scbench.report.shown import markdown_text as escape
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.terminal import draw as drawn
from scbench.report.words import (
    count_text,
    interval,
    percent,
    signed,
    signed_interval,
)
from scbench.stats.checks import Check, Verdict
from scbench.stats.findings import Finding, Findings
from scbench.stats.headroom import CONTROLS, By, CellStanding

STYLES = {
    Verdict.HOLDS: "bold green",
    Verdict.FAILS: "bold red",
    Verdict.UNKNOWN: "bold yellow",
    Verdict.NO_HEADROOM: "bold yellow",
    Verdict.NOT_ASKED: "dim",
}
COLUMNS = ("measured", "asked", "verdict", "decides", "cells", "turns", "sessions")
MEASURES = {
    By.SCORE: "Points of the strict score, free of chance",
    By.AGREEMENT: "By agreement: points of the gold answer's tokens at which the likeliest token "
    "is dense's, since dense itself solves too little",
}
NOTES = (
    "95 % intervals over draws (what shares questions is one draw); the mean over cells (task, "
    "length, mode), each with the same weight.",
    "A check holds if its whole interval lies where it is asked to, does not hold if all of it "
    "lies elsewhere, and else nobody can tell.",
    "A claim holds if all checks that decide hold; one that does not hold is enough against it.",
    "A cell counts where dense scores 80 or more and a control of the stage, which keeps far too "
    "little, loses 20 or more; where none does, nothing can be shown: no headroom.",
    "This is one model on these tasks: what holds here need not hold for others.",
)


def terminal(found: Findings) -> Group:
    """`Console().print(terminal(found))`: the verdicts first, then what they rest on."""
    head = [
        Text.assemble(
            f"({one.claim.key}) {one.claim.claim}  ", (str(one.verdict), STYLES[one.verdict])
        )
        for one in found.findings
    ]
    parts: list[RenderableType] = [
        *head,
        Text(),
        plain_text(basis(found), style="dim"),
        *(Text(note, style="dim") for note in notes(found)),
        Text(),
        drawn(gate_table(found), joint=" "),
    ]
    for one in found.findings:
        parts += [
            Text(),
            Text.assemble((title(one), STYLES[one.verdict])),
            Text(one.claim.rule, style="dim"),
        ]
        if one.checks:
            parts.append(Padding(drawn(table(one), joint=" "), (0, 0, 0, 2)))
        parts += [plain_text(line, style="dim") for line in asides(one)]
    return Group(*parts)


def markdown(found: Findings) -> str:
    models = ", ".join(f"`{escape(name)}`" for name in asdict(found.models).values() if name)
    lines = [f"# The paper's findings on {models}", "", "| claim | verdict |", "|---|---|"]
    lines += [
        f"| ({one.claim.key}) {escape(one.claim.claim)} | **{one.verdict}** |"
        for one in found.findings
    ]
    lines += ["", f"- {escape(basis(found))}", *(f"- {escape(note)}" for note in notes(found)), ""]
    lines += ["## What counts", "", *pipes(gate_table(found)), ""]
    for one in found.findings:
        lines += [
            f"## {escape(title(one))}",
            "",
            f"Rule: {escape(one.claim.rule)}",
            "",
            *([*pipes(table(one)), ""] if one.checks else []),
        ]
        lines += [*(f"- {escape(line)}" for line in asides(one)), ""]
    return "\n".join(lines)


def plain(found: Findings) -> dict[str, object]:
    """For JSON: scores in 0..1, differences in -1..1, all rules and names as they were applied."""
    return asdict(found)


def write(found: Findings, folder: Path) -> dict[str, Path]:
    """findings.md and findings.json in a folder, replaced if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "findings.md": markdown(found),
        "findings.json": json.dumps(plain(found), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in texts}


def title(one: Finding) -> str:
    return f"({one.claim.key}) {one.claim.claim}: {one.verdict}"


def notes(found: Findings) -> tuple[str, ...]:
    """How to read it, the unit first."""
    budget = f"every method that has a budget has {found.tau}"
    return (f"{MEASURES[found.gate.by]}; {budget}.", *NOTES)


def basis(found: Findings) -> str:
    """What the numbers rest on."""
    played, solved = found.gate.standings, found.gate.solved
    if not played:
        return f"Nothing of {found.models.transformer} was played."
    if found.gate.by is By.AGREEMENT:
        return f"{len(played)} cells of {found.models.transformer}, by agreement with dense."
    if not solved:
        best = max(one.dense for one in played)
        return (
            f"{found.models.transformer} solves none of the {len(played)} cells that were played: "
            f"dense scores {percent(best)} at most, free of chance."
        )
    signs = marks.of_notes(found.noted)
    score = f"{percent(found.reference.value)}{signs} {interval(found.reference)}".strip()
    return (
        f"Dense solves {len(solved)} of the {len(played)} cells of {found.models.transformer} "
        f"that were played, and scores {score} on them."
    )


def gate_table(found: Findings) -> Table:
    """Every cell: what dense scores, what the controls lose, for which stages it counts."""
    rows = tuple(
        Row(
            name=", ".join((one.cell[0], f"{one.cell[1]:,}", one.cell[2])),
            entries=_stand(found, one),
        )
        for one in found.gate.standings
    )
    titles = ("dense", *(f"{stage} loses" for stage in CONTROLS), "counts for")
    columns = tuple(Column(title=name) for name in titles)
    return Table(title="", label="cells", corner="cell", columns=columns, rows=rows)


def _stand(found: Findings, one: CellStanding) -> tuple[Entry, ...]:
    losses = (one.losses.get(stage) for stage in CONTROLS)
    counts = [stage for stage in CONTROLS if one.cell in found.gate.counting(stage)]
    return (
        Entry(main=percent(one.dense)),
        *(Entry(main="–" if lost is None else percent(lost)) for lost in losses),
        Entry(main=", ".join(counts) or "nothing"),
    )


def table(one: Finding) -> Table:
    ordered = sorted(one.checks, key=lambda check: not check.binds)
    rows = tuple(Row(name=check.what, entries=_entries(check)) for check in ordered)
    columns = tuple(Column(title=name) for name in COLUMNS)
    return Table(
        title="", label=f"finding-{one.claim.key}", corner="number", columns=columns, rows=rows
    )


def _entries(check: Check) -> tuple[Entry, ...]:
    number, limits = (signed, signed_interval) if check.is_difference else (percent, interval)
    estimate = check.estimate
    return (
        Entry(
            main=number(estimate.value),
            interval=limits(estimate),
            marks=marks.of_notes(check.noted),
        ),
        Entry(main=f"{check.side} {number(check.threshold)}"),
        Entry(main=str(check.verdict)),
        Entry(main="yes" if check.binds else "no"),
        *(Entry(main=count_text(count)) for count in (check.cells, estimate.n, estimate.sessions)),
    )


def asides(one: Finding) -> list[str]:
    """Why a check could not be told, what the marks mean, and the finding's other figures."""
    lines = [one.why] if one.why else []
    lines += [f"{check.what}: {check.why}" for check in one.checks if check.why]
    used = "".join(marks.of_notes(check.noted) for check in one.checks)
    lines += marks.note_lines(used, {}, 0)
    return lines + [f"{name}: {value:.2f}" for name, value in one.figures.items()]
