"""All methods by their cards: ours, and those of installed packages. Ours need no torch."""

from __future__ import annotations

from scbench.console import tell
from scbench.methods.card import Card
from scbench.methods.cards import CARDS
from scbench.methods.described import card_of
from scbench.methods.registry import names, stage_class

COLUMNS = (
    "method",
    "stage",
    "category",
    "what it does, and when to take it",
    "paper",
    "bytes held",
    "needs",
    "difference from the paper",
    "parameters and defaults",
    "presets",
)


def cards() -> list[Card]:
    """Every registered method. One of a package is imported; where that fails it is told."""
    listed = list(CARDS.values())
    for name in names():
        if name in CARDS:
            continue
        try:
            listed.append(card_of(stage_class(name)))
        except Exception as error:  # whatever somebody else's package may raise
            tell(f"the method {name!r} of an installed package: {error}", label="not listed")
    return listed


def markdown() -> str:
    """The table of docs/methods.md."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for card in cards():
        words = (
            f"`{card.name}`",
            card.stage,
            card.category,
            card.about,
            card.paper,
            card.bytes_formula,
            "; ".join(card.needs),
            card.difference,
            ", ".join(f"`{name}={default}`" for name, default in card.parameters.items()),
            ", ".join(card.presets),
        )
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines) + "\n"
