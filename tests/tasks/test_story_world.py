"""The story world: words that cannot be confused, prose that reads back to its log, and the same
log in two languages.
"""

from __future__ import annotations

import re
from collections import Counter as Tally

import pytest
from solvers_story import read

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story import names, terms
from scbench.tasks.materials.story.chinese import CHINESE
from scbench.tasks.materials.story.compose import Composer
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.filler import Filler
from scbench.tasks.materials.story.language import Language
from scbench.tasks.materials.story.log import KINDS as EVENT_KINDS
from scbench.tasks.materials.story.plan import StoryShape, make_plan
from scbench.tasks.materials.story.questions import KINDS, answers

BOTH = (ENGLISH, CHINESE)


def composer(
    seed: str,
    language: Language,
    *,
    compact: bool = False,
    turns: int = 7,
    people: int = 40,
    hops: int = 2,
) -> Composer:
    shape = StoryShape(
        turns=turns, kinds=KINDS, hops=hops, mentions=1 if compact else 3, people=people, templates=2 if compact else 6, days=360,
        first_day=1, moves=(2, 4), options=0,
    )  # fmt: skip
    plan = make_plan(seed, shape)
    return Composer(
        plan,
        Filler(
            plan.world,
            language,
            plan.world.words(language),
            templates=shape.templates,
            compact=compact,
        ),
    )


@pytest.mark.parametrize("language", BOTH, ids=lambda language: language.name)
@pytest.mark.parametrize(("compact", "people"), [(True, 6), (False, 40), (False, 900)])
def test_the_prose_reads_back_to_the_event_log(
    language: Language, compact: bool, people: int
) -> None:
    made = composer("3:1", language, compact=compact, people=people)
    story = made.compose(300, pad_words=7)
    said = [{"kind": event.kind, **made.filler.words.of(event)} for event in made.log(story)]
    for row, event in zip(said, made.log(story), strict=True):
        if not event.day:
            del row["d"]
    assert read(story.text, language) == said


def test_both_languages_tell_the_same_log_with_matching_golds() -> None:
    logs = []
    for language in BOTH:
        made = composer("5:0", language)
        logs.append(made.log(made.compose(400)))
    assert logs[0] == logs[1]
    english, chinese = (composer("5:0", language) for language in BOTH)
    assert english.plan.asked == chinese.plan.asked
    for asked in english.plan.asked:
        gold = (asked.gold(english.filler.words), asked.gold(chinese.filler.words))
        if asked.answer_type == "trade":
            assert gold in terms.TRADES
        elif asked.answer_type == "place":
            (quality, kind), word = gold[0].split(" "), gold[1]
            assert (
                (quality, word[0]) in terms.PLACE_QUALITIES,
                (kind, word[1:]) in terms.PLACE_KINDS,
            ) == (True, True)
        elif asked.answer_type != "person":
            assert gold[0] == gold[1]


@pytest.mark.parametrize("seed", range(12))
def test_the_whole_log_with_background_gives_one_answer_only(seed: int) -> None:
    made = composer(f"{seed}:0", ENGLISH, turns=14, hops=1 + seed % 3, compact=bool(seed % 2))
    log = made.log(made.compose(500))
    assert all(answers(asked, log) == {asked.answer} for asked in made.plan.asked)


def test_days_climb_and_placed_statements_share_none() -> None:
    made = composer("8:0", ENGLISH)
    story = made.compose(700)
    days = [event.day for event in made.log(story) if event.day]
    assert days == sorted(days)
    assert len({place.day for place in made.plan.placed}) == len(made.plan.placed)


def test_a_longer_story_keeps_its_background_and_its_questions() -> None:
    short, long = composer("2:2", ENGLISH), composer("2:2", ENGLISH)
    short.filler.grow(40)
    long.filler.grow(400)
    assert long.filler.logs[:40] == short.filler.logs[:40]
    assert long.plan == short.plan


@pytest.mark.parametrize("people", [12, 400, 401, 4000])
def test_no_english_name_hides_in_another_or_in_the_prose(people: int) -> None:
    made = names.english_names(Draw("9", "names"), people)
    assert len(set(made)) == people
    words = {word for name in made for word in name.split()}
    joined = " ".join(sorted(words)).casefold()
    assert all(joined.count(word.casefold()) == 1 for word in words)
    assert not {word.casefold() for word in words} & names.taken_words()
    assert all(len(word) >= 4 for word in words)


def chinese_text() -> str:
    texts = [
        *(text for group in CHINESE.templates.values() for text in group),
        *CHINESE.scenery,
        *CHINESE.chapters,
    ]
    return re.sub(
        r"\{.\}",
        "",
        "".join([*texts, *CHINESE.questions.values(), CHINESE.pad(4), CHINESE.chapter]),
    )


def test_the_characters_that_begin_chinese_names_stand_nowhere_else() -> None:
    marks = {
        "surnames": names.SURNAMES,
        "given": names.GIVEN,
        "materials": "".join(pair[1] for pair in terms.MATERIALS),
        "qualities": "".join(pair[1] for pair in terms.PLACE_QUALITIES),
    }
    rest = {
        name: "".join(pair[1] for pair in getattr(terms, name))
        for name in ("THINGS", "PLACE_KINDS", "TRADES", "CRAFTS", "TOWNS")
    }
    everything = Tally[str]()
    for text in (*marks.values(), *rest.values(), chinese_text()):
        everything.update(set(text))
    for name, text in marks.items():
        assert len(set(text)) == len(text), name
        assert [char for char in text if everything[char] > 1] == [], name


@pytest.mark.parametrize("language", BOTH, ids=lambda language: language.name)
def test_entities_occur_in_the_text_just_as_often_as_in_the_log(language: Language) -> None:
    made = composer("4:4", language)
    story = made.compose(400)
    said = Tally[str]()
    for told in read(story.text, language):
        said.update(told[slot] for slot in "abop" if slot in told)
    said.update(
        re.findall("是(...)的孩子，\\1是", story.text)
    )  # the one wording that names somebody twice
    words = made.filler.words
    for name in (*words.people, *words.objects, *words.places):
        assert story.text.count(name) == said[name], name


@pytest.mark.parametrize("column", [0, 1])
def test_no_word_of_a_table_lies_inside_another(column: int) -> None:
    for table in (
        terms.THINGS,
        terms.PLACE_KINDS,
        terms.TRADES,
        terms.CRAFTS,
        terms.MATERIALS,
        terms.PLACE_QUALITIES,
    ):
        words = [pair[column] for pair in table]
        assert len(set(words)) == len(words)
        assert [(a, b) for a in words for b in words if a != b and a in b] == []


@pytest.mark.parametrize("language", BOTH, ids=lambda language: language.name)
def test_every_kind_of_event_has_six_wordings_in_each_language(language: Language) -> None:
    assert set(language.templates) == set(EVENT_KINDS)
    assert all(len(set(texts)) >= 6 for texts in language.templates.values())
    assert not re.search(r"\d", "".join(language.scenery))


@pytest.mark.parametrize("seed", range(8))
def test_nobody_meets_or_serves_themselves(seed: int) -> None:
    made = composer(f"{seed}:9", ENGLISH, compact=True, turns=12, people=6)
    assert all(event.a != event.b for event in made.log(made.compose(200)) if event.b >= 0)
