"""What the page has of single answers: columns, windows around evidence, heads, sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factory import record, session
from hypothesis import given
from hypothesis import strategies as st
from page_parts import rows, unpacked
from page_sample import answered, held, sample, session_of

from scbench.report.headline import headline
from scbench.report.page import HeadsHeld, PageSource, page
from scbench.report.page.columns import tenths
from scbench.report.page.figure import points
from scbench.report.page.samples import by_layer, heads
from scbench.report.page.verdicts import verdicts
from scbench.report.page.windows import AROUND, MOST_OF_A_SPAN, MOST_WINDOWS, windows
from scbench.report.words import signed
from scbench.stats import OVERALL, Standing, Summary, summarise
from scbench.types import Role, Session, Span

TEXT = st.text(alphabet="abc \n\U0001f600", min_size=1, max_size=3000)


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(TEXT)
    spans = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text) - 1))
        stop = draw(st.integers(start + 1, len(text)))
        spans.append(Span(start, stop, draw(st.sampled_from(list(Role)))))
    return text, spans


@given(case=marked())
def test_windows_are_pieces_of_the_context_in_order_and_hold_what_is_marked(
    case: tuple[str, list[Span]],
) -> None:
    text, spans = case
    found, more = windows(text, spans)
    assert len(found) <= MOST_WINDOWS
    assert more >= 0
    last = -1
    shown: dict[int, str] = {}
    for one in found:
        assert one["at"] > last
        at = one["at"]
        for part, role in one["parts"]:
            assert text[at : at + len(part)] == part
            covers = [span for span in spans if span.start <= at and at + len(part) <= span.stop]
            assert role in {str(span.role) for span in covers} | ({""} if not covers else set())
            shown.update(dict.fromkeys(range(at, at + len(part)), role))
            at += len(part)
        last = at
    if not more:
        for span in spans:
            seen = range(span.start, min(span.stop, span.start + MOST_OF_A_SPAN))
            assert all(shown.get(at) for at in seen)


def test_a_long_context_is_not_in_the_page_but_what_stands_around_the_evidence() -> None:
    text = "x" * 50_000 + "THE FACT" + "y" * 50_000
    (one,), more = windows(text, [Span(50_000, 50_008, Role.ANSWER)])
    assert more == 0
    assert [len(part) for part, _ in one["parts"]] == [AROUND, 8, AROUND]
    assert one["parts"][1] == ["THE FACT", "answer"]


def test_a_short_span_within_a_long_one_shortens_no_window() -> None:
    text = "".join(chr(97 + at % 26) for at in range(2_000))
    spans = [Span(500, 800, Role.SUPPORT), Span(510, 520, Role.ANSWER)]
    (one,), _ = windows(text, spans)
    assert "".join(part for part, _ in one["parts"]) == text[500 - AROUND : 800 + AROUND]
    assert [role for _, role in one["parts"]] == ["", "support", "answer", "support", ""]


def test_of_a_span_as_long_as_the_context_its_beginning_is_shown() -> None:
    (one,), _ = windows("z" * 9_000, [Span(0, 9_000, Role.GLOBAL)])
    assert sum(len(part) for part, _ in one["parts"]) == MOST_OF_A_SPAN + AROUND


def test_each_answer_is_a_row_with_its_own_numbers_in_whatever_order_they_came() -> None:
    summary, source = sample()
    turned = PageSource(
        records=source.records[::-1], sessions=source.sessions, evidence=source.evidence
    )
    data = unpacked(page(summary, source=source), "samples")
    assert unpacked(page(summary, source=turned), "samples") == data
    found = rows(data["records"])
    assert len(found) == len(source.records)
    by_place = {
        (one.method, str(one.mode), one.session_digest, one.turn): one for one in source.records
    }
    for row in found:
        digest = data["sessions"][row["session"]]["digest"]
        one = by_place[row["method"], row["mode"], digest, row["turn"]]
        assert row["strict"] == one.strict.value
        assert row["text"] == (None if one.answer is None else one.answer.text)
        assert row["kept"] == one.evidence_kept
        assert row["held_bytes"] == one.cost.held_bytes
        turn = data["sessions"][row["session"]]["turns"][row["turn"]]
        assert turn["ask"] == source.sessions[digest].turns[row["turn"]].ask
        assert turn["gold"] in str(turn["windows"])


def test_a_session_whose_file_is_gone_is_named_and_its_answers_stay() -> None:
    made = [answered(one) for one in session([1.0, 0.0])]
    data = unpacked(page(summarise(made, resamples=0), source=PageSource(records=made)), "samples")
    assert [one.get("is_gone") for one in data["sessions"]] == [True]
    assert data["records"]["strict"] == [1, 0]


def test_the_newest_of_two_lines_of_one_turn_counts() -> None:
    old = answered(record(value=0.0))
    new = answered(record(value=1.0))
    source = PageSource(records=[old, new])
    data = unpacked(page(summarise([old, new], resamples=0), source=source), "samples")
    assert data["records"]["strict"] == [1]


def test_evidence_by_head_is_the_mean_over_right_turns_and_over_wrong_ones() -> None:
    made = [answered(one) for one in session([1.0, 1.0, 0.0, None])]
    counts = {0: [6, 0], 1: [3, 3], 2: [0, 6], 3: [1, 1]}
    evidence = {
        (one.key, one.turn): HeadsHeld(heads=(2,), tokens=6, held=counts[one.turn]) for one in made
    }
    source = PageSource(records=made, evidence=evidence)
    (found,) = heads(summarise(made, resamples=0), source)
    assert found["right"] == {"turns": 2, "shares": [0.75, 0.25]}
    assert found["wrong"] == {"turns": 1, "shares": [0, 1]}  # a gap is neither


def test_what_a_selection_read_is_told_before_what_it_holds() -> None:
    one = HeadsHeld(heads=(1, 2), tokens=4, held=[4, 4, 4], loaded=[4, 2, 0])
    assert by_layer(one) == [1.0, 0.25]
    assert by_layer(replace(one, loaded=None)) == [1.0, 1.0]
    assert by_layer(replace(one, heads=(0, 1, 2))) == [1.0, 1.0, 0.25]  # a layer without attention


@given(shares=st.lists(st.floats(0, 1), max_size=40))
def test_a_sign_of_a_strip_never_claims_all_or_nothing_falsely(shares: list[float]) -> None:
    for sign, share in zip(tenths(shares), shares, strict=True):
        assert (sign == "A") == (share == 1.0)
        assert (sign == "0") == (share == 0.0)
        if sign not in "0A":
            assert abs(int(sign) / 10 - share) <= 0.1


def said(summary: Summary, mode: str) -> list[dict[str, str]]:
    one = headline(summary, summary.settings[0])
    return verdicts(summary, one, mode, points(summary, one, mode))


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    summary, _ = sample()
    return {one["asks"]: one["says"] for one in said(summary, "multi-turn")}


def test_the_sentences_name_the_best_at_each_share_of_the_bytes(told: dict[str, str]) -> None:
    assert told["At a quarter of the bytes held?"].startswith("kvzip is best: ")
    assert "then snapkv −" in told["At a quarter of the bytes held?"]
    assert told["At an eighth of the bytes held?"].startswith("snapkv[tau=1/8] is best: −")
    assert told["At a quarter of the bytes loaded?"].startswith("quest is best: ")
    assert "At half of the bytes held?" not in told


def test_the_sentences_say_who_falls_after_the_first_turn(told: dict[str, str]) -> None:
    said = told["Are later turns lost?"]
    assert said.startswith("After the first turn (multi-turn): snapkv")
    falls, holds = said.split(". ", 1)
    assert "kvzip" not in falls
    assert "dense" in holds
    assert holds.endswith("no fall that is sure.")


def test_each_mode_has_a_sentence_of_its_own_with_the_numbers_of_its_table() -> None:
    summary, _ = sample()
    setting = summary.settings[0]
    found = {}
    for mode in summary.modes_in(setting):
        found[mode] = said(summary, mode)[0]["says"]
        average = summary.average(setting, mode, "snapkv[tau=1/8]", OVERALL)
        assert average is not None
        assert average.difference is not None
        assert signed(average.difference.value).lstrip("−") in found[mode]
    assert len(set(found.values())) == 2


def test_where_turns_do_not_see_each_other_nobody_falls() -> None:
    made = [
        one
        for number in range(6)
        for one in session([1.0, 0.0, 0.0], number=number, mode="multi-request")
    ]
    summary = summarise(made, resamples=0)
    found = said(summary, "multi-request")
    assert "Are later turns lost?" not in {one["asks"] for one in found}


def test_the_sample_is_whole(summary: Summary) -> None:
    """The sessions of the sample hold what their spans say."""
    one = session_of(record(turns=3))
    assert isinstance(one, Session)
    for turn in one.turns:
        answer = turn.evidence[1]
        assert one.context[answer.start : answer.stop] == turn.gold
    assert held(answered(record())).tokens == 6
    assert summary.settings


def point(name: str, standing: str, loss: float, held: float) -> dict[str, object]:
    return {
        "name": name,
        "is_baseline": False,
        "is_reference": False,
        "standing": standing,
        "verdict": standing,
        "reach": "",
        "loss": loss,
        "held": held,
        "loaded": None,
    }


def test_the_same_answers_so_far_are_not_called_sure() -> None:
    summary, _ = sample()
    one = headline(summary, summary.settings[0])
    same = point("kivi", str(Standing.SAME), 0.0, 20.0)
    sure = point("kvzip", str(Standing.EQUIVALENT), -1.0, 50.0)

    def cheapest(*found: dict[str, object]) -> str:
        told = {line["asks"]: line["says"] for line in verdicts(summary, one, "multi-turn", found)}
        return told.get("What is cheapest?", "")

    assert cheapest(same).startswith("Nothing surely within")
    assert "kivi holds 20 %" in cheapest(same)
    assert cheapest(same, sure) == "Surely within 5 points of dense: kvzip holds 50 % of its bytes."


def test_a_better_method_with_fewer_bytes_is_named_at_a_share() -> None:
    summary, _ = sample()
    one = headline(summary, summary.settings[0])
    found = [point("wide", "worse", -60.0, 25.0), point("small", "worse", -5.0, 20.0)]
    told = {line["asks"]: line["says"] for line in verdicts(summary, one, "multi-turn", found)}
    assert told["At a quarter of the bytes held?"].startswith("small is best: ")
