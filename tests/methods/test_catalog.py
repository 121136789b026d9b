"""What a list of methods shows, read from source, is what the classes are."""

from __future__ import annotations

import pytest

from scbench.methods import names, parse
from scbench.methods.catalog import OBSERVED, entry
from scbench.methods.registry import stage_class


@pytest.mark.parametrize("name", names())
def test_the_presets_listed_are_those_of_the_class_and_can_be_built(name: str) -> None:
    listed = entry(name)
    assert set(listed.presets) == set(stage_class(name).presets)
    for preset in listed.presets:
        parse(f"{name}[preset={preset}]")


@pytest.mark.parametrize("name", names())
def test_a_default_is_listed_as_it_can_be_typed(name: str) -> None:
    for word, default in entry(name).parameters.items():
        assert parse(f"{name}[{word}={default}]") == parse(name), f"{word}={default}"


@pytest.mark.parametrize("name", names())
def test_every_method_says_its_bytes_and_where_it_differs_from_its_paper(name: str) -> None:
    listed = entry(name)
    for column in ("bytes_formula", "difference"):
        said = str(getattr(listed, column))
        assert said, (
            f"the class of {name} lacks the line `{column}: ClassVar[str] = ...` below its `paper`: a column of docs/methods.md; "
            f"see any file beside it, then run `scbench list methods --markdown` and put the table into docs/methods.md"
        )
        assert "|" not in said
        assert "\n" not in said
        assert len(said) <= 160, (
            f"{name}: {column} is a line of the table; the docstring has room for more"
        )


@pytest.mark.parametrize("name", names())
def test_what_a_method_is_listed_to_need_is_what_it_asks_of_a_read(name: str) -> None:
    listed, stage = entry(name), stage_class(name)
    asked = stage.needs if isinstance(stage.needs, frozenset) else None
    if asked is None:  # it depends on the parameters
        assert stage.needs_also
    else:
        assert {OBSERVED[need] for need in asked} <= set(listed.needs)
    assert any("pass" in word for word in listed.needs) == bool(stage.extra_passes)
