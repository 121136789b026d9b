"""The headline figure: who is on the frontier, and names that lie on nothing."""

from __future__ import annotations

import re
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_sample import sample

from scbench.report.drawing import VEGA, drawings
from scbench.report.headline import headline
from scbench.report.page.figure import ACROSS, SIZES, UP, frontier, layouts, points
from scbench.report.page.figure_spec import THEMES, filled
from scbench.report.page.labels import LETTER, placed
from scbench.stats import Summary

SPOT = st.tuples(
    st.floats(0, 690), st.floats(0, 320), st.text(alphabet="abcxyz[]=/", min_size=1, max_size=20)
)


def box(
    name: str, x: float, y: float, align: str, size: float
) -> tuple[float, float, float, float]:
    long = LETTER * size * len(name)
    left = x if align == "left" else x - long
    return left, y - size / 2, left + long, y + size / 2


@given(spots=st.lists(SPOT, max_size=30))
def test_no_name_lies_on_another_or_on_a_point_of_another(
    spots: list[tuple[float, float, str]],
) -> None:
    found = placed(spots, 700, 330, 12)
    boxes = [
        (at, box(spots[at][2], one.x, one.y, one.align, 12))
        for at, one in enumerate(found)
        if one is not None
    ]
    for at, (left, top, right, bottom) in boxes:
        assert left >= -1e-6
        assert right <= 700 + 1e-6
        for other, (left2, top2, right2, bottom2) in boxes:
            apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
            assert at == other or apart
        for other, (x, y, _) in enumerate(spots):
            assert other == at or not (left < x < right and top < y < bottom)


def test_thirty_methods_at_two_shares_all_have_their_name() -> None:
    spots = [(x, 5.0 + 21 * at, f"method-{at}") for at in range(15) for x in (100.0, 400.0)]
    assert None not in placed(spots, 700, 330, 12)


def test_thirty_methods_of_one_share_and_nearly_one_loss_all_have_their_name() -> None:
    """As they are where all ran at a quarter: a column of points, closer than lines of type."""
    spots = [(350.0, 60.0 + 5.7 * at, f"method-name-{at}") for at in range(31)]
    assert None not in placed(spots, 700, 330, 12)


def test_the_frontier_leaves_out_floors_ceilings_and_who_is_beaten_in_both() -> None:
    def one(
        held: float | None, loss: float | None, *, is_reference: bool = False
    ) -> dict[str, object]:
        return {"held": held, "loss": loss, "is_reference": is_reference}

    found = [
        one(100, 0),  # dense
        one(25, -5),
        one(25, -9),  # as many bytes, more lost
        one(50, -6),  # more bytes, more lost
        one(12, -40),
        one(5, 0, is_reference=True),
        one(None, -1),
    ]
    assert frontier(found, "held", "loss") == [4, 1, 0]


def test_every_layout_holds_its_points(summary: Summary) -> None:
    found = points(summary, headline(summary, summary.settings[0]), summary.modes[0])
    made = layouts(found)
    assert {"held/loss/wide", "held/loss/narrow", "tpot/loss/wide"} <= set(made)
    for key, layout in made.items():
        across, up, size = key.split("/")
        for one in found:
            if one[across] is None or one[up] is None:
                continue
            assert layout["x"]["domain"][0] <= one[across] <= layout["x"]["domain"][1]
            assert layout["y"]["domain"][0] <= one[up] <= layout["y"]["domain"][1]
        for name in layout["names"]:
            assert name is None or 0 <= name[0] <= SIZES[size][0]


@pytest.fixture(scope="module")
def agreeing() -> list[dict[str, Any]]:
    told, _ = sample()
    return points(told, headline(told, told.settings[0]), "multi-turn")


def test_points_are_drawn_where_names_were_placed_for(agreeing: list[dict[str, Any]]) -> None:
    """Python places names on axes that Vega draws: both must mean the same by them."""
    made = layouts(agreeing)
    keys = [key for key in made if key.endswith("wide")]
    assert len(keys) == 8
    titles = dict.fromkeys(["held", "loaded", "tpot", "ttft", "loss", "top1"], "title")
    specs = [{VEGA: filled(agreeing, made[key], key, titles, "light")} for key in keys]
    for key, drawing in zip(keys, drawings(specs), strict=True):
        symbols = re.search(r'class="mark-symbol.*?</g>', drawing.text, re.DOTALL)
        assert symbols is not None
        found = re.findall(r"translate\(([-\d.]+),([-\d.]+)\)", symbols.group())
        across, up, size = key.split("/")
        width, height = SIZES[size]
        (x0, x1), (y0, y1) = made[key]["x"]["domain"], made[key]["y"]["domain"]
        wanted = [
            (
                width * log2(one[across] / x0) / log2(x1 / x0),
                height * (1 - (one[up] - y0) / (y1 - y0)),
            )
            for one in agreeing
        ]
        for pair, expected in zip(found, wanted, strict=True):
            assert [float(one) for one in pair] == pytest.approx(expected, abs=0.6), key


NUMBER = st.one_of(st.none(), st.floats(-250, 250))
SIZE = st.one_of(st.none(), st.floats(1e-3, 1e7))


@st.composite
def methods(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for place in range(draw(st.integers(1, 6))):
        loss, top1 = draw(NUMBER), draw(st.one_of(st.none(), st.floats(0, 100)))
        found.append(
            {
                "label": f"m{place}",
                "is_baseline": place == 0,
                "is_reference": draw(st.booleans()),
                "loss": loss,
                "loss_low": None if loss is None else loss - draw(st.floats(0, 100)),
                "loss_high": None if loss is None else loss + draw(st.floats(0, 100)),
                "top1": top1,
                "top1_low": None if top1 is None else top1 * draw(st.floats(0, 1)),
                "top1_high": top1,
                **{name: draw(SIZE) for name in ACROSS},
            }
        )
    return found


@given(found=methods())
def test_whatever_was_measured_there_is_a_picture_with_every_point_in_its_frame(
    found: list[dict[str, Any]],
) -> None:
    made = layouts(found)
    for across in ACROSS:
        for up in UP:
            known = [one for one in found if None not in (one[across], one[up])]
            assert (f"{across}/{up}/wide" in made) == bool(known)
            if not known:
                continue
            layout = made[f"{across}/{up}/wide"]
            for axis, name in (("x", across), ("y", up)):
                low, high = layout[axis]["domain"]
                assert all(low <= one[name] <= high for one in known)
                assert len([tick for tick in layout[axis]["ticks"] if low <= tick <= high]) >= 2
                assert len(layout[axis]["ticks"]) <= 14


def test_names_all_have_room_in_the_sample(summary: Summary) -> None:
    found = points(summary, headline(summary, summary.settings[0]), summary.modes[0])
    names = layouts(found)["held/loss/wide"]["names"]
    assert [one is not None for one in names] == [one["held"] is not None for one in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "front"])
def test_every_ink_of_a_text_has_a_contrast_of_four_and_a_half(theme: str, ink: str) -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [
            one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pair = sorted(light(THEMES[theme][name]) for name in (ink, "paper"))
    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5
