"""Math.Find: a long list of whole numbers; a turn asks for one statistic of it.

The list is drawn at random and then changed a little: a value asked for by its order is left at one
planned place, and the most frequent value leads by a margin. Values outside the middle of the range
never move into it, so no order changes by this.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from scbench import task_cards
from scbench.errors import BadConfig
from scbench.reading import read_json
from scbench.tasks.build import FittedText, Rendered, Spans, depth_of, sealed, solve_length, strata
from scbench.tasks.contract import Counter, Task, checked, recipe, settle, whole
from scbench.tasks.draw import Draw
from scbench.tasks.materials import figures
from scbench.tasks.materials.figures import Figure
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Span, Turn, Wanted

NAME, VERSION = "mf", 1
CARD = task_cards.PAPER[NAME]
MAX_NEW_TOKENS = CARD.subtask(NAME).limit_tokens
LEAST_NUMBERS = 35  # so that nine distinct values at either end leave a middle
MINIMUM_SEEDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MfKnobs:
    digits: int = 3  # of every number, 2 to 6
    unique_extremes: bool = True  # values asked for by their order occur once, at planned depths
    kinds: tuple[str, ...] = figures.DEFAULT_KINDS  # of figures.KINDS


@dataclass(frozen=True, slots=True)
class MfPlan:
    """What is asked, where the values asked for by order go (turn -> depth), and the
    endless list.
    """

    seed: str
    low: int
    high: int
    asked: tuple[Figure, ...]
    depths: Mapping[int, float]
    drawn: dict[int, list[int]] = field(default_factory=dict)  # attempt -> the numbers made so far

    @property
    def most(self) -> int:
        """How many distinct values at either end the questions reach to."""
        return max([1, *(figure.k for figure in self.asked if figure.is_ordered)])

    def first(self, n: int) -> list[int]:
        """The first n numbers of the endless list; where they have too few distinct values (short
        lists), of the next such list.
        """
        attempt = 0
        while len(set(numbers := self._attempt(n, attempt))) < 2 * self.most + 3:
            attempt += 1
        return numbers

    def _attempt(self, n: int, attempt: int) -> list[int]:
        made = self.drawn.get(attempt, [])
        if len(made) < n:  # drawn again from its start, so that longer lists begin alike
            values = Draw(NAME, self.seed, "filler", str(attempt)).many(
                self.high + 1 - self.low, n + n // 2
            )
            made = self.drawn[attempt] = [self.low + value for value in values]
        return made[:n]


def _settled(knobs: Mapping[str, object]) -> MfKnobs:
    given = settle(MfKnobs, knobs, task=NAME)
    whole(NAME, "digits", given.digits, 2, 6)
    kinds = (given.kinds,) if isinstance(given.kinds, str) else tuple(given.kinds)
    if not kinds or set(kinds) - set(figures.KINDS) or len(set(kinds)) < len(kinds):
        raise BadConfig(
            f"{NAME}: kinds={given.kinds!r} must be different ones of {', '.join(figures.KINDS)}"
        )
    return MfKnobs(digits=given.digits, unique_extremes=bool(given.unique_extremes), kinds=kinds)


def _plan(seed: str, turns: int, knobs: MfKnobs) -> MfPlan:
    draw, ten = Draw(NAME, seed, "plan"), 10 ** (knobs.digits - 1)
    low, high = draw.between(ten, 4 * ten + 1), draw.between(6 * ten, 10 * ten)
    if knobs.digits == 2:  # a wider range, so that it has values enough
        low, high = draw.between(10, 31), draw.between(70, 100)
    asked = tuple(figures.plan(draw.child("figures"), turns, knobs.kinds))
    ordered = dict.fromkeys(figure for figure in asked if figure.is_ordered)
    depths = dict(zip(ordered, strata(Draw(NAME, seed, "place"), len(ordered)), strict=True))
    by_turn = {turn: depths[figure] for turn, figure in enumerate(asked) if figure.is_ordered}
    return MfPlan(seed, low, high, asked, by_turn if knobs.unique_extremes else {})


def arrange(plan: MfPlan, n: int) -> list[int]:
    """The list of `n` numbers, n odd, with the asked values where they belong."""
    numbers = plan.first(n)
    values = sorted(set(numbers))
    inner_low, inner_high = (
        values[plan.most],
        values[-plan.most],
    )  # the values asked for by order lie outside
    change = Draw(NAME, plan.seed, "change", str(n))
    once = {values[plan.asked[turn].rank]: depth for turn, depth in plan.depths.items()}
    _leave_one(numbers, once, inner_low, inner_high, change)
    taken: set[int] = set()
    for value, depth in once.items():
        at = int(depth * n)
        while at in taken:
            at = (at + 1) % n
        taken.add(at)
        here = numbers.index(value)
        numbers[at], numbers[here] = numbers[here], numbers[at]
    if any(figure.kind == "mode" for figure in plan.asked):
        _plant_mode(numbers, inner_low, inner_high, change)
    return numbers


def _leave_one(
    numbers: list[int], once: Mapping[int, float], low: int, high: int, change: Draw
) -> None:
    """Replace all but the first of each value in `once` by numbers between low and high."""
    seen: set[int] = set()
    for at, value in enumerate(numbers) if once else ():
        if value in once:
            if value in seen:
                numbers[at] = change.between(low + 1, high)
            seen.add(value)


def _plant_mode(numbers: list[int], low: int, high: int, change: Draw) -> None:
    """Give one value between low and high a lead of max(2, 5 %) over the next, by copies spread
    evenly over the list.
    """
    mode, counts = change.between(low + 1, high), Tally(numbers)
    runner_up = max(count for value, count in counts.items() if value != mode)
    more = runner_up + max(2, ceil(runner_up / 20)) - counts[mode]
    n = len(numbers)
    for depth in sorted(strata(change, more)) if more > 0 else ():
        at = int(depth * n)
        while not low < numbers[at] < high or numbers[at] == mode:
            at = (at + 1) % n
        numbers[at] = mode


def _spans(
    plan: MfPlan, numbers: list[int], answers: list[tuple[Figure, int]], digits: int
) -> Spans:
    """One answer in one support for what has one place; a support for each copy of the mode; global
    and answers for the rest.
    """
    about = [figure.k if figure.kind in figures.ABOUT else answer for figure, answer in answers]
    places: dict[int, list[int]] = {value: [] for value in about}
    for at, value in enumerate(numbers):
        if value in places:
            places[value].append(at)
    whole = len(numbers) * (digits + 2)  # "[", then numbers with ", " between and "]" at the end
    spans: dict[int, tuple[Span, ...]] = {}
    for turn, (figure, _) in enumerate(answers):
        ranges = [
            (1 + at * (digits + 2), 1 + at * (digits + 2) + digits) for at in places[about[turn]]
        ]
        if figure.is_ordered:
            spans[turn] = tuple(
                Span(*at, role) for at in ranges for role in (Role.SUPPORT, Role.ANSWER)
            )
        elif figure.kind == "mode":
            spans[turn] = tuple(Span(*at, Role.SUPPORT) for at in ranges)
        else:
            spans[turn] = (Span(0, whole, Role.GLOBAL), *(Span(*at, Role.ANSWER) for at in ranges))
    return spans


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    """A session of Math.Find (see Task)."""
    checked(NAME, target=target, turns=turns)
    given = _settled(knobs)
    plan = _plan(seed, turns, given)
    fitted = solve_length(
        lambda units: Rendered(str(arrange(plan, LEAST_NUMBERS + 2 * units)), {}),
        target=target,
        count=count,
        what=f"{NAME}, seed {seed}",
    )
    numbers = arrange(plan, LEAST_NUMBERS + 2 * fitted.units)
    asked = _asked_about(plan, numbers)
    answers = [(figure, figures.solve(figure, numbers)) for figure in asked]
    spans = _spans(plan, numbers, answers, given.digits)
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=[
            _turn(*answer, spans[turn], fitted, turn in plan.depths)
            for turn, answer in enumerate(answers)
        ],
        counted=fitted.counted,
        counter=count.name,
        recipe=recipe(
            NAME,
            VERSION,
            seed=seed,
            target=target,
            turns=turns,
            knobs=given,
            low=plan.low,
            high=plan.high,
        ),
    )


def _asked_about(plan: MfPlan, numbers: list[int]) -> list[Figure]:
    """The figures, with a number of the list for those that ask about one; no such question holds
    its own answer.
    """
    draw, found = Draw(NAME, plan.seed, "about", str(len(numbers))), []
    for figure in plan.asked:
        while figure.kind in figures.ABOUT:
            figure = replace(figure, k=draw.choice(numbers))
            if figures.solve(figure, numbers) != figure.k:
                break
        found.append(figure)
    return found


def _turn(
    figure: Figure, answer: int, spans: tuple[Span, ...], fitted: FittedText, has_depth: bool
) -> Turn:
    """A statistic of the whole list has no depth: its evidence is everywhere, and where the first
    piece lies says nothing.
    """
    ask, gold = figures.ask(figure), str(answer)
    return Turn(
        task=NAME,
        ask=ask,
        gold=gold,
        wanted=Wanted(golds=(gold,), generated=True, question=ask),
        max_new_tokens=MAX_NEW_TOKENS,
        evidence=spans,
        depth=depth_of(spans, len(fitted.context)) if has_depth else None,
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The least target, in tokens: LEAST_NUMBERS numbers, the longest of a few seeds."""
    checked(NAME, target=1, turns=turns)
    given = _settled(knobs)
    return max(
        count(str(arrange(_plan(f"minimum:{i}", turns, given), LEAST_NUMBERS)))
        for i in range(MINIMUM_SEEDS)
    )


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """A published turn; its answer is a whole number."""
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    wanted = Wanted(golds=golds, question=ask)
    return Turn(task=NAME, ask=ask, gold=golds[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS)


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a row of scbench_mf, whose context is a list of numbers and whose answers are
    numbers.
    """
    items = [{"answer": int(turn.gold), "input": turn.ask} for turn in session.turns]
    numbers = read_json(session.context.encode(), "a context of numbers")
    return {"id": index, "context": numbers, "multi_turns": items}


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=MfKnobs,
)
