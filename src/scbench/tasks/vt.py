"""Retr.MultiHop: variables assigned from one another in a long dull text; a turn asks for all that
hold one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from scbench import task_cards
from scbench.tasks.build import FittedText, Mark, Piece, by_shape, depth_of, fit, sealed, strata
from scbench.tasks.contract import Counter, Task, checked, one_of, recipe, settle, whole
from scbench.tasks.draw import Draw
from scbench.tasks.materials import noise as dull
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Turn, Wanted

NAME, VERSION = "vt", 2
CARD = task_cards.PAPER[NAME]
LEAST_NEW_TOKENS = CARD.subtask(NAME).limit_tokens
CHARS_PER_TOKEN = 1.5  # of a list of invented names, at worst
MINIMUM_SEEDS = 8
# Without vowels and Y hardly a name is a word. Four letters are free and the fifth makes the sum 0,
# so two names differ in two places or more.
_CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
_WORDS = frozenset({"CRWTH", "GRRLS", "PFFFT", "PSSST"})
MOST_CHAINS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class VtKnobs:
    hops: int = 2  # 1 to 8 copies after the first assignment
    extra_chains: int | None = None  # chains nobody asks about; None: 2, compact 0
    noise: str = (
        "repeat"  # "repeat": a cycle of five sentences; "varied": sentences that hardly repeat
    )
    order: str = (
        "chain"  # "chain": a variable is assigned before it is copied; "shuffled": anywhere
    )
    branch: int = 1  # copies at each hop, all of one variable; the next hop copies one of them


@dataclass(frozen=True, slots=True)
class Chain:
    """A value and the assignments that spread it: (name, what it is set to), each after its
    source.
    """

    value: str
    steps: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Namer:
    draw: Draw
    seen: set[str] = field(default_factory=set)

    def name(self) -> str:
        while True:
            letters = [self.draw.below(20) for _ in range(4)]
            text = "".join(_CONSONANTS[i] for i in (*letters, -sum(letters) % 20))
            if text not in self.seen and text not in _WORDS:
                self.seen.add(text)
                return text

    def value(self) -> str:
        while (text := str(self.draw.between(10_000, 100_000))) in self.seen:
            pass
        self.seen.add(text)
        return text

    def chain(self, hops: int, branch: int) -> Chain:
        value, source = self.value(), self.name()
        steps = [(source, value)]
        for _ in range(hops):
            copies = [self.name() for _ in range(branch)]
            steps += [(copy, f"VAR {source}") for copy in copies]
            source = copies[self.draw.below(branch)]
        return Chain(value, tuple(steps))


def _settled(knobs: Mapping[str, object], turns: int) -> VtKnobs:
    given = settle(VtKnobs, knobs, task=NAME)
    whole(NAME, "hops", given.hops, 1, 8)
    whole(NAME, "branch", given.branch, 1, 8)
    one_of(NAME, "noise", given.noise, ("repeat", "varied"))
    one_of(NAME, "order", given.order, ("chain", "shuffled"))
    if given.extra_chains is not None:
        whole(NAME, "extra_chains", given.extra_chains, 0, MOST_CHAINS)
    whole(NAME, "turns + extra_chains", turns + (given.extra_chains or 0), 1, MOST_CHAINS)
    return given


def _pieces(chain: Chain, depths: list[float], turn: int | None) -> list[Piece]:
    """The chain's sentences at these depths; marked if a turn asks for them."""
    found: list[Piece] = []
    for (name, source), depth in zip(chain.steps, depths, strict=True):
        text = f"VAR {name} = {source}."
        marks = (
            ()
            if turn is None
            else (Mark(0, len(text), Role.SUPPORT, turn), Mark(4, 4 + len(name), Role.ANSWER, turn))
        )
        found.append(Piece(text, depth, marks))
    return found


def _plan(seed: str, turns: int, extra: int, knobs: VtKnobs) -> tuple[list[Chain], list[Piece]]:
    namer = _Namer(Draw(NAME, seed, "plan"))
    chains = [namer.chain(knobs.hops, knobs.branch) for _ in range(turns + extra)]
    length = 1 + knobs.hops * knobs.branch
    place = Draw(NAME, seed, "place")
    depths = strata(place, turns * length) + strata(place.child("extra"), extra * length)
    pieces: list[Piece] = []
    for i, chain in enumerate(chains):
        own = depths[i * length : (i + 1) * length]
        pieces += _pieces(
            chain, sorted(own) if knobs.order == "chain" else own, i if i < turns else None
        )
    return chains, pieces


def _fit(seed: str, pieces: list[Piece], noise: str, target: int, count: Counter) -> FittedText:
    streams = Draw(NAME, seed).children("filler")
    cycle = dull.CYCLE

    def filler(i: int) -> str:
        return cycle[i % len(cycle)] if noise == "repeat" else dull.varied(next(streams))

    return fit(
        pieces=pieces,
        filler=filler,
        pad=lambda steps: dull.of_words(steps + 2) if steps else "",
        pad_depth=Draw(NAME, seed, "place", "pad").unit(),
        join=" ",
        target=target,
        count=count,
        what=f"{NAME}, seed {seed}",
    )


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    """A session of Retr.MultiHop (see Task)."""
    checked(NAME, target=target, turns=turns)
    given = _settled(knobs, turns)

    def attempt(small: bool) -> tuple[int, list[Chain], FittedText]:
        extra = given.extra_chains if given.extra_chains is not None else (0 if small else 2)
        chains, pieces = _plan(seed, turns, extra, given)
        return extra, chains, _fit(seed, pieces, given.noise, target, count)

    extra, chains, fitted = by_shape(target, attempt)
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=[_turn(i, chains[i].value, fitted, count, seed) for i in range(turns)],
        counted=fitted.counted,
        counter=count.name,
        recipe=recipe(
            NAME, VERSION, seed=seed, target=target, turns=turns, knobs=given, extra_chains=extra
        ),
    )


def _turn(turn: int, value: str, fitted: FittedText, count: Counter, seed: str) -> Turn:
    """Its depth is that of one of its links, drawn: the first one lies early in every chain."""
    spans = fitted.spans[turn]
    golds = tuple(
        fitted.context[span.start : span.stop] for span in spans if span.role is Role.ANSWER
    )
    ask = (
        f"Find all variables that are assigned the value {value} in the text above. Answer with "
        f"the names only, separated by commas."
    )
    first = 2 * Draw(NAME, seed, "depth", str(turn)).below(len(golds))  # support and answer a link
    spans = (*spans[first:], *spans[:first])
    return Turn(
        task=NAME,
        ask=ask,
        gold=", ".join(golds),
        wanted=Wanted(golds=golds, generated=True, question=ask),
        max_new_tokens=_new_tokens(golds, count(", ".join(golds))),
        evidence=spans,
        depth=depth_of(spans, len(fitted.context)),
    )


def _new_tokens(golds: tuple[str, ...], counted: int = 0) -> int:
    """Twice the gold. A counter of words, or none at all, knows too little of what invented names
    cost: their characters say it too.
    """
    return max(LEAST_NEW_TOKENS, 2 * counted, 2 * ceil(len(", ".join(golds)) / CHARS_PER_TOKEN))


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The least target of the compact shape, in tokens: the assignments alone, the longest of a few
    seeds.
    """
    checked(NAME, target=1, turns=turns)
    given = _settled(knobs, turns)
    plans = [
        _plan(f"minimum:{i}", turns, given.extra_chains or 0, given)[1]
        for i in range(MINIMUM_SEEDS)
    ]
    return max(count(" ".join(piece.text for piece in pieces)) for pieces in plans)


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """A published turn; its answer is a list of names."""
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    wanted = Wanted(golds=golds, question=ask)
    return Turn(
        task=NAME, ask=ask, gold=", ".join(golds), wanted=wanted, max_new_tokens=_new_tokens(golds)
    )


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a row of scbench_vt, whose context stands in `input`."""
    items = [{"answer": list(turn.wanted.golds), "input": turn.ask} for turn in session.turns]
    return {
        "input": session.context,
        "index": index,
        "length": session.counted,
        "multi_turns": items,
    }


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=VtKnobs,
)
