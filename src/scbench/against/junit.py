"""A gate as JUnit XML, which CI systems show: a testcase for each method and mode."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from scbench.console import visible
from scbench.stats.gate import GateRow, Passage

SUITE = "scbench gate"


def junit(rows: Sequence[GateRow], *, skips_untold: bool = False) -> str:
    """What surely drops is a failure. So is what nobody can tell, for CI shows a skipped test in
    green; `skips_untold` skips it all the same."""
    failed = [row for row in rows if _is_failure(row, skips_untold)]
    skipped = [row for row in rows if skips_untold and row.passage is Passage.CANNOT_TELL]
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(rows)),
        failures=str(len(failed)),
        skipped=str(len(skipped)),
        errors="0",
    )
    for row in rows:
        one = row.row
        case = ElementTree.SubElement(
            suite, "testcase", classname=visible(one.setting.label), name=visible(one.place)
        )
        if row in failed:
            kind = row.passage.replace(" ", "-")
            ElementTree.SubElement(case, "failure", type=kind, message=visible(row.why))
        elif row in skipped:
            ElementTree.SubElement(case, "skipped", message=visible(row.why))
        ElementTree.SubElement(case, "system-out").text = visible(f"{row.passage}: {row.why}")
    ElementTree.indent(suite)
    text: str = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _is_failure(row: GateRow, skips_untold: bool) -> bool:
    if row.passage is Passage.DROPS:
        return True
    return row.passage is Passage.CANNOT_TELL and not skips_untold
