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
    measure_text,
    percent,
    signed,
    signed_interval,
)
from scbench.stats.checks import Check, Verdict
from scbench.stats.findings import Finding, Findings

STYLES = {Verdict.HOLDS: "bold green", Verdict.FAILS: "bold red", Verdict.UNKNOWN: "bold yellow"}
COLUMNS = ("measured", "asked", "verdict", "decides", "cells", "turns", "sessions")
NOTES = (
    "Points of the strict score, with 95 % intervals over sessions; the mean over cells (task, "
    "length, mode), each with the same weight.",
    "A check holds if its whole interval lies where it is asked to, does not hold if all of it "
    "lies elsewhere, and else nobody can tell.",
    "A claim holds if all checks that decide hold; one that does not hold is enough against it. "
    "Only cells that full attention solves count.",
    "These are small models on tiny tasks: what holds here need not hold for large ones, and the "
    "other way round.",
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
        *(Text(note, style="dim") for note in NOTES),
    ]
    for one in found.findings:
        parts += [
            Text(),
            Text.assemble((title(one), STYLES[one.verdict])),
            Text(one.claim.rule, style="dim"),
        ]
        parts += [
            Padding(drawn(table(one), joint=" "), (0, 0, 0, 2)),
            *(plain_text(line, style="dim") for line in asides(one)),
        ]
    return Group(*parts)


def markdown(found: Findings) -> str:
    lines = ["# The paper's findings on the lab models", "", "| claim | verdict |", "|---|---|"]
    lines += [
        f"| ({one.claim.key}) {escape(one.claim.claim)} | **{one.verdict}** |"
        for one in found.findings
    ]
    lines += ["", f"- {escape(basis(found))}", *(f"- {escape(note)}" for note in NOTES), ""]
    for one in found.findings:
        lines += [
            f"## {escape(title(one))}",
            "",
            f"Rule: {escape(one.claim.rule)}",
            "",
            *pipes(table(one)),
            "",
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


def basis(found: Findings) -> str:
    """What the numbers rest on."""
    if not found.cells:
        return (
            f"No cell counts: {found.roles.transformer} passes the gate on none of what was played."
        )
    tasks = ", ".join(dict.fromkeys(task for task, _, _ in found.cells))
    lengths = ", ".join(
        f"{length:,}" for length in sorted({length for _, length, _ in found.cells})
    )
    signs = marks.of_notes(found.noted)
    score = f"{percent(found.reference.value)}{signs} {interval(found.reference)}".strip()
    return (
        f"{len(found.cells)} cells count: {tasks}; {lengths} tokens. Full attention of "
        f"{found.roles.transformer} scores {score} on them here."
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
    lines = [f"{check.what}: {check.why}" for check in one.checks if check.why]
    used = "".join(marks.of_notes(check.noted) for check in one.checks)
    lines += marks.note_lines(used, {}, 0)
    return lines + [
        f"{name.replace('_', ' ')}: {measure_text(name, value)}"
        for name, value in one.figures.items()
    ]
