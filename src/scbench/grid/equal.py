"""`--equal-bytes` and `--equal-loaded`: before anything is played, every method's knob is turned
until it holds (or loads) as many bytes as all others, measured on a real fork.

A method's knob is the parameter that sets what it holds: `tau` of an eviction, `bits` of a codec,
`tau` of a prompt compression; a method that composes several is fitted by the first of these, and
where the bytes that a step loads are to be equal, by its loading stage. Its settings are a ladder,
from the fewest bytes to the most; the closed form says where on it to look, and a fork of the
sample decides. Bytes are counted in the run's accounting dtype (kv/accounting.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from scbench.engines.contract import Engine, Feed
from scbench.errors import Mismatch
from scbench.grid.knobs import knob_name, knob_stage, knob_steps, loading_knob_stage, turned
from scbench.grid.settings import Settings
from scbench.grid.suite import suite
from scbench.kv import Snapshot, Stream
from scbench.kv.accounting import counted_shape
from scbench.ledger.cells import digest
from scbench.ledger.equal_table import (
    BELOW,
    MET,
    OUT,
    REFERENCE,
    EqualBytes,
    Fitted,
    read,
    target,
    write,
)
from scbench.methods.contract import Dense, Stage, is_default
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.faults import CRASHED, FAULTS, fault_of
from scbench.play.rewriting import rewritten
from scbench.prompts import Conversation
from scbench.types import Equal, Mode, Protocol, Session

# steps looked at on both sides where bytes do not simply grow with the knob: codes by whole groups,
# an index by its page size
SCAN = 256
SCAN_FORKS = 4  # the same where each step has to be measured


def solve_run(
    settings: Settings, engine: Engine, methods: Sequence[Method], about: object
) -> list[EqualBytes]:
    """A solution per length, on its first session; one that the folder already has for the same
    sample, methods and `about` (model) is taken.
    """
    share = settings.equal_share
    assert share is not None
    known = {one.key: one for one in read(settings.out)}
    found: dict[int, EqualBytes] = {}
    for item in suite(replace(settings, sessions=1), engine):
        if item.session is None or item.length_tokens in found:
            continue
        identity = {
            "share": share,
            "what": settings.equal_what,
            "accounting": settings.accounting,
            "session": item.session.digest,
            "about": about,
            "protocol": settings.protocol,
            "methods": [[str(method), method.source_digest] for method in methods],
        }
        key = digest(identity)
        found[item.length_tokens] = known.get(key) or solve(
            engine,
            item.session,
            methods,
            share,
            settings.protocol,
            what=settings.equal_what,
            key=key,
            length_tokens=item.length_tokens,
        )
        if len(found) == (len(settings.lengths_tokens) if settings.is_generated else 1):
            break
    others = [
        one
        for one in known.values()
        if one.model in settings.models and one.model != engine.facts.name
    ]
    write(settings.out, [*others, *found.values()])
    return list(found.values())


def solve(
    engine: Engine,
    session: Session,
    methods: Sequence[Method],
    share: str,
    protocol: Protocol,
    *,
    what: Equal = Equal.CONTEXT,
    key: str = "",
    length_tokens: int = 0,
) -> EqualBytes:
    """Every method at the setting that holds, or loads, most bytes within `share` of dense's.

    Raises what rendering or reading the context raises; a method that cannot be fitted is a row
    that says why.
    """
    sample = Sample(engine, session, methods, protocol, what)
    try:
        shape, tokens = engine.facts.shape, len(sample.ids(Dense()))
        reference_bytes = sample.size(Method())
        rows = tuple(_row(sample, method, target(share, reference_bytes)) for method in methods)
        return EqualBytes(
            key=key,
            share=share,
            what=str(what),
            length_tokens=length_tokens,
            context_tokens=tokens,
            reference_bytes=reference_bytes,
            dense_bytes=sample.snapshot.fork().held_bytes(),
            token_bytes=counted_shape(shape).token_bytes,
            rows=rows,
            model=engine.facts.name,
        )
    finally:
        sample.release()


class Sample:
    """A context, and the bytes methods hold or load of it. It is read once, densely: what is held
    does not depend on the pattern of the read."""

    def __init__(
        self,
        engine: Engine,
        session: Session,
        methods: Sequence[Method],
        protocol: Protocol,
        what: Equal = Equal.CONTEXT,
    ) -> None:
        self.engine = engine
        self.session = session
        self.protocol = protocol
        self.what = what
        self.needs = frozenset().union(*(method.needs for method in methods))
        self._ids: dict[object, Sequence[int]] = {}
        self._later: dict[object, Sequence[int]] = {}
        self._evidence: dict[object, tuple[int, ...]] = {}
        self._snapshot: Snapshot | None = None

    def ids(self, generation: Any) -> Sequence[int]:
        """The tokens of the context as a generation stage lets the model see it."""
        known = generation if generation.traits.is_rewriting else None
        if known not in self._ids:
            seen = self.session
            if generation.traits.is_rewriting:
                try:
                    seen = rewritten(self.session, generation)
                except Mismatch:
                    # it would drop nothing: the whole context is what it holds, too much for any
                    # target below that
                    seen = self.session
            window = self.engine.facts.window_tokens
            talk = Conversation(
                seen, self.engine.tokenizer, self.protocol, Mode.MULTI_REQUEST, window
            )
            self._ids[known] = talk.context.ids
            self._evidence[known] = talk.context.rests_on()
            self._later[known] = self._rest(seen, talk)
        return self._ids[known]

    def _rest(self, seen: Session, talk: Conversation) -> Sequence[int]:
        if self.what is not Equal.END:
            return talk.delta(talk.context.ids, talk.prompt(0))
        window = self.engine.facts.window_tokens
        whole = Conversation(seen, self.engine.tokenizer, self.protocol, Mode.MULTI_TURN, window)
        golds = [turn.gold for turn in seen.turns[:-1]]
        return whole.delta(talk.context.ids, whole.prompt(len(seen.turns) - 1, golds))

    @property
    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = self.engine.read(self.ids(Dense()), needs=self.needs)
            self._snapshot.evidence = self._evidence[None]
        return self._snapshot

    def accepts(self, method: Method) -> bool:
        try:
            method.check(shape=self.engine.facts.shape, tokens=len(self.ids(method.generation)))
        except Mismatch:
            return False
        return True

    def later(self, generation: Any) -> Sequence[int]:
        """What is fed after the context: nothing, the whole conversation, or the first question."""
        if self.what is Equal.CONTEXT:
            return ()
        self.ids(generation)
        return self._later[generation if generation.traits.is_rewriting else None]

    def expected(self, method: Method) -> int:
        """Bytes held by the closed form; of what is loaded there is none, and it is measured."""
        if self.what is Equal.LOADED:
            return self.size(method)
        return method.held_bytes(
            shape=counted_shape(self.engine.facts.shape),
            tokens=len(self.ids(method.generation)),
            appended=len(self.later(method.generation)),
        )

    def size(self, method: Method) -> int:
        """Bytes of a real fork. Raises Mismatch where this model or length refuses the method."""
        ids = self.ids(method.generation)
        method.check(shape=self.engine.facts.shape, tokens=len(ids))
        own_read = (
            method.generation.traits.governs_decoding
        )  # a stream that goes on from how its context was read
        if not (method.generation.traits.is_rewriting or own_read):
            return self._measured(fork(self.snapshot, method), method)
        own = self.engine.read(
            ids, needs=method.needs, pattern=method.generation if own_read else None
        )
        try:
            return self._measured(fork(own, method), method)
        finally:
            own.release()

    def _measured(self, stream: Stream, method: Method) -> int:
        later = self.later(method.generation)
        if later:
            self.engine.advance([Feed(stream, later)])
        if self.what is not Equal.LOADED:
            return stream.accounted_bytes()
        before_bytes, before_steps = stream.loaded_bytes, stream.steps
        self.engine.advance([Feed(stream, later[-1:])])
        return (stream.loaded_bytes - before_bytes) // max(1, stream.steps - before_steps)

    def release(self) -> None:
        if self._snapshot is not None:
            self._snapshot.release()
            self._snapshot = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The settings of a method's knob, ascending by bytes."""

    method: Method
    stage: Stage
    values: Sequence[Any]  # of the knob; empty: every share that keeps 1, 2, ... of `tokens` slots
    tokens: int

    def __len__(self) -> int:
        return len(self.values) or self.tokens

    def __getitem__(self, at: int) -> Method:
        """For n slots the least share that rounds to n: on a longer context it never holds more
        than the target's share.
        """
        value = self.values[at] if self.values else Fraction(2 * at + 1, 2 * self.tokens)
        return turned(self.method, self.stage, value)


def ladder_of(sample: Sample, method: Method, stage: Stage) -> Ladder:
    """Raises Mismatch, with the last setting's reason, where none of a few fixed settings works on
    this model.
    """
    steps = knob_steps(stage)
    if not steps or method.generation is stage:
        return Ladder(method, stage, steps, len(sample.ids(method.generation)))
    allowed, refusal = list[Any](), Mismatch(f"{stage} has no setting")
    for value in steps:
        try:
            one = turned(method, stage, value)
            one.check(shape=sample.engine.facts.shape, tokens=len(sample.ids(method.generation)))
            allowed.append(value)
        except Mismatch as error:
            refusal = error
    if not allowed:
        raise refusal
    return Ladder(method, stage, allowed, 0)


def _row(sample: Sample, method: Method, target_bytes: int) -> Fitted:
    asked = str(method)
    try:
        if asked == "dense":
            return Fitted(
                asked=asked,
                played=asked,
                verdict=REFERENCE,
                held_bytes=sample.size(method),
                spelling=method.spelling,
            )
        is_loaded = sample.what is Equal.LOADED
        stage = loading_knob_stage(method) if is_loaded else knob_stage(method)
        return (
            _unmoved(sample, method, target_bytes)
            if stage is None
            else _fitted(sample, method, stage, target_bytes)
        )
    except FAULTS as error:  # one method's fault leaves the others as they are
        failure = fault_of(error).failure
        why = f"{failure.kind}: {failure.why}" if failure.kind == CRASHED else failure.why
        return Fitted(asked=asked, played=None, verdict=OUT, held_bytes=None, why=why)


def _unmoved(sample: Sample, method: Method, target_bytes: int) -> Fitted:
    """A method none of whose parameters changes what it holds."""
    asked, held = str(method), sample.size(method)
    if held <= target_bytes:
        return Fitted(
            asked=asked,
            played=asked,
            verdict=BELOW,
            held_bytes=held,
            why="no parameter changes what it holds",
            spelling=method.spelling,
        )
    whole = "it holds the whole cache"
    if method.codec is not None or method.eviction is not None:
        whole = "no parameter changes what it holds"
    elif not is_default(method.loading):
        index = held - sample.snapshot.fork().accounted_bytes()
        whole = f"{method.loading} reads less at each step and holds the whole cache" + (
            f" and {index:,} bytes of index" * (index > 0)
        )
    elif not is_default(method.tier):
        whole = f"{method.tier} holds the whole cache, on a slower tier"
    elif method.generation.traits.governs_decoding:
        whole = (
            f"{method.generation} reads less at each step and holds the whole cache and what it "
            f"remembers of it"
        )
    elif not is_default(method.retrieval):
        whole = f"{method.retrieval} stores whole caches"
    elif not is_default(method.generation):
        whole = f"{method.generation} changes how the context is read and not what is held of it"
    return Fitted(
        asked=asked,
        played=None,
        verdict=OUT,
        held_bytes=held,
        why=f"{whole}: {_over(held, target_bytes)}",
    )


def _fitted(sample: Sample, method: Method, stage: Stage, target_bytes: int) -> Fitted:
    ladder = ladder_of(sample, method, stage)
    first = bisect_left(
        range(len(ladder)), True, key=lambda at: sample.accepts(ladder[at])
    )  # too small a budget is refused
    if first == len(ladder):
        sample.size(ladder[first - 1])  # raises the reason
        raise Mismatch(f"{method} is refused at every setting of {knob_name(stage)}")
    # Bytes loaded have no closed form: every step that is looked at is a fork, and a few must do.
    scan = SCAN_FORKS if sample.what is Equal.LOADED else SCAN
    best = _highest(ladder, first, sample.expected, target_bytes, scan=scan)
    if best < first or (held := sample.size(ladder[best])) != sample.expected(ladder[best]):
        best = _highest(
            ladder, first, sample.size, target_bytes, scan=0
        )  # the closed form is off: only forks count
        held = sample.size(ladder[max(best, first)])
    if best < first:
        does = "loads" if sample.what is Equal.LOADED else "holds"
        why = f"{ladder[first]} {does} least of its settings: {_over(held, target_bytes)}"
        return Fitted(asked=str(method), played=None, verdict=OUT, held_bytes=held, why=why)
    if target_bytes - held < counted_shape(sample.engine.facts.shape).token_bytes:
        return Fitted(
            asked=str(method),
            played=str(ladder[best]),
            verdict=MET,
            held_bytes=held,
            spelling=ladder[best].spelling,
        )
    why = f"{knob_name(stage)} cannot be set so that it holds more"
    if best + 1 < len(ladder) and (more := sample.expected(ladder[best + 1])) > target_bytes:
        why = (
            f"{knob_name(stage)} cannot be set closer: the next, {ladder[best + 1]}, would hold "
            f"{more:,} bytes"
        )
    return Fitted(
        asked=str(method),
        played=str(ladder[best]),
        verdict=BELOW,
        held_bytes=held,
        why=why,
        spelling=ladder[best].spelling,
    )


def _highest(
    ladder: Ladder,
    first: int,
    size: Callable[[Method], int],
    target_bytes: int,
    *,
    scan: int = SCAN,
) -> int:
    """The step from `first` on that holds most within the target; first - 1 if none does."""
    count = len(ladder) - first
    best = (
        first
        - 1
        + bisect_left(range(count), True, key=lambda at: size(ladder[first + at]) > target_bytes)
    )
    if (
        not ladder.values
        and scan
        and (ladder.method.codec is not None or not ladder.method.reads_all)
    ):
        near = range(max(first, best - scan), min(len(ladder), best + scan + 1))
        fitting = [(held, at) for at in near if (held := size(ladder[at])) <= target_bytes]
        return max(fitting)[1] if fitting else best
    return best


def _over(held_bytes: int, target_bytes: int) -> str:
    return f"{held_bytes:,} bytes, and the target is {target_bytes:,}"
