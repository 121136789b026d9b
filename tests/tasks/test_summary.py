"""En.Sum: what is asked for stands once, the form of a report is worth little, and facts lie
anywhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from solvers_documents import report, spans_text, uniform_distance, without

from scbench.errors import BadConfig, BadRow, TooSmall
from scbench.scoring.grade import grade
from scbench.scoring.summary import split_sentences
from scbench.tasks import task
from scbench.tasks.build import tolerance
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import facts, prose, words
from scbench.types import Role, Score, Session, Turn

TASK = task("summary")
PINNED = {(1024, 3): "0b5ef7a4b6b56993", (9000, 5): "5441ce9de6ae3cdb"}


def make(
    seed: str = "2:0",
    target: int = 20_000,
    turns: int = 5,
    count: Counter = Bytes(),  # noqa: B008
    **knobs: object,
) -> Session:
    return TASK.make(seed=seed, target=target, turns=turns, count=count, **knobs)


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return [make(f"2:{i}") for i in range(8)] + [
        make(f"2:{i}", target=1500, turns=3) for i in range(8)
    ]


def score(turn: Turn, prediction: str) -> Score:
    return grade("summary", prediction, turn.wanted, rule="strict")


def test_the_support_sentences_are_the_whole_summary(sessions: list[Session]) -> None:
    for session in sessions:
        for turn in session.turns:
            told = score(turn, " ".join(spans_text(session, turn, Role.SUPPORT)))
            assert told.value == pytest.approx(1.0)
            assert (told.side["fact_recall"], told.side["leak"]) == (1.0, 0.0)
            assert sorted(spans_text(session, turn, Role.ANSWER)) == sorted(turn.wanted.facts)


def test_the_gold_scores_1_by_both_rules_and_another_reports_gold_0(
    sessions: list[Session],
) -> None:
    for session in sessions:
        for turn in session.turns:
            own = score(turn, turn.gold)
            assert own.value == grade("summary", turn.gold, turn.wanted, rule="official").value == 1
            assert own.side["leak"] == 0
            assert own.side["floor"] == 0
            assert max(score(turn, rival).value or 0 for rival in turn.wanted.rival_golds) == 0


def test_without_its_sentences_a_report_yields_no_fact(sessions: list[Session]) -> None:
    for session in sessions:
        for turn in session.turns:
            left = score(turn, report(without(session, turn), turn.ask))
            assert left.side["fact_recall"] == 0
            assert (left.value or 0) < 0.5


def test_the_first_sentences_of_a_long_report_are_no_summary() -> None:
    for i in range(4):
        session = make(f"4:{i}", target=40_000)
        for turn in session.turns:
            body = [
                line
                for line in report(session.context, turn.ask).split("\n")
                if line and line not in facts.SECTIONS
            ]
            lead = split_sentences(" ".join(body)).split("\n")[: len(turn.wanted.facts)]
            assert (score(turn, "\n".join(lead)).value or 0) < 0.6


def test_values_and_titles_stand_once(sessions: list[Session]) -> None:
    for session in sessions:
        for value in {*session.turns[0].wanted.facts, *session.turns[0].wanted.rival_facts}:
            assert session.context.count(value) == 1
        for turn in session.turns:
            assert session.context.count(turn.ask.split('"')[1]) == 1
            assert turn.wanted.facts[0] not in turn.ask
        assert len({turn.ask for turn in session.turns}) == len(session.turns)


def test_near_misses_are_other_reports_facts(sessions: list[Session]) -> None:
    for session in sessions:
        for turn in session.turns:
            misses = spans_text(session, turn, Role.DISTRACTOR)
            assert all(
                any(miss in rival.split("\n") for rival in turn.wanted.rival_golds)
                for miss in misses
            )


def test_filler_has_no_digit_no_name_and_no_title_word() -> None:
    draw = Draw("test")
    text = " ".join(
        prose.filler(draw, "ferry", is_compact=i % 2 == 0) for i in range(4000)
    ) + prose.pad(40, draw)
    assert not re.search(r"\d|[{}]", text)
    said = set(re.findall(r"[A-Za-z]+", text))
    assert said.isdisjoint(
        {*words.GIVEN_NAMES, *words.TITLE_MARKS, *words.TERM_MARKS, *words.MONTHS, *facts.SECTIONS}
    )
    assert not re.search(r"\b[Aa] [aeiou]", text)


def test_each_kind_of_fact_has_eight_wordings_that_name_value_and_subject() -> None:
    for kind in facts.KINDS:
        assert len(set(kind.wordings)) == 8
        assert all(wording.count("{v}") == wording.count("{t}") == 1 for wording in kind.wordings)
    assert {kind.section for kind in facts.KINDS} == set(range(len(facts.SECTIONS)))


def test_every_fact_is_one_sentence_to_the_scorer() -> None:
    values = facts.Values(Draw("test"))
    for k, kind in enumerate(facts.KINDS):
        for wording in range(len(kind.wordings)):
            told = facts.sentence(k, wording, values.new(k), "mill")
            assert split_sentences(told) == told
            assert told[0].isupper() or told[0].isdigit()


@pytest.mark.parametrize(
    ("target", "turns", "count"),
    [
        (256, 2, Words()),
        (1024, 5, Words()),
        (1024, 3, Bytes()),
        (4096, 5, Bytes()),
        (32_768, 5, Words()),
        (200_000, 12, Words()),
    ],
)
def test_a_session_has_the_length_asked_for(target: int, turns: int, count: Counter) -> None:
    session = make(target=target, turns=turns, count=count)
    assert session.counted == count(session.context)
    assert abs(session.counted - target) <= tolerance(target)
    assert len(session.turns) == turns


def test_a_session_that_is_too_short_says_what_it_needs() -> None:
    with pytest.raises(TooSmall) as small:
        make(target=200, turns=2)
    assert make(target=small.value.minimum, turns=2)
    for seed in range(20):
        assert make(f"9:{seed}", target=TASK.minimum(turns=4, count=Bytes()), turns=4)


def test_long_sessions_have_more_reports_and_turns_never_fewer_than_asked() -> None:
    assert make(target=20_000).recipe["reports"] == 8
    assert make(target=600_000).recipe["reports"] == 37
    assert make(target=1_500, turns=2).recipe["reports"] == 3
    assert make(target=60_000, turns=20).recipe["reports"] == 20


@pytest.mark.parametrize(
    "knobs",
    [{"facts": 0}, {"facts": 11}, {"reports": 4}, {"repeat": 1.5}, {"headings": "no"}, {"fact": 3}],
)
def test_a_knob_out_of_range_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        make(**knobs)  # type: ignore[arg-type]


@pytest.mark.parametrize("facts_wanted", [3, 7, 10])
def test_any_number_of_facts_keeps_the_promises(facts_wanted: int) -> None:
    session = make(target=30_000, facts=facts_wanted)
    assert all(len(turn.wanted.facts) == facts_wanted for turn in session.turns)
    assert all(f"in {facts_wanted} sentences" in turn.ask for turn in session.turns)
    assert max(score(turn, turn.gold).side["floor"] for turn in session.turns) == 0


def test_repeat_makes_filler_redundant_and_headings_can_be_left_out() -> None:
    def distinct(session: Session) -> int:
        return len(set(split_sentences(session.context).split("\n")))

    assert distinct(make(repeat=1.0)) < distinct(make(repeat=0.5)) < distinct(make())
    assert "\nBackground\n" in make().context
    assert "\nBackground\n" not in make(headings=False).context


@pytest.mark.slow
def test_depths_are_uniform_over_sessions_and_a_report_is_asked_once() -> None:
    depths = []
    for i in range(100):
        session = make(f"5:{i}", target=16_000)
        own = [turn.depth for turn in session.turns if turn.depth is not None]
        assert len({turn.wanted.golds for turn in session.turns}) == 5
        depths += own
    assert uniform_distance(depths) < 0.05


def test_asked_items_do_not_depend_on_the_length() -> None:
    assert [turn.gold for turn in make(target=20_000).turns] == [
        turn.gold for turn in make(target=90_000).turns
    ]


@pytest.mark.slow
def test_no_constant_answer_scores_more_than_the_stated_chance() -> None:
    made = [make(f"6:{i}", target=8000, turns=3) for i in range(40)]
    constants = [turn.gold for session in made[:2] for turn in session.turns]
    turns = [turn for session in made[2:] for turn in session.turns]
    for constant in constants:
        assert sum(score(turn, constant).value or 0 for turn in turns) / len(turns) <= TASK.chance


def test_the_same_arguments_make_the_same_session_for_ever() -> None:
    assert {key: make(target=key[0], turns=key[1]).digest[:16] for key in PINNED} == PINNED
    code = "from scbench.tasks import task; from scbench.tasks.contract import Bytes\n"
    code += (
        "print(task('summary').make(seed='2:0', target=9000, turns=5, count=Bytes()).digest[:16])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == PINNED[9000, 5]


def test_a_published_turn_is_read_and_a_written_row_reads_back() -> None:
    turn = TASK.read_turn({"context": "c"}, {"input": "Sum up.", "answer": "It is so."})
    assert (turn.ask, turn.gold, turn.wanted.golds, turn.max_new_tokens) == (
        "Sum up.",
        "It is so.",
        ("It is so.",),
        800,
    )
    assert not turn.wanted.generated
    with pytest.raises(BadRow):
        TASK.read_turn({}, {"answer": "It is so."})
    session = make()
    written = TASK.write_row(session, 3)
    read = [TASK.read_turn(written, item) for item in written["multi_turns"]]  # type: ignore[attr-defined]
    assert [(turn.ask, turn.gold) for turn in read] == [
        (turn.ask, turn.gold) for turn in session.turns
    ]
