"""From knobs and a length to a session: plan, background, length search, questions. The three story
tasks differ by language and options only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scbench.errors import BadConfig, TooSmall
from scbench.task_cards import PARTS
from scbench.tasks.build import FittedText, Rendered, compact, depth_of, sealed, solve_length
from scbench.tasks.contract import Counter, checked, recipe, settle
from scbench.tasks.materials.story.compose import Composer, Story
from scbench.tasks.materials.story.filler import Filler
from scbench.tasks.materials.story.knobs import StoryKnobs, check, shape_of
from scbench.tasks.materials.story.language import Language
from scbench.tasks.materials.story.options import LETTERS, letters, options
from scbench.tasks.materials.story.plan import StoryShape, make_plan
from scbench.tasks.materials.story.questions import Asked
from scbench.tasks.materials.story.world import population
from scbench.types import Session, Turn, Wanted

MAX_NEW_TOKENS = PARTS["qa_eng"].limit_tokens  # as in the two other tasks
SAMPLE_PEOPLE, SAMPLE_UNITS = 40, 64
MINIMUM_SEEDS = 24


@dataclass(frozen=True, slots=True)
class StoryTask:
    """What makes one of the three tasks of the story world."""

    name: str
    version: int
    language: Language
    has_options: bool = False

    def make(
        self, *, seed: str, target: int, turns: int, count: Counter, **knobs: object
    ) -> Session:
        """One session. Raises TooSmall(minimum) where even the compact shape without background is
        too long.
        """
        checked(self.name, target=target, turns=turns)
        settled = settle(StoryKnobs, knobs, task=self.name)
        check(self.name, settled)
        small, story = compact(target), self.story_of(seed)
        try:
            composer, shape, fitted = self._fit(story, target, turns, count, settled, small)
        except TooSmall:
            if small:
                raise
            small = True  # many turns: their evidence fits only in the compact shape
            composer, shape, fitted = self._fit(story, target, turns, count, settled, small)
        told = {
            "people": composer.plan.world.people,
            "mentions": shape.mentions,
            "templates": shape.templates,
            "days": shape.days,
        }
        return sealed(
            task=self.name,
            context=fitted.context,
            turns=self._turns(story, composer, fitted),
            counted=fitted.counted,
            counter=count.name,
            recipe=recipe(
                self.name,
                self.version,
                seed=seed,
                target=target,
                turns=turns,
                knobs=settled,
                compact=small,
                **told,
            ),
        )

    def story_of(self, seed: str) -> str:
        """What its story is drawn by: one seed tells another in each task, so that their scores
        are of different questions.
        """
        return f"{self.name}/{seed}"

    def minimum(self, *, turns: int, count: Counter, **knobs: object) -> int:
        """Tokens that hold so many turns whatever the seed: the longest of a few compact stories
        without background, and 6 % for other seeds.
        """
        checked(self.name, target=1, turns=turns)
        settled = settle(StoryKnobs, knobs, task=self.name)
        check(self.name, settled)
        self._sentences_per_token("0", count, settled)
        longest = 0
        for seed in range(MINIMUM_SEEDS):
            composer = self._composer(str(seed), self._shape(settled, turns, 0, True), True)
            longest = max(longest, count(composer.compose(0).text))
        return -(-longest * 106 // 100)

    def _shape(self, knobs: StoryKnobs, turns: int, people: int, small: bool) -> StoryShape:
        return shape_of(
            knobs,
            turns=turns,
            compact=small,
            people=people,
            options=len(LETTERS) if self.has_options else 0,
        )

    def _composer(self, seed: str, shape: StoryShape, small: bool) -> Composer:
        plan = make_plan(seed, shape)
        words = plan.world.words(self.language)
        return Composer(
            plan, Filler(plan.world, self.language, words, templates=shape.templates, compact=small)
        )

    def _fit(
        self, seed: str, target: int, turns: int, count: Counter, knobs: StoryKnobs, small: bool
    ) -> tuple[Composer, StoryShape, FittedText]:
        people = population(int(target * self._sentences_per_token(seed, count, knobs)))
        shape = self._shape(knobs, turns, people, small)
        composer = self._composer(seed, shape, small)

        def render(units: int, padding: int = 0) -> Rendered:
            story = composer.compose(units, padding)
            return Rendered(story.text, dict(enumerate(composer.spans(story, turns))))

        what = f"{self.name}, seed {seed}, {turns} turns"
        return (
            composer,
            shape,
            solve_length(render, target=target, count=count, what=what, padded=render),
        )

    def _sentences_per_token(self, seed: str, count: Counter, knobs: StoryKnobs) -> float:
        """From a sample of background. Raises BadConfig for a counter that is blind to the language
        (white space says nothing about Chinese).
        """
        filler = self._composer(seed, self._shape(knobs, 1, SAMPLE_PEOPLE, False), False).filler
        filler.grow(SAMPLE_UNITS)
        counted = count("99".join(filler.middles[:SAMPLE_UNITS]))
        if counted < SAMPLE_UNITS:
            raise BadConfig(
                f"{self.name}: the counter {count.name!r} sees {counted:,} tokens in "
                f"{SAMPLE_UNITS} sentences of {self.language.name}, so it cannot measure a story; "
                f"count with a tokenizer, or with bytes"
            )
        return filler.ends[SAMPLE_UNITS] / counted

    def _turns(self, seed: str, composer: Composer, fitted: FittedText) -> list[Turn]:
        story = composer.compose(fitted.units, fitted.padding)
        wanted: Callable[[int, Asked], Wanted] = _named(composer)
        if self.has_options:
            wanted = _lettered(composer, story, letters(seed, len(composer.plan.asked)))
        turns = []
        for turn, asked in enumerate(composer.plan.asked):
            evidence, want = fitted.spans[turn], wanted(turn, asked)
            turns.append(
                Turn(
                    task=self.name,
                    ask=want.question,
                    gold=want.golds[0],
                    wanted=want,
                    max_new_tokens=MAX_NEW_TOKENS,
                    evidence=evidence,
                    depth=depth_of(evidence, len(fitted.context)),
                )
            )
        return turns


def _named(composer: Composer) -> Callable[[int, Asked], Wanted]:
    """The answer is the bare name, or a number; the vocabulary is all of its type there is in this
    world.
    """
    words, language = composer.filler.words, composer.filler.language
    vocabularies: Mapping[str, tuple[str, ...]] = {
        "person": tuple(words.people),
        "place": tuple(words.places),
        "trade": tuple(words.trades),
        "day": (),
        "number": (),
    }

    def wanted(turn: int, asked: Asked) -> Wanted:
        return Wanted(
            golds=(asked.gold(words),),
            generated=True,
            question=asked.text(language, words),
            vocabulary=vocabularies[asked.answer_type],
            numeric=asked.answer_type in ("day", "number"),
            is_chinese=language.column == 1,
        )

    return wanted


def _lettered(composer: Composer, story: Story, golds: list[str]) -> Callable[[int, Asked], Wanted]:
    """The answer is a letter; the text it stands for is `options["ABCD".index(letter)]`."""

    def wanted(turn: int, asked: Asked) -> Wanted:
        return Wanted(
            golds=(golds[turn],),
            generated=True,
            question=asked.text(composer.filler.language, composer.filler.words),
            options=options(composer, story, turn, golds[turn]),
        )

    return wanted
