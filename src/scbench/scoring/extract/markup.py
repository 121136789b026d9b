"""The dress of an answer: markdown, LaTeX, full-width signs, words of courtesy."""

from __future__ import annotations

import re

from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.text import nfkc

_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*[\w+-]*[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
# Lists and quotes within each other, at once: a round of all steps for each would take too long.
_BULLET = re.compile(r"^[ \t]*(?:[-*•+][ \t]+|>[ \t]?)+", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*\d{1,2}[.)][ \t]+(?=.*\S)", re.MULTILINE)
_BOLD = re.compile(r"\*\*|(?<![\w*])\*(?=[^\s*])|(?<=[^\s*])\*(?![\w*])|`")
_STRUCK = re.compile(r"~~[^~\n]{1,400}~~|<(del|strike)>[^<]{1,400}</\1>", re.IGNORECASE)
_UNDERLINED = re.compile(r"(?<![\w_])(_{1,2})(?=[^\s_])([^_\n]{1,200})(?<!\s)\1(?![\w_])")
_ROW = re.compile(r"^[ \t]*\|(.*)\|[ \t]*$", re.MULTILINE)
_WRAPPED = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mathtt)\{([^{}]*)\}")
_MATH = re.compile(r"\$+|\\[()\[\]]")
# Signs that nobody sees: widths of nothing, directions, marks of byte order.
_UNSEEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_THIN = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_COURTESY = re.compile(
    r"^[ \t]*(?:let me know|please let me|i hope|feel free|if you (?:need|have|want)"
    r"|is there anything)\b.*\Z",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_GREETING = re.compile(
    r"[ \t]*(?:sure|certainly|of course|okay|ok|here|below|absolutely|based on"
    r"|the (?:answer|summary|following)"
    r"|好的|当然|以下|答案|はい)",
    re.IGNORECASE,
)


def without_markdown(text: str, sought: Sought) -> str:
    """The text without the signs of markdown and LaTeX; a summary keeps its list."""
    text = _FENCE.sub("", text)
    text = _QUOTE.sub("", _HEADING.sub("", text))
    if sought.kind is AnswerKind.PROSE:
        return text
    text = _without_struck(_BULLET.sub("", text))
    if "|" not in sought.told:
        text = _ROW.sub(_as_line, text)
    if sought.kind in (AnswerKind.NAMES, AnswerKind.NUMBER):
        text = _items(text, sought)
    for sign in set(_BOLD.findall(text)):
        if sign not in sought.told:
            text = text.replace(sign, "") if len(sign) > 1 or sign == "`" else _BOLD.sub("", text)
    if "_" not in sought.told:
        text = _UNDERLINED.sub(r"\2", text)
    text = _WRAPPED.sub(r"\1", text)
    if "$" not in sought.told and "\\" not in sought.told:
        text = _MATH.sub("", text)
    return text


def _without_struck(text: str) -> str:
    """Without what is struck through, unless that is all."""
    left = _STRUCK.sub("", text)
    return left if left.strip() else text


def _as_line(row: re.Match[str]) -> str:
    """A row of a table as a line with a label; the rule below its head is none."""
    cells = [cell.strip() for cell in row[1].split("|")]
    if all(cell.strip("-: ") == "" for cell in cells):
        return ""
    label, *values = cells
    return f"{label}: {', '.join(values)}" if values else label


def _items(text: str, sought: Sought) -> str:
    """Without the numbers of a list; for a number only where one stands behind each of them."""
    lines = text.split("\n")
    needs_number = sought.kind is AnswerKind.NUMBER
    return "\n".join(
        line[item.end() :]
        if (item := _ITEM.match(line))
        and (not needs_number or any(sign.isdigit() for sign in line[item.end() :]))
        else line
        for line in lines
    )


def plain_width(text: str, sought: Sought) -> str:
    """NFKC: full-width letters and digits are letters and digits.

    Thin blanks within numbers go, and so do signs that nobody sees.
    """
    if not _UNSEEN.search(sought.told):
        text = _UNSEEN.sub("", text)
    if sought.kind in (AnswerKind.NUMBER, AnswerKind.STRING):
        text = _THIN.sub("", text)
    folded = nfkc(text)
    # A text that an answer may consist of stays as it is written.
    return folded if nfkc(sought.told) == sought.told else text


def without_courtesy(text: str, sought: Sought) -> str:
    """Without the line that announces the answer, and the lines that offer more of them."""
    text = _COURTESY.sub("", text) if not _COURTESY.fullmatch(text.strip()) else text
    first, line_break, rest = text.lstrip().partition("\n")
    is_head = first.rstrip().endswith((":", "：")) and len(first) < 200
    if line_break and rest.strip() and is_head and _GREETING.match(first):
        return rest
    return text
