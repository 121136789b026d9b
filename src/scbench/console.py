"""Words to a person's terminal: as they are, whatever signs they hold and whatever it can show.

Names, paths, answers and errors are never markup, and signs that would steer a terminal are made
visible. Every command prints through these functions.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata

from rich.console import Console
from rich.text import Text

out = Console(width=None if sys.stdout.isatty() else 150)  # a pipe has no width of its own
err = Console(stderr=True)


class Spectator(Console):
    """A console whose broken pipe is an error like any other: rich's own ends the program."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def take_any_sign() -> None:
    """Let both streams write another sign for what their code page lacks, instead of ending the
    program.

    Signs of ours that differ still do: a minus stays one, and ≈, ≠ and ? remain three.
    """
    codecs.register_error(_PLAIN, _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_PLAIN)


_PLAIN = "scbench.plain"
_PLAIN_SIGNS = str.maketrans(  # of our tables, each by one of as many columns
    {
        "≈": "~",
        "≠": "#",
        "−": "-",
        "–": "-",
        "—": "-",
        "Δ": "d",
        "…": ".",
        "·": ".",
        "⌂": "^",
        "↻": "@",
        "†": "+",
        "‡": "=",
        "§": "$",
        "¶": "%",
        "‖": "|",
        "◇": "V",
        "⊇": "U",
        "∅": "0",
        "◦": "o",
        "→": ">",
        "×": "x",
        "µ": "u",
        "≥": ">",
        "≤": "<",
    }
)


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    """Signs that a code page lacks, by signs that every one has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end].translate(_PLAIN_SIGNS)
    return lost.encode("ascii", "replace").decode("ascii"), error.end


def visible(text: str) -> str:
    """The text with its control signs written out: ESC is `\\x1b`; line breaks and tabs stay.

    Signs that turn the direction of writing are among them: they can make a name read as another.
    """
    if text.isprintable():  # then none of its signs is one of these
        return text
    return "".join(sign if _is_plain(sign) else _escaped(sign) for sign in text)


def plain(text: object, style: str = "") -> Text:
    """A text for a table or a line: no markup, nothing that steers the terminal."""
    return Text(visible(str(text)), style=style)


def say(text: object, *, style: str = "") -> None:
    """A line on stdout."""
    out.print(plain(text, style), highlight=False, soft_wrap=True)


def tell(text: object, *, label: str = "", style: str = "yellow") -> None:
    """A line on stderr, behind a coloured label: `gap: ...`."""
    head = Text.assemble((label, style), ": ") if label else Text("")
    err.print(head + plain(text), highlight=False, soft_wrap=True)


def _is_plain(sign: str) -> bool:
    if sign in "\n\t":
        return True
    return unicodedata.category(sign) not in _UNSEEN and sign not in _TURNING


_UNSEEN = ("Cc", "Cs", "Co", "Zl", "Zp")  # U+2028 and U+2029 break lines in scripts and tables
_TURNING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


def counted(number: int, noun: str) -> str:
    """`1 session`, `1,200 sessions`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
