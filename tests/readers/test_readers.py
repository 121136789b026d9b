"""Readers find the golds, and see the ones that are planted wrong."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from readers.story import chinese, english, told

HERE = Path(__file__).parent
KNOWS_SESSIONS = {"table.py", "planted.py"}  # these two hold readers against sessions


def test_a_reader_imports_nothing_of_ours() -> None:
    seen = 0
    for path in HERE.rglob("*.py"):
        if path.name in KNOWS_SESSIONS or path.name.startswith("test_"):
            continue
        seen += 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert not any(name.split(".")[0] == "scbench" for name in names), path
    assert seen >= 10


STORY = (
    "Chapter 1. Footsteps\n\nOn day 2, Bele found the oak bowl at the old mill. "
    "Bele gave Debrel the oak bowl at the dim gate on day 5. Smoke rose straight from the "
    "chimneys. On day 7, Bele went to the long ferry. {}"
)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("", "dim gate"),
        ("It was day 9 when Debrel arrived at the red dock with tired feet.", "red dock"),
        ("On day 9, Debrel put the oak bowl in the red dock. Debrel came to the old barn on day "
         "12.", "red dock"),
        ("On day 9, Debrel met Jiemo at the red dock.", "red dock"),
        ("On day 9, Debrel sold the oak bowl at the red dock. On day 10, Debrel went to the old "
         "barn.", "red dock"),
        ("On day 9, Debrel learned chess.", "dim gate"),
    ],
)  # fmt: skip
def test_a_gift_goes_where_its_new_owner_goes_until_it_is_put_down(more: str, place: str) -> None:
    asked = "Where is the oak bowl at the end of the story?"
    assert told.answer(STORY.format(more), asked, english.LANGUAGE) == place


def test_a_gift_goes_with_its_owner_in_chinese_too() -> None:
    text = "第3天，王伟丽在旧磨坊把铜灯给了李军磊。李军磊在第5天来到干城门。"
    assert told.answer(text, "故事结束时，铜灯在哪里？", chinese.LANGUAGE) == "干城门"
