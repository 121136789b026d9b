"""En.QA, Zh.QA and En.MultiChoice as tasks: enough evidence, none too much, lengths, options,
chance, published rows.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter as Tally
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from solvers_story import read, solve

from scbench.errors import BadConfig, BadRow, TooSmall
from scbench.scoring import grade
from scbench.tasks import task
from scbench.tasks.build import digest_of, tolerance
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.tasks.materials.story.chinese import CHINESE
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.knobs import StoryKnobs, shape_of
from scbench.tasks.materials.story.plan import make_plan
from scbench.tasks.materials.story.questions import DEFAULT_KINDS, KINDS
from scbench.types import Role, Session, Turn

TASKS = ("qa_eng", "qa_chn", "choice_eng")
ALL_KINDS = {"kinds": KINDS}
PINNED = {
    "qa_eng": "0b4fa4eeb2b6df69",
    "qa_chn": "f601ed73260dc0c4",
    "choice_eng": "27f2b9ebbced0ade",
}


def language_of(name: str):  # type: ignore[no-untyped-def]
    return CHINESE if name == "qa_chn" else ENGLISH


def make(
    name: str,
    seed: str = "1:0",
    target: int = 8000,
    turns: int = 7,
    count: Counter = Bytes(),  # noqa: B008
    **knobs: object,
) -> Session:
    return task(name).make(seed=seed, target=target, turns=turns, count=count, **knobs)


def said_by(turn: Turn, answers: set[str]) -> str:
    """What someone who found `answers` would write: names, or the letters of the options that are
    among them.
    """
    if turn.wanted.options:
        answers = {"ABCD"[i] for i, option in enumerate(turn.wanted.options) if option in answers}
    return ", ".join(sorted(answers))


def cut(context: str, turn: Turn, role: Role) -> tuple[str, str]:
    """The spans of a role joined, and the context without them."""
    inside, outside, at = [], [], 0
    for span in turn.evidence:
        if span.role is role:
            inside.append(context[span.start : span.stop])
            outside.append(context[at : span.start])
            at = span.stop
    return " ".join(inside), "".join([*outside, context[at:]])


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    ("seed", "hops", "target"),
    [("1:0", 2, 8000), ("2:0", 1, 16000), ("3:0", 3, 8000), ("4:0", 2, 3500)],
)
def test_support_is_enough_and_needed(name: str, seed: str, hops: int, target: int) -> None:
    session, language = make(name, seed, target, hops=hops, **ALL_KINDS), language_of(name)
    for turn in session.turns:
        support, rest = cut(session.context, turn, Role.SUPPORT)
        assert grade(name, turn.gold, turn.wanted, rule="strict").value == 1
        for text in (support, session.context):
            assert said_by(turn, solve(read(text, language), turn.ask, language)) == turn.gold
        assert (
            grade(
                name,
                said_by(turn, solve(read(rest, language), turn.ask, language)),
                turn.wanted,
                rule="strict",
            ).value
            == 0
        )


@pytest.mark.parametrize("name", TASKS)
def test_support_holds_the_answer_and_spans_do_not_cross(name: str) -> None:
    session = make(name)
    for turn in session.turns:
        gold = turn.wanted.options["ABCD".index(turn.gold)] if turn.wanted.options else turn.gold
        answers = [span for span in turn.evidence if span.role is Role.ANSWER]
        wholes = [span for span in turn.evidence if span.role is not Role.ANSWER]
        assert [session.context[span.start : span.stop] for span in answers] in (
            [gold],
            [],
        )  # none for a count
        assert all(
            any(
                whole.role is Role.SUPPORT and whole.start <= a.start and a.stop <= whole.stop
                for whole in wholes
            )
            for a in answers
        )
        assert all(left.stop <= right.start for left, right in pairwise(wholes))
        assert all(session.context[span.stop - 1] in ".。" for span in wholes)


@pytest.mark.parametrize("name", ["qa_eng", "qa_chn"])
def test_answers_of_near_misses_and_of_other_turns_earn_nothing(name: str) -> None:
    session, language = make(name, "6:0", 12000, turns=12), language_of(name)
    for turn in session.turns:
        near, _ = cut(session.context, turn, Role.DISTRACTOR)
        entities = {
            word for told in read(near, language) for slot, word in told.items() if slot != "kind"
        }
        others = {other.gold for other in session.turns}
        for wrong in (entities | others) - {turn.gold}:
            assert grade(name, wrong, turn.wanted, rule="strict").value == 0, (turn.ask, wrong)


@pytest.mark.parametrize("name", TASKS)
def test_no_question_names_its_answer(name: str) -> None:
    for seed in range(10):
        for turn in make(name, f"{seed}:0").turns:
            gold = (
                turn.wanted.options["ABCD".index(turn.gold)] if turn.wanted.options else turn.gold
            )
            assert gold.casefold() not in turn.ask.casefold()


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    ("target", "turns"), [(1400, 5), (700, 2), (4096, 5), (4096, 12), (32768, 5), (32768, 1)]
)
def test_the_length_is_met(name: str, target: int, turns: int) -> None:
    for count in (Bytes(), Words()) if name != "qa_chn" else (Bytes(),):
        session = make(name, "11:3", target, turns, count)
        assert (session.counted, len(session.turns)) == (count(session.context), turns)
        assert abs(session.counted - target) <= tolerance(target)


@pytest.mark.parametrize("name", ["qa_eng", "choice_eng"])
def test_two_turns_fit_256_words_and_five_fit_1024(name: str) -> None:
    assert task(name).minimum(turns=2, count=Words()) <= 128
    assert task(name).minimum(turns=5, count=Words()) <= 512


@pytest.mark.parametrize("name", TASKS)
def test_the_minimum_holds_for_any_seed_and_less_is_refused_with_a_number(name: str) -> None:
    for turns in (1, 2, 5):
        least = task(name).minimum(turns=turns, count=Bytes())
        for seed in range(100, 110):
            make(name, f"{seed}:0", least, turns)
    with pytest.raises(TooSmall) as caught:
        make(name, "1:0", 100, 5)
    assert 100 < caught.value.minimum <= task(name).minimum(turns=5, count=Bytes())
    make(name, "1:0", caught.value.minimum, 5)


@pytest.mark.parametrize("name", TASKS)
def test_the_same_arguments_make_the_same_session(name: str) -> None:
    first, second = make(name, "5:5"), make(name, "5:5")
    assert first == second
    assert first.digest == digest_of(second)
    assert make(name, "5:6").digest != first.digest


@pytest.mark.parametrize("name", TASKS)
def test_a_longer_context_asks_the_same(name: str) -> None:
    short, long = (make(name, "5:5", target, people=30) for target in (6000, 24000))
    assert [(turn.ask, turn.gold) for turn in short.turns] == [
        (turn.ask, turn.gold) for turn in long.turns
    ]


@pytest.mark.slow
def test_answers_lie_everywhere_whatever_the_turn() -> None:
    sessions = [make("qa_eng", f"{seed}:0", 4096 * 4, 5) for seed in range(200)]
    depths = [[turn.depth or 0.0 for turn in session.turns] for session in sessions]
    pooled = sorted(depth for row in depths for depth in row)
    assert max(abs((i + 0.5) / len(pooled) - depth) for i, depth in enumerate(pooled)) < 0.05
    assert all(
        abs(sum(row[turn] for row in depths) / len(depths) - 0.5) < 0.06 for turn in range(5)
    )
    in_strata = sum(sorted(int(depth * 5) for depth in row) == [0, 1, 2, 3, 4] for row in depths)
    assert in_strata >= 180  # a statement beside a border may fall on its other side


@pytest.mark.slow
@pytest.mark.parametrize("kind", DEFAULT_KINDS)
def test_no_constant_answer_beats_chance(kind: str) -> None:
    shape = shape_of(StoryKnobs(kinds=(kind,)), turns=5, compact=False, people=40, options=0)
    golds, vocabulary = Tally[str](), 0
    for seed in range(400):
        plan = make_plan(f"{seed}:0", shape)
        words = plan.world.words(ENGLISH)
        golds.update(asked.gold(words) for asked in plan.asked)
        kinds = {
            "person": len(words.people),
            "place": len(words.places),
            "trade": len(words.trades),
            "day": shape.days,
        }
        vocabulary = kinds[plan.asked[0].answer_type]
    best = golds.most_common(1)[0][1] / golds.total()
    assert best <= 1.5 / vocabulary + 0.005  # the sampling error of a share of 2,000


def test_options_are_balanced_and_only_one_is_right() -> None:
    for seed in range(25):
        session = make("choice_eng", f"{seed}:1", 2500 if seed % 2 else 9000, 6 + seed % 5)
        tally = Tally(turn.gold for turn in session.turns)
        assert all(abs(tally[letter] - len(session.turns) / 4) <= 1 for letter in "ABCD")
        told = read(session.context, ENGLISH)
        for turn in session.turns:
            assert len(set(turn.wanted.options)) == 4
            assert all(
                option in session.context and (len(option) > 1 or option.isdigit())
                for option in turn.wanted.options
            )
            assert all(
                left not in right and right not in left
                for left, right in combinations(turn.wanted.options, 2)
            )
            assert [
                option in solve(told, turn.ask, ENGLISH) for option in turn.wanted.options
            ].count(True) == 1


@pytest.mark.parametrize("kind", DEFAULT_KINDS)
def test_a_single_turn_without_background_still_has_four_options(kind: str) -> None:
    for seed in range(20):
        for mentions in (0, None):
            turn = make("choice_eng", f"{seed}:0", 700, 1, kinds=(kind,), mentions=mentions).turns[
                0
            ]
            assert all(
                left not in right and right not in left
                for left, right in combinations(turn.wanted.options, 2)
            )


def test_options_of_a_count_are_other_counts() -> None:
    session = make("choice_eng", "1:0", 6000, 3, kinds=("count",))
    assert all(
        set(turn.wanted.options) <= set("23456789") and len(set(turn.wanted.options)) == 4
        for turn in session.turns
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_written_row_reads_back(name: str) -> None:
    session, found = make(name), task(name)
    row = found.write_row(session, 4)
    items = row["multi_turns"]
    assert (row["id"], row["context"]) == (4, session.context)
    assert isinstance(items, list)
    for item, turn in zip(items, session.turns, strict=True):
        again = found.read_turn(row, item)
        assert (again.ask, again.gold, again.wanted.golds, again.wanted.options) == (
            turn.ask,
            turn.gold,
            turn.wanted.golds,
            turn.wanted.options,
        )
        assert (again.task, again.wanted.generated, again.wanted.is_chinese) == (
            name,
            False,
            name == "qa_chn",
        )


def test_a_published_choice_may_give_the_option_text_or_its_letter() -> None:
    item = {"input": "Who?", "options": ["Ann", "Bo ", "Cy", "Di"]}
    for answer in ("Bo ", "Bo", "B", ["Bo", "B"]):
        turn = task("choice_eng").read_turn({}, {**item, "answer": answer})
        assert (turn.gold, turn.wanted.options) == ("B", ("Ann", "Bo ", "Cy", "Di"))
    for answer in ("Eve", None, []):
        with pytest.raises(BadRow):
            task("choice_eng").read_turn({}, {**item, "answer": answer})


def test_a_published_book_question_may_accept_several_answers() -> None:
    turn = task("qa_eng").read_turn({}, {"input": "Who?", "answer": ["Ann", "Miss Ann"]})
    assert (turn.gold, turn.wanted.golds) == ("Ann", ("Ann", "Miss Ann"))
    with pytest.raises(BadRow):
        task("qa_chn").read_turn({}, {"input": "谁？"})


@pytest.mark.parametrize(
    "knobs",
    [
        {"kinds": ()},
        {"kinds": "kin"},
        {"kinds": ("who",)},
        {"hops": 4},
        {"mentions": -1},
        {"people": 3},
        {"templates": 7},
        {"colour": 1},
    ],
)
def test_a_knob_that_is_not_allowed_is_named(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match=next(iter(knobs))):
        make("qa_eng", **knobs)


def test_a_counter_that_cannot_see_chinese_is_refused() -> None:
    with pytest.raises(BadConfig, match="words"):
        make("qa_chn", count=Words())


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_four_megabytes_are_written_in_linear_time(name: str) -> None:
    start_s = time.process_time()
    make(name, "1:1", 4_000_000, 5)
    assert time.process_time() - start_s < 60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qa_eng", "choice_eng"])
def test_a_million_words_are_met_and_read(name: str) -> None:
    session = make(name, "1:1", 1_000_000, 5, Words())
    assert abs(session.counted - 1_000_000) <= tolerance(1_000_000)
    assert session.recipe["people"] > 2000  # type: ignore[operator]


def test_the_recipe_makes_the_session_again() -> None:
    for target in (1500, 9000):
        session = make("qa_eng", "3:3", target, 5, Words())
        knobs = {
            name: session.recipe[name]
            for name in ("kinds", "hops", "mentions", "people", "templates", "days")
        }
        assert make("qa_eng", "3:3", target, 5, Words(), **knobs).context == session.context


def test_another_hash_seed_makes_the_same_sessions() -> None:
    code = (
        "from test_story_tasks import *; print(*[make(name, '1:0', 3000).digest for name in TASKS])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {" ".join(make(name, "1:0", 3000).digest for name in TASKS) + "\n"}


@pytest.mark.parametrize(("name", "digest"), PINNED.items())
def test_the_sessions_of_this_version_do_not_change(name: str, digest: str) -> None:
    assert (
        hashlib.sha256(make(name, "1:0", 6000).context.encode()).hexdigest()[:16] == digest
    )  # a change needs a new Task.version


def test_one_seed_tells_another_story_in_each_task() -> None:
    asked = {name: {turn.ask for turn in make(name, "1:3").turns} for name in TASKS}
    assert asked["qa_eng"].isdisjoint(asked["choice_eng"])
    people = {name: make(name, "1:3").context.split("\n")[2][:40] for name in TASKS}
    assert len(set(people.values())) == 3


@pytest.mark.parametrize("target", [1500, 8000])
def test_the_last_that_is_told_of_an_asked_thing_is_where_it_was_put(target: int) -> None:
    gifts = 0
    for i in range(20):
        session = make("qa_eng", f"6:{i}", target, 2, kinds=("place-last",))
        told = read(session.context, ENGLISH)
        for turn in session.turns:
            thing = turn.ask.removeprefix("Where is the ").removesuffix(" at the end of the story?")
            of_it = [said for said in told if said.get("o") == thing]
            assert of_it[-1]["kind"] == "puts"
            gifts += any(said["kind"] == "gives" for said in of_it)
    assert gifts or target < 4096  # and it has had owners before
