"""Every planted fault can still be planted, and every method of ours has some."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mutants.planted import PLANTED
from scbench.methods import names, parse
from scbench.methods.cards import CARDS

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "src" / "scbench"
# Its code is another project's, and it needs that project's package.
ADAPTERS = {card.name for card in CARDS.values() if card.package}


def test_the_list_is_long_and_names_each_fault_once() -> None:
    assert len(PLANTED) >= 60
    assert len({mutant.name for mutant in PLANTED}) == len(PLANTED)


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: mutant.name)
def test_a_planted_line_stands_in_its_file_once(mutant) -> None:
    text = (PACKAGE / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"write {mutant.name!r} for {mutant.file} as it is"
    assert mutant.new != mutant.old


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: mutant.name)
def test_a_fault_names_a_method_and_tests_that_exist(mutant) -> None:
    assert str(parse(mutant.method))
    missing = [name for name in mutant.tests if not (TESTS / name).is_file()]
    assert mutant.tests
    assert not missing


def test_every_method_of_ours_has_two_faults_or_more() -> None:
    counts = Counter(part.partition("[")[0] for m in PLANTED for part in m.method.split("+"))
    assert {name for name in set(names()) - ADAPTERS if counts[name] < 2} == set()
