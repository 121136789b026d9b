"""What methods said to one question, side by side: the table of `scbench ask`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from scbench.console import plain
from scbench.errors import ScbenchError

if TYPE_CHECKING:
    from scbench.front.said import Said

NOT_KNOWN = "–"
METHOD_COLUMNS = 24  # of a line of a method's spelling


def said_table(rows: list[tuple[str, Said | ScbenchError]]) -> Table:
    """A row a method. Shares are of what dense holds after the text, and loads in these steps."""
    from scbench.report.words import seconds_text

    table = Table(pad_edge=False)
    widest = max(len(line) for method, _ in rows for line in _lines(method).plain.split("\n"))
    table.add_column("method", overflow="fold", no_wrap=widest <= METHOD_COLUMNS)
    table.add_column("answer", overflow="fold")
    for head in ("held", "loaded a step", "tokens", "a token"):
        table.add_column(head, no_wrap=True, justify="right")
    for method, said in rows:
        if isinstance(said, ScbenchError):
            table.add_row(_lines(method), plain(said, style="yellow"), *(NOT_KNOWN,) * 4)
            continue
        pace = said.seconds_a_token
        table.add_row(
            _lines(method),
            plain(" ".join(said.text.split())),
            _share(said.context_bytes, said.dense_context_bytes),
            _share(said.loaded_bytes, said.dense_loaded_bytes),
            str(len(said.ids)),
            NOT_KNOWN if pace is None else seconds_text(pace),
        )
    return table


def _lines(method: str) -> Text:
    """A spelling, cut between its stages or their settings where it is too long for a line."""
    lines = [""]
    for stage in re.findall(r"[^+]+\+?", method):
        fits = len(stage) <= METHOD_COLUMNS
        for word in [stage] if fits else re.findall(r"[^,[]+[,[]?", stage):
            if lines[-1] and len(lines[-1] + word) > METHOD_COLUMNS:
                lines.append("")
            lines[-1] += word
    return plain("\n".join(lines))


def _share(count: int | None, dense_bytes: int | None) -> str:
    """Bytes, and what part they are of dense's."""
    from scbench.report.words import bytes_text

    if count is None or not dense_bytes:
        return NOT_KNOWN
    return f"{bytes_text(count)}, {100 * count / dense_bytes:.0f} %"
