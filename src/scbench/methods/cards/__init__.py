"""The cards of all our methods, one file a stage: an entry here registers a method everywhere.

Names, `scbench list`, the reports, docs/methods.md, `--methods all`, and what the laws and the test
of pairs play are taken from here, and nothing of it needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from scbench.errors import Unknown
from scbench.methods.card import Card
from scbench.methods.cards import codec, eviction, generation, loading, retrieval, voting

CARDS: Mapping[str, Card] = MappingProxyType(
    {
        card.name: card
        for room in (generation, eviction, voting, codec, retrieval, loading)
        for card in room.CARDS
    }
)
BY_PLACE: Mapping[str, Card] = MappingProxyType({card.place: card for card in CARDS.values()})


def card(name: str) -> Card:
    """The card of one of our methods. Raises Unknown."""
    if name not in CARDS:
        raise Unknown(
            f"no method of ours is called {name!r}; `scbench list methods` shows them all"
        )
    return CARDS[name]
