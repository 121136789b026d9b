"""What a card says of a method, without importing it, is what its class is and does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest

from scbench.errors import BadConfig, Unknown
from scbench.methods import names, parse
from scbench.methods.card import OBSERVED, Card
from scbench.methods.cards import CARDS, card
from scbench.methods.compression.snapkv import SnapKV
from scbench.methods.contract import Eviction, Traits
from scbench.methods.described import card_of, defaults_of, place_of
from scbench.methods.listing import COLUMNS, cards, markdown
from scbench.methods.registry import stage_class
from scbench.methods.spelling import read_part

OURS = sorted(CARDS)


@pytest.mark.parametrize("name", OURS)
def test_a_card_stands_at_the_class_it_names(name: str) -> None:
    cls = stage_class(name)
    assert place_of(cls) == card(name).place
    assert cls.name == name
    assert card_of(cls) is card(name)
    assert card(name).stage == ("none" if name == "dense" else cls.stage)


@pytest.mark.parametrize("name", OURS)
def test_parameters_and_their_defaults_are_those_of_the_class(name: str) -> None:
    assert dict(card(name).parameters) == defaults_of(stage_class(name))


@pytest.mark.parametrize("name", OURS)
def test_a_default_is_listed_as_it_can_be_typed(name: str) -> None:
    for word, default in card(name).parameters.items():
        assert parse(f"{name}[{word}={default}]") == parse(name), f"{word}={default}"


@pytest.mark.parametrize("name", OURS)
def test_a_preset_sets_what_its_card_says(name: str) -> None:
    for preset, parameters in card(name).presets.items():
        assert parse(f"{name}[preset={preset}]") == parse(card(name).spelled(parameters))


def test_a_preset_gives_way_to_what_is_typed_beside_it() -> None:
    assert parse("kivi[preset=kivi,bits=4]") == parse("kivi[bits=4,residual_tokens=128]")


@pytest.mark.parametrize("name", OURS)
def test_a_class_with_a_card_says_none_of_it_itself(name: str) -> None:
    words = {"about", "paper", "bytes_formula", "difference", "presets", "needs_also"}
    assert words.isdisjoint(vars(stage_class(name)))


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("column", ["about", "bytes_formula", "difference"])
def test_every_card_has_its_sentences_in_a_line_of_the_table(name: str, column: str) -> None:
    text = str(getattr(card(name), column))
    assert text, f"the card of {name} in methods/cards lacks {column}: a column of docs/methods.md"
    assert "|" not in text
    assert "\n" not in text
    assert len(text) <= 170, f"{name}: {column} is a line; the docstring has room for more"


@pytest.mark.parametrize("name", OURS)
def test_what_a_method_is_listed_to_need_is_what_it_asks_of_a_read(name: str) -> None:
    stage = stage_class(name)
    if isinstance(stage.needs, frozenset):
        assert {OBSERVED[need] for need in stage.needs} <= set(card(name).needs)
    else:  # it depends on the parameters
        assert card(name).needs
    assert any("pass" in word for word in card(name).needs) == bool(parse(name).extra_passes)


@pytest.mark.parametrize("name", OURS)
def test_a_card_gives_tests_something_to_play_unless_a_package_is_missing(name: str) -> None:
    has_forms = bool(card(name).forms)
    assert has_forms == (name != "dense" and not card(name).package)
    for label, spelling in card(name).spelled_forms().items():
        assert read_part(spelling)[0] == name
        assert label.split(" ")[0] == name
        assert parse(spelling)


def test_all_cards_are_read_without_torch() -> None:
    code = (
        "import sys; from scbench.methods.listing import cards; assert len(cards()) > 30; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_said_where_the_names_are() -> None:
    with pytest.raises(Unknown, match="no method of ours is called 'snapvk'"):
        card("snapvk")


def test_the_table_has_a_row_for_every_name() -> None:
    lines = markdown().splitlines()
    assert len(lines) == 2 + len(cards()) == 2 + len(names())
    assert all(line.count("|") == len(COLUMNS) + 1 for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs(Eviction):
    """A stranger's class: what it does not say it has from its stage."""

    pace: int = 3

    name: ClassVar[str] = "theirs"
    about: ClassVar[str] = "Keeps what they like."
    presets: ClassVar[dict[str, str]] = {"slow": "pace=1,tau=1/2"}
    traits: ClassVar[Traits] = Traits(extra_passes=2)


def test_a_strangers_class_says_its_card_in_class_attributes() -> None:
    assert card_of(Theirs) == Card(
        name="theirs",
        place=place_of(Theirs),
        stage="compression",
        category="KV dropping",
        about="Keeps what they like.",
        needs=("2 more passes",),
        parameters={"tau": "none", "budget_tokens": "none", "pace": "3"},
        presets={"slow": "pace=1,tau=1/2"},
    )


def test_a_class_derived_from_one_of_ours_has_its_presets_and_paper() -> None:
    class Mine(SnapKV):
        pass

    assert card_of(Mine).presets == card("snapkv").presets
    assert card_of(Mine).paper == card("snapkv").paper
    assert card_of(Mine).forms == {}


def test_presets_that_are_no_text_are_refused_with_the_form() -> None:
    class Odd(Theirs):
        presets: ClassVar[dict[str, str]] = {"slow": {"pace": 1}}  # type: ignore[dict-item]

    with pytest.raises(BadConfig, match="as they are typed"):
        card_of(Odd)
