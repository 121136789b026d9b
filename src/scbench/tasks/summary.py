"""En.Sum: several reports, and each turn asks for the key facts of one.

A summary is right as far as it states the report's key facts, and wrong as far as it states others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from scbench import task_cards
from scbench.tasks.build import FittedText, Rendered, by_shape, depth_of, sealed, solve_length
from scbench.tasks.contract import Counter, Task, checked, recipe, settle
from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import Page, ReportKnobs, ReportPlan, Settled, plan_reports
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Span, Turn, Wanted

NAME, VERSION = "summary", 2
CARD = task_cards.PAPER[NAME]
ANSWER_TOKENS = CARD.subtask(NAME).limit_tokens


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    checked(NAME, target=target, turns=turns)
    given = settle(ReportKnobs, knobs, task=NAME)
    draw = Draw(NAME, str(VERSION), str(seed))

    def attempt(is_compact: bool) -> tuple[Page, FittedText]:
        settled = given.settled(NAME, target=target, asked=turns, is_compact=is_compact)
        page = Page(plan_reports(draw, settled, asked=turns), settled, draw)
        what = f"{NAME} of {turns} turns"
        return page, solve_length(
            page.rendered, target=target, count=count, what=what, padded=page.rendered
        )

    page, fitted = by_shape(target, attempt)
    planned, settled = page.plan, page.settled
    asked = [turn_of(planned, settled, fitted, k, fitted.spans[k], draw) for k in range(turns)]
    made_of = recipe(
        NAME, VERSION, seed=seed, target=target, turns=turns, knobs=given, **resolved(settled)
    )
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=asked,
        counted=fitted.counted,
        counter=count.name,
        recipe=made_of,
    )


def resolved(settled: Settled) -> dict[str, object]:
    return {name: value for name, value in asdict(settled).items() if name != "is_compact"}


def turn_of(
    planned: ReportPlan, settled: Settled, text: Rendered, k: int, spans: Sequence[Span], draw: Draw
) -> Turn:
    """The k-th summary turn. Its depth is that of one of its facts, drawn, as the first one lies
    early in every report.
    """
    report = planned.reports[planned.asked[k]]
    others = [other for i, other in enumerate(planned.reports) if i != planned.asked[k]]
    sentences = "one sentence" if settled.facts == 1 else f"{settled.facts} sentences"
    ask = f'Summarize the report titled "{report.title}" in {sentences}, giving its key facts.'
    wanted = Wanted(
        golds=(report.gold,),
        generated=True,
        question=ask,
        facts=tuple(fact.value for fact in report.facts),
        rival_facts=tuple(fact.value for other in others for fact in other.facts),
        rival_golds=tuple(other.gold for other in others),
    )
    own = [
        span for span in spans if span.role is not Role.DISTRACTOR
    ]  # support and answer of each fact in turn
    first = 2 * draw.child("depth", str(k)).below(settled.facts)
    evidence = (
        *own[first:],
        *own[:first],
        *(span for span in spans if span.role is Role.DISTRACTOR),
    )
    depth = depth_of(evidence, len(text.context))
    return Turn(
        task=NAME,
        ask=ask,
        gold=report.gold,
        wanted=wanted,
        max_new_tokens=ANSWER_TOKENS,
        evidence=evidence,
        depth=depth,
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """Of the longest of a few sessions, with room for the differences between seeds."""
    given = settle(ReportKnobs, knobs, task=NAME)
    settled = given.settled(NAME, target=1, asked=turns, is_compact=True)
    longest = 0
    for seed in range(8):
        draw = Draw(NAME, str(VERSION), "minimum", str(seed))
        longest = max(
            longest,
            count(
                Page(plan_reports(draw, settled, asked=turns), settled, draw).rendered(0).context
            ),
        )
    return longest + longest // 20


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    return Turn(
        task=NAME,
        ask=ask,
        gold=golds[0],
        wanted=Wanted(golds=golds, question=ask),
        max_new_tokens=ANSWER_TOKENS,
    )


def write_row(session: Session, index: int) -> dict[str, object]:
    items = [{"answer": turn.gold, "input": turn.ask} for turn in session.turns]
    return {"id": index, "context": session.context, "multi_turns": items}


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=ReportKnobs,
)
