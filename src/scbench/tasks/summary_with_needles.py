"""Mix.Sum+NIAH: En.Sum with pass keys put between sentences; turns ask for summaries and
for keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scbench import task_cards
from scbench.tasks import summary
from scbench.tasks.build import (
    FittedText,
    Mark,
    Piece,
    Rendered,
    by_shape,
    depth_of,
    sealed,
    solve_length,
    strata,
)
from scbench.tasks.contract import Counter, Task, checked, one_of, recipe, settle, within
from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import (
    ANIMALS,
    COLOURS,
    TITLE_MARKS,
    Page,
    ReportKnobs,
    ReportPlan,
    Settled,
    plan_reports,
)
from scbench.tasks.mix import ORDERS, order_of, read_part, write_part
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Span, Turn, Wanted

NAME, VERSION = "summary_with_needles", 2
PARTS = ("summary", "passkey")
CARD = task_cards.PAPER[NAME]
PASSKEY_TOKENS = CARD.subtask("passkey").limit_tokens
_MOST_EXTRA = 1000


@dataclass(frozen=True, slots=True)
class SummaryNeedlesKnobs(ReportKnobs):
    order: str = "alternate"  # of the sub-tasks: alternate or seeded
    extra_needles: int = 1  # pass keys that are not asked for


@dataclass(frozen=True, slots=True)
class _SummaryDraft:
    """All of a session but its length."""

    parts: tuple[str, ...]  # the sub-task of each turn
    planned: ReportPlan
    settled: Settled
    page: Page
    needles: tuple[Piece, ...]  # the asked ones first
    keys: tuple[tuple[str, str], ...]  # (owner, number) of the asked ones
    least_units: int

    def rendered(self, units: int, padding: int = 0) -> Rendered:
        return self.page.rendered(self.least_units + units, padding, self.needles)


def _draft(
    target: int, turns: int, given: SummaryNeedlesKnobs, draw: Draw, is_compact: bool
) -> _SummaryDraft:
    one_of(NAME, "order", given.order, ORDERS)
    within(NAME, "extra_needles", given.extra_needles, 0, _MOST_EXTRA)
    parts = order_of(PARTS, turns, given.order, draw.child("order"))
    summaries = parts.count("summary")
    settled = given.settled(NAME, target=target, asked=summaries, is_compact=is_compact)
    planned = plan_reports(draw, settled, asked=summaries)
    keys = _keys(draw.child("keys"), parts.count("passkey") + given.extra_needles, planned)
    depths = strata(draw.child("place", "keys"), len(keys)) if keys else []
    asked = parts.count("passkey")
    needles = tuple(
        _needle(i, *key, depth, summaries, asked)
        for i, (key, depth) in enumerate(zip(keys, depths, strict=True))
    )
    page = Page(planned, settled, draw)
    wanted = min(len(needles), 1) if is_compact else len(needles)
    least = 0
    while page.places(least) < wanted:
        least += 1 if settled.is_compact else len(planned.reports)
    return _SummaryDraft(tuple(parts), planned, settled, page, needles, tuple(keys[:asked]), least)


def _keys(draw: Draw, wanted: int, planned: ReportPlan) -> list[tuple[str, str]]:
    """(owner, number): owners differ; no number holds, or lies in, another or a value of the
    reports.
    """
    if wanted <= len(COLOURS) * len(ANIMALS):
        owners = [f"{colour} {animal}" for colour in COLOURS for animal in ANIMALS]
    else:
        marks = [mark.lower() for mark in TITLE_MARKS]
        owners = [
            f"{colour} {mark} {animal}"
            for colour in COLOURS
            for mark in marks
            for animal in ANIMALS
        ]
    taken = [
        fact.value for report in planned.reports for fact in report.facts if fact.value.isdigit()
    ]
    keys: list[tuple[str, str]] = []
    for owner in draw.sample(owners, wanted):
        number = _number(draw)
        while any(value in number or number in value for value in taken):
            number = _number(draw)
        taken.append(number)
        keys.append((owner, number))
    return keys


def _number(draw: Draw) -> str:
    """Of 5 to 7 digits."""
    lowest = 10 ** draw.between(4, 7)
    return str(lowest + draw.below(9 * lowest))


def _needle(i: int, owner: str, number: str, depth: float, first_turn: int, asked: int) -> Piece:
    """Turns of its marks count the summary turns first."""
    text = f"The pass key for {owner} is {number}. Remember it."
    at = text.index(number)
    if i >= asked:
        return Piece(
            text,
            depth,
            tuple(Mark(0, len(text), Role.DISTRACTOR, first_turn + turn) for turn in range(asked)),
        )
    turn = first_turn + i
    return Piece(
        text,
        depth,
        (Mark(0, len(text), Role.SUPPORT, turn), Mark(at, at + len(number), Role.ANSWER, turn)),
    )


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    checked(NAME, target=target, turns=turns)
    given = settle(SummaryNeedlesKnobs, knobs, task=NAME)
    draw = Draw(NAME, str(VERSION), str(seed))

    def attempt(is_compact: bool) -> tuple[_SummaryDraft, FittedText]:
        draft = _draft(target, turns, given, draw, is_compact)
        what = f"{NAME} of {turns} turns"
        return draft, solve_length(
            draft.rendered, target=target, count=count, what=what, padded=draft.rendered
        )

    draft, fitted = by_shape(target, attempt)
    summaries = draft.parts.count("summary")
    done = {"summary": 0, "passkey": 0}
    asked = []
    for part in draft.parts:
        k = done[part]
        if part == "summary":
            asked.append(
                summary.turn_of(draft.planned, draft.settled, fitted, k, fitted.spans[k], draw)
            )
        else:
            asked.append(_passkey(*draft.keys[k], fitted.spans[summaries + k], fitted))
        done[part] += 1
    made_of = recipe(
        NAME,
        VERSION,
        seed=seed,
        target=target,
        turns=turns,
        knobs=given,
        **summary.resolved(draft.settled),
    )
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=asked,
        counted=fitted.counted,
        counter=count.name,
        recipe=made_of,
    )


def _passkey(owner: str, number: str, spans: Sequence[Span], text: Rendered) -> Turn:
    ask = f"What is the pass key for {owner}?"
    return Turn(
        task="passkey",
        ask=ask,
        gold=number,
        wanted=Wanted(golds=(number,), generated=True, question=ask),
        max_new_tokens=PASSKEY_TOKENS,
        evidence=tuple(spans),
        depth=depth_of(spans, len(text.context)),
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """Of the longest of a few sessions, with room for the differences between seeds."""
    given = settle(SummaryNeedlesKnobs, knobs, task=NAME)
    longest = 0
    for seed in range(8):
        draft = _draft(
            1, turns, given, Draw(NAME, str(VERSION), "minimum", str(seed)), is_compact=True
        )
        longest = max(longest, count(draft.rendered(0).context))
    return longest + longest // 20


def _read_passkey(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    return Turn(
        task="passkey",
        ask=ask,
        gold=golds[0],
        wanted=Wanted(golds=golds, question=ask),
        max_new_tokens=PASSKEY_TOKENS,
    )


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    return read_part(NAME, {"summary": summary.read_turn, "passkey": _read_passkey}, row, item)


def write_row(session: Session, index: int) -> dict[str, object]:
    return {
        "id": index,
        "context": session.context,
        "multi_turns": [write_part(turn) for turn in session.turns],
    }


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=SummaryNeedlesKnobs,
)
