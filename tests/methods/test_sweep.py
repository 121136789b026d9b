"""Choices in a spelling become methods of their own."""

from __future__ import annotations

import pytest

from scbench.errors import BadConfig
from scbench.methods.sweep import swept


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dense", ["dense"]),
        ("snapkv[tau=1/4]", ["snapkv[tau=1/4]"]),
        ("snapkv[tau=1/4|1/8]", ["snapkv[tau=1/4]", "snapkv[tau=1/8]"]),
        (
            "snapkv[tau=1/4|1/8,kernel=5|7]",
            [
                "snapkv[tau=1/4,kernel=5]",
                "snapkv[tau=1/4,kernel=7]",
                "snapkv[tau=1/8,kernel=5]",
                "snapkv[tau=1/8,kernel=7]",
            ],
        ),
        (
            "a-shape+kivi[bits=2|4]+quest[tau=1/2]",
            ["a-shape+kivi[bits=2]+quest[tau=1/2]", "a-shape+kivi[bits=4]+quest[tau=1/2]"],
        ),
        (
            "adakv[tau=1/4|1/8,scorer=knorm[eps=1]]",
            ["adakv[tau=1/4,scorer=knorm[eps=1]]", "adakv[tau=1/8,scorer=knorm[eps=1]]"],
        ),
        ('"a|b.py":Mine[tau=1|2]', ['"a|b.py":Mine[tau=1]', '"a|b.py":Mine[tau=2]']),
    ],
)
def test_every_choice_is_made_in_order(text: str, wanted: list[str]) -> None:
    assert swept(text) == wanted


@pytest.mark.parametrize("text", ["snapkv|h2o", "snapkv[tau=1/4|]", "snapkv[tau=|1/4]"])
def test_a_bar_without_two_values_is_refused(text: str) -> None:
    with pytest.raises(BadConfig):
        swept(text)
