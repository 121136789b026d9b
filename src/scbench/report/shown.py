"""Text from records, names and settings, made harmless for each medium. Numbers are never changed.

Control signs, and signs that turn the direction of writing, are written out in all of them
(`console.visible`); what remains is what each medium would take for markup, a link or a formula.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence

import polars as pl

from scbench.console import visible

MARKDOWN = str.maketrans(
    {sign: "\\" + sign for sign in "\\|*_`[]!~$#"}
    | {"<": "&lt;", "&": "&amp;", "\n": " ", "\t": " "}
)
LIMITS = re.compile(r"\\\[([-+−]?[\d.]+, [-+−]?[\d.]+)\\\](?![(:]|\\\[)")
LIVE = re.compile(r"://|\bwww\.|\b(?:mailto|xmpp):", re.IGNORECASE)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "–": "--", "−": "$-$",
    "→": r"$\rightarrow$", "Δ": r"$\Delta$", "…": r"\ldots{}", "·": r"$\cdot$", "µ": r"$\mu$",
    "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"\S{}", "¶": r"\P{}", "◦": r"$\circ$",
    "‖": r"$\Vert$", "◇": r"$\diamond$", "[": "{[}", "≥": r"$\geq$", '"': "''", "×": r"$\times$",
    "⌂": r"$\triangle$", "↻": r"$\hookleftarrow$", "⊇": r"$\supseteq$", "∅": r"$\emptyset$",
    "≈": r"$\approx$", "≠": r"$\neq$", "≤": r"$\leq$", "±": r"$\pm$", "‘": "`", "’": "'",
    "“": "``", "”": "''", "—": "---", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}",
    "Æ": r"\AE{}", "ł": r"\l{}", "Ł": r"\L{}", "\u00a0": "~",
    "\n": " ", "\t": " ",
}  # fmt: skip
TEX_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def markdown_text(text: str) -> str:
    """Text that no Markdown reader takes for markup, for a link or for the end of a cell."""
    plain = visible(text).translate(MARKDOWN)
    # an interval, [40.1, 57.2], stays readable where nothing behind it makes a link of it
    return LIVE.sub(_broken, LIMITS.sub(r"[\1]", plain))


def fenced(text: str, language: str) -> list[str]:
    """A block of Markdown that shows a text as it is, whatever ticks it holds."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *visible(text).split("\n"), fence]


def _broken(found: re.Match[str]) -> str:
    """An address that looks as it was and links nowhere: what it is known by is escaped."""
    text = found.group()
    return text.replace(":", "\\:") if ":" in text else text.replace(".", "\\.")


def tex_text(text: str) -> str:
    """Text that LaTeX sets as it is, in ASCII; no blank line of it ends a paragraph.

    A sign that no font of plain LaTeX has, such as a Chinese one, is named by its number.
    """
    return "".join(_tex_sign(sign) for sign in visible(text))


def _tex_sign(sign: str) -> str:
    if sign in TEX:
        return TEX[sign]
    if sign.isascii():
        return sign
    parts = unicodedata.normalize("NFD", sign)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in TEX_ACCENTS:
        return rf"\{TEX_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"(U+{ord(sign):04X})"


def csv_text(table: pl.DataFrame) -> str:
    """CSV in which no text is a formula: one that would begin a formula gets an apostrophe."""
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    shown = {name: _each(table[name].to_list()) for name in texts}
    safe = table.with_columns(pl.Series(name, texts, pl.String) for name, texts in shown.items())
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerow([_no_formula(name) for name in table.columns])
    return head.getvalue() + safe.write_csv(include_header=False)


def _each(texts: Sequence[str | None]) -> list[str | None]:
    """Harmless texts; a column of a large run has few different ones."""
    harmless = {text: _no_formula(text) for text in set(texts)}
    return [harmless[text] for text in texts]


def _no_formula(text: str | None) -> str | None:
    if text is None:
        return None
    return ("'" if text.startswith(FORMULA) else "") + visible(text)


def chart_text(text: str) -> str:
    """Text for a picture: a control sign would end the process that draws it."""
    return visible(text).replace("\n", " ").replace("\t", " ")
