"""How long a run will still take, from what its pieces have taken so far.

A run is pieces of work: every session of a task at a length on a model, every cost pass, every
reading of weights. Pieces of one kind take about the same time, so the first one tells of the rest;
for kinds that have not been seen there is a guess, scaled by how guesses have fared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from scbench.engines.contract import ModelFacts
from scbench.grid.plan import PlanRow, read_flops
from scbench.grid.settings import Settings

RECENT = 4  # pieces of a kind that its next ones are judged by
# Of guesses alone: only their proportions matter once a piece has been seen.
GUESSED_FLOPS_PER_S = 5e10
GUESSED_LAYER_S = 2e-5  # of one token of one stream in one layer, beside arithmetic
GUESSED_WEIGHTS_PER_S = 2e8
STEPS_ALONE = 9  # of the cost pass, per repeat and method, each a forward of one token
GUESSED_LAYER_ALONE_S = 4e-4  # of a forward with one stream
# Recurrent layers advance one stream at a time: a session was seen to take twice as long.
RECURRENT_PLAY, RECURRENT_COST = 2.0, 1.5
COST = "cost pass"
WEIGHTS = "reading weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Pieces of one kind.

    >>> Work(model="lab-transformer", what="kv 256", times=8, guess_s=0.5).what
    'kv 256'
    """

    model: str
    what: str
    times: int
    guess_s: float  # of one piece
    answers: int = 0  # of all pieces together


def planned_answers(works: Iterable[Work]) -> int:
    """Turns that will be answered or fail."""
    return sum(work.answers for work in works)


@dataclass(slots=True)
class _Kind:
    left: int
    guess_s: float
    took_s: list[float] = field(default_factory=list)


class Forecast:
    """The pieces that are left, and what they will take. Times are handed in, so that a recorded
    run can be played again."""

    def __init__(self, works: Iterable[Work] = ()) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._now: tuple[tuple[str, str], float] | None = None  # the piece under way, since when
        for work in works:
            self._kinds[work.model, work.what] = _Kind(work.times, work.guess_s)

    def plan(self, model: str, works: Sequence[Work]) -> None:
        """Say anew what is to be done on a model, now that more is known of it."""
        for key in [key for key in self._kinds if key[0] == model and not self._kinds[key].took_s]:
            del self._kinds[key]
        for work in works:
            self._kinds.setdefault((model, work.what), _Kind(work.times, work.guess_s))

    def begin(self, model: str, what: str, now_s: float) -> None:
        """A piece of this kind is being worked on."""
        self._kinds.setdefault((model, what), _Kind(1, 0.0))
        self._now = (model, what), now_s

    def end(self, now_s: float, *, worked: bool = True) -> None:
        """The piece is done; not `worked`: it had been done before, and tells nothing of others."""
        if self._now is None:
            return
        key, since_s = self._now
        kind = self._kinds[key]
        kind.left = max(0, kind.left - 1)
        if worked:
            kind.took_s.append(now_s - since_s)
        self._now = None

    def left_s(self, now_s: float) -> float | None:
        """Seconds to the end; None before the first piece is done."""
        if not any(kind.took_s for kind in self._kinds.values()):
            return None
        total_s = sum(kind.left * self._piece_s(key) for key, kind in self._kinds.items())
        if self._now is not None:
            key, since_s = self._now
            passed_s = now_s - since_s
            # Of the piece under way at least a tenth of what it took so far is still to come.
            total_s -= min(passed_s, max(0.0, self._piece_s(key) - 0.1 * passed_s))
        return max(0.0, total_s)

    def _piece_s(self, key: tuple[str, str]) -> float:
        kind = self._kinds[key]
        if kind.took_s:
            return fmean(kind.took_s[-RECENT:])
        return kind.guess_s * self._scale(key)

    def _scale(self, key: tuple[str, str]) -> float:
        """How many times longer than guessed the nearest kinds took: of the same model and nature,
        the same on another model, of the same nature, of the same model, of all. A disk that is
        slow to give weights tells nothing of how fast they compute."""
        is_weights = _nature(key[1]) == WEIGHTS
        known = {
            other: kind
            for other, kind in self._kinds.items()
            if kind.took_s and kind.guess_s > 0 and (_nature(other[1]) == WEIGHTS) is is_weights
        }
        alike = {other for other in known if _nature(other[1]) == _nature(key[1])}
        mine = {other for other in known if other[0] == key[0]}
        same = {other for other in known if other[1] == key[1]}
        for near in (alike & mine, same, alike, mine, set(known)):
            if near:
                guessed_s = sum(known[other].guess_s for other in near)
                return sum(fmean(known[other].took_s[-RECENT:]) for other in near) / guessed_s
        return 1.0


def _nature(what: str) -> str:
    """Whether a piece reads weights, measures costs, or plays."""
    return next((word for word in (COST, WEIGHTS) if what.startswith(word)), "play")


def piece_of(task: str, length_tokens: int) -> str:
    """The kind of a session that is played."""
    return f"{task} {length_tokens:,}"


def cost_piece_of(length_tokens: int) -> str:
    """The kind of a cost pass."""
    return f"{COST} {length_tokens:,}"


def with_guessed_params(facts: ModelFacts) -> ModelFacts:
    """Before weights are read nobody has counted them: a layer has about 12 hidden squared."""
    guess = 12 * len(facts.shape.layers) * facts.hidden**2
    return facts if facts.params else replace(facts, params=guess)


def works_of(
    settings: Settings, facts: ModelFacts, rows: Sequence[PlanRow], methods: int
) -> list[Work]:
    """The pieces of one model, guessed from closed forms."""
    name, layers = facts.name, len(facts.shape.layers)
    is_recurrent = facts.family not in ("transformer", "toy")
    works = [
        Work(
            model=name,
            what=WEIGHTS,
            times=1,
            guess_s=0.5 + facts.params / GUESSED_WEIGHTS_PER_S,
        )
    ]
    for row in rows:
        tokens = row.turns * 60 + (row.answer_tokens_low + row.answer_tokens_high) / 2
        guess_s = row.flops / GUESSED_FLOPS_PER_S + tokens * layers * GUESSED_LAYER_S
        guess_s *= RECURRENT_PLAY if is_recurrent else 1.0
        works.append(
            Work(
                model=name,
                what=piece_of(row.task, row.asked_tokens),
                times=row.sessions,
                guess_s=guess_s / max(1, row.sessions),
                answers=row.turns,
            )
        )
    for length in dict.fromkeys(row.asked_tokens for row in rows):
        row = next(row for row in rows if row.asked_tokens == length)
        reads = max(1, row.read_tokens // max(1, row.sessions * row.length_tokens))
        repeats = settings.cost_repeats + 1
        alone_s = methods * (STEPS_ALONE + 2) * layers * GUESSED_LAYER_ALONE_S
        alone_s *= RECURRENT_COST if is_recurrent else 1.0
        reading_s = reads * read_flops(facts, row.length_tokens) / GUESSED_FLOPS_PER_S
        times = min(settings.cost_sessions, sum(one.sessions for one in rows))
        if times:
            works.append(
                Work(
                    model=name,
                    what=cost_piece_of(length),
                    times=times,
                    guess_s=repeats * (alone_s + reading_s),
                )
            )
    return works
