"""Numbers in English words, where a number is looked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scbench.scoring import grade
from scbench.scoring.english import in_digits
from scbench.types import Wanted

SMALL = tuple(
    word
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
        "fifteen sixteen seventeen eighteen nineteen",
    )
    for word in words.split()
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int, *, has_and: bool) -> str:
    """A number as it is said, by a way of its own."""
    for scale, word in ((10**9, "billion"), (10**6, "million"), (1000, "thousand")):
        if number >= scale:
            rest = f" {in_words(number % scale, has_and=has_and)}" if number % scale else ""
            return f"{in_words(number // scale, has_and=has_and)} {word}{rest}"
    if number >= 100:
        joint = " and " if has_and else " "
        rest = joint + in_words(number % 100, has_and=has_and) if number % 100 else ""
        return f"{SMALL[number // 100]} hundred{rest}"
    if number < 20:
        return SMALL[number]
    return TENS[number // 10] + (f"-{SMALL[number % 10]}" if number % 10 else "")


@given(number=st.integers(0, 10**12 - 1), has_and=st.booleans(), is_negative=st.booleans())
def test_every_number_is_read_as_it_is_said(number: int, has_and: bool, is_negative: bool) -> None:
    said = in_words(number, has_and=has_and)
    if is_negative:
        assert in_digits(f"minus {said}") == f"-{number}"
    else:
        assert in_digits(said) == in_digits(said.upper()) == str(number)


@given(numbers=st.lists(st.integers(13, 10**7), min_size=2, max_size=4))
def test_several_numbers_in_words_stay_several(numbers: list[int]) -> None:
    said = " or ".join(in_words(number, has_and=True) for number in numbers)
    assert in_digits(said) == " or ".join(map(str, numbers))


@pytest.mark.parametrize(
    "text",
    [
        "No one fits.",
        "the smallest one",
        "one of them",
        "Give one number only.",
        "Oh, I see.",
        "second to none",
        "the third largest",
        "a thousand-year-old tone",
        "someone, often, tenth",
        "hundreds of millions",
    ],
)
def test_words_that_are_no_number_stay_words(text: str) -> None:
    assert in_digits(text) == text


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four oh seven one eight", "40718"),
        ("twelve hundred", "1200"),
        ("nineteen ninety-five", "1995"),
        ("a hundred and three", "103"),
        ("two point zero five", "2.05"),
        ("the first day", "the 1st day"),
        ("the three hundred and sixty-first", "the 361st"),
        ("12k, 12 thousand, 1.5 million", "12000, 12000, 1500000"),
        ("1.2万", "12000"),
        ("one thousand, two hundred and five", "1205"),
        ("two hundred, sixteen", "200, 16"),
        ("It is one.", "It is 1."),
    ],
)
def test_numbers_are_read_in_the_ways_they_are_written(text: str, digits: str) -> None:
    assert in_digits(text) == digits


def test_a_number_said_twice_differently_is_no_answer() -> None:
    wanted = Wanted(golds=("598",))
    assert grade("mf", "598 (five hundred ninety-eight)", wanted, rule="strict").value == 1
    assert grade("mf", "598 (five hundred eighty-nine)", wanted, rule="strict").value == 0
    assert grade("mf", "five hundred ninety-eight", wanted, rule="official").value == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("563 894", 1),
        ("The pass key is 5 6 3 8 9 4.", 1),
        ("563894 563894", 1),
        ("563894\n563894", 1),
        ("563 895", 0),
        ("5 6 3 8 9 5", 0),
        ("563 894 or 563 895", 0),
    ],
)
def test_digits_that_stand_apart_are_one_number_unless_they_only_repeat(
    text: str, value: float
) -> None:
    assert grade("passkey", text, Wanted(golds=("563894",)), rule="strict").value == value


def test_a_number_of_three_digits_said_twice_is_one() -> None:
    for text in ("598 598", "598 598 598", "**598** 598"):
        assert grade("mf", text, Wanted(golds=("598",)), rule="strict").value == 1
    assert grade("mf", "598 600", Wanted(golds=("598",)), rule="strict").value == 0
