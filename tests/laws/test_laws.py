"""Every law holds for every registered method and for compositions, on three head layouts; and
every law can fail.
"""

from __future__ import annotations

from functools import cache

import pytest

from methods import ELSEWHERE, METHODS, NOT_ON_EVERY_SAVE, ON_EVERY_SAVE, may_idle
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.exam.laws import LAWS, examine
from scbench.methods import names, parse

engine = cache(tiny)


def test_every_registered_method_is_held_against_the_laws() -> None:
    examined = {part.partition("[")[0] for spelling in METHODS for part in spelling.split("+")}
    assert set(names()) <= examined | ELSEWHERE


def is_slow(heads: str, spelling: str) -> bool:
    """On every save the laws are played on grouped heads, the middle between the two others.
    InfLLM reads token by token, ten seconds of laws: one of its pairs is played on every save.
    """
    return heads != "gqa" or spelling not in ON_EVERY_SAVE or spelling.startswith("infllm")


@pytest.mark.parametrize(
    ("heads", "spelling"),
    [
        pytest.param(heads, spelling, marks=marks)
        for spelling in METHODS
        for heads in ("mha", "gqa", "mqa")
        for marks in [[pytest.mark.slow] if is_slow(heads, spelling) else []]
    ],
)
def test_every_law_holds(spelling: str, heads: str) -> None:
    without = set() if is_slow(heads, spelling) else NOT_ON_EVERY_SAVE
    found = examine(engine(heads), parse(spelling), without=without)
    broken = {
        statement: verdict for statement, verdict in found.items() if verdict.startswith("broken")
    }
    assert not broken
    idle = {statement for statement, verdict in found.items() if verdict.startswith("idle")}
    allowed = may_idle(spelling)
    assert all(any(words in statement for words in allowed) for statement in idle), idle


@pytest.mark.slow
@pytest.mark.parametrize("spelling", sorted(ON_EVERY_SAVE - ELSEWHERE))
def test_the_laws_that_are_left_out_on_every_save_hold(spelling: str) -> None:
    found = examine(engine("gqa"), parse(spelling), without=set(LAWS) - NOT_ON_EVERY_SAVE)
    assert [verdict for verdict in found.values() if verdict.startswith("broken")] == []
    assert set(found) >= NOT_ON_EVERY_SAVE


def test_a_verdict_is_given_for_every_law() -> None:
    local: LocalEngine = engine("gqa")
    assert list(examine(local, parse("dense"))) == list(LAWS)
