"""Two lists that may only shrink: long lines of a file, and class names that mean two things."""

from __future__ import annotations

import pytest

from house.lists import COLUMNS, KEPT, UPDATE, kept, present

WHAT = {
    "long_lines": f"lines over {COLUMNS} columns; break the new ones",
    "class_names": "files that define a class of this name; give the new class a name of its own",
}


@pytest.mark.parametrize("name", sorted(WHAT))
def test_nothing_is_added_to_a_list_that_may_only_shrink(name: str) -> None:
    now, allowed = present()[name], kept()[name]
    grown = {
        one: f"{allowed.get(one, 0)} -> {count}"
        for one, count in now.items()
        if count > allowed.get(one, 0)
    }
    assert grown == {}, f"{WHAT[name]}: {grown}"


@pytest.mark.parametrize("name", sorted(WHAT))
def test_a_list_that_has_shrunk_is_written_down(name: str) -> None:
    now, allowed = present()[name], kept()[name]
    shrunk = {
        one: f"{count} -> {now.get(one, 0)}"
        for one, count in allowed.items()
        if now.get(one, 0) < count
    }
    assert shrunk == {}, f"well done; run `{UPDATE}` so that {KEPT.name} says so: {shrunk}"
