"""The card of a method: what people, reports and tests know of it. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One method in words; an entry of `cards/` registers it everywhere.

    A class without an entry, in somebody's file or package, says in class attributes of these
    names what it wants to say; its parameters are its fields.

    >>> card = Card(name="half", in_all="tau=1/4", forms={"": "tau=1/2", "slow": "pace=2"})
    >>> card.spelled(card.in_all)
    'half[tau=1/4]'
    >>> card.spelled_forms()
    {'half': 'half[tau=1/2]', 'half slow': 'half[pace=2]'}
    """

    name: str = ""  # on the command line
    place: str = ""  # module:Class
    stage: str = ""  # generation, compression, retrieval, loading; none: the reference
    category: str = ""  # one of the paper's eight, or "reference"
    about: str = ""  # what it does and when to take it, in a sentence
    paper: str = ""  # where it was published
    bytes_formula: str = ""  # held per attention layer, in the letters of docs/methods.md
    difference: str = ""  # ours from the paper's, in a line
    needs: tuple[str, ...] = ()  # beside K and V: of the read, of the machine, of the model
    parameters: Mapping[str, str] = field(default_factory=dict)  # with their defaults, as typed
    presets: Mapping[str, str] = field(default_factory=dict)  # with the parameters that each sets
    package: str = ""  # must be installed beside ours; its own tests examine it over a stand-in
    # Parameters, as they stand between the brackets of a spelling:
    in_all: str | None = None  # in `--methods all`; None: not in it
    forms: Mapping[str, str] = field(
        default_factory=dict
    )  # for tests: budgets that bind on 48 tokens
    examined: tuple[str, ...] = ()  # further ones that the laws are played on

    def spelled(self, parameters: str | None) -> str:
        """The method under these parameters."""
        return f"{self.name}[{parameters}]" if parameters else self.name

    def spelled_forms(self) -> dict[str, str]:
        """Label to spelling; a form beside the first has a word of its own after the name."""
        return {
            f"{self.name} {word}".strip(): self.spelled(parameters)
            for word, parameters in self.forms.items()
        }


BUDGET: Mapping[str, str] = MappingProxyType({"tau": "none", "budget_tokens": "none"})
# What a class without an entry may say of itself, beside its name and category.
SAID = ("about", "paper", "bytes_formula", "difference", "presets")
OBSERVED: Mapping[str, str] = MappingProxyType(  # what a read notes down, in words
    {
        "window": "last queries",
        "column-sums": "column sums of attention",
        "query-moments": "moments of the queries",
        "repeat-scores": "scores of a repeat",
        "head-gates": "head gates",
        "rotation": "the model's rotation",
    }
)
