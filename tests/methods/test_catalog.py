"""What a list of methods shows, read from source, is what the classes are."""

from __future__ import annotations

import pytest

from scbench.methods import names, parse
from scbench.methods.catalog import entry
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
