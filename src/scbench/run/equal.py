"""`--equal-bytes`: before anything is played, every method's knob is turned until it holds as many bytes as all others, measured on a real fork.

A method's knob is the parameter that sets what it holds: `tau` of an eviction, `bits` of a codec, `tau` of a prompt compression; a method that
composes several is fitted by the first of these. Its settings are a ladder, from the fewest bytes to the most; the closed form says where on it to
look, and a fork of the sample decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from scbench.engines.contract import Engine
from scbench.errors import Mismatch
from scbench.kv import Snapshot
from scbench.kv.accounting import counted_shape
from scbench.methods.contract import Dense, Stage, is_default
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.prompts import Conversation
from scbench.run.cells import digest
from scbench.run.equal_table import (
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
from scbench.run.faults import CRASHED, FAULTS, fault_of
from scbench.run.rewriting import rewritten
from scbench.run.settings import Settings
from scbench.run.suite import suite
from scbench.types import Mode, Protocol, Session

SCAN = 256  # steps looked at on both sides where bytes do not simply grow with the knob: codes by whole groups, an index by its page size


def solve_run(
    settings: Settings, engine: Engine, methods: Sequence[Method], about: object
) -> list[EqualBytes]:
    """A solution per length, on its first session; one that the folder already has for the same sample, methods and `about` (model) is taken."""
    assert settings.equal_bytes is not None
    known = {one.key: one for one in read(settings.out)}
    found: dict[int, EqualBytes] = {}
    for item in suite(replace(settings, sessions=1), engine):
        if item.session is None or item.length_tokens in found:
            continue
        identity = {
            "share": settings.equal_bytes,
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
            settings.equal_bytes,
            settings.protocol,
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
    key: str = "",
    length_tokens: int = 0,
) -> EqualBytes:
    """Every method at the setting that holds most bytes within `share` of the dense cache of the session's context.

    Raises what rendering or reading the context raises; a method that cannot be fitted is a row that says why.
    """
    sample = Sample(engine, session, methods, protocol)
    try:
        shape, tokens = engine.facts.shape, len(sample.ids(Dense()))
        reference_bytes = counted_shape(shape).dense_bytes(tokens)
        rows = tuple(_row(sample, method, target(share, reference_bytes)) for method in methods)
        return EqualBytes(
            key=key,
            share=share,
            length_tokens=length_tokens,
            context_tokens=tokens,
            reference_bytes=reference_bytes,
            dense_bytes=sample.snapshot.fork().accounted_bytes(),
            token_bytes=counted_shape(shape).token_bytes,
            rows=rows,
            model=engine.facts.name,
        )
    finally:
        sample.release()


class Sample:
    """A context, and the bytes methods hold of it. It is read once, densely: what is held does not depend on the pattern of the read."""

    def __init__(
        self, engine: Engine, session: Session, methods: Sequence[Method], protocol: Protocol
    ) -> None:
        self.engine, self.session, self.protocol = engine, session, protocol
        self.needs = frozenset().union(*(method.needs for method in methods))
        self._ids: dict[object, Sequence[int]] = {}
        self._snapshot: Snapshot | None = None

    def ids(self, generation: Any) -> Sequence[int]:
        """The tokens of the context as a generation stage lets the model see it."""
        known = generation if generation.rewrites else None
        if known not in self._ids:
            seen = self.session
            if generation.rewrites:
                try:
                    seen = rewritten(self.session, generation)
                except Mismatch:  # it would drop nothing: the whole context is what it holds, too much for any target below that
                    seen = self.session
            window = self.engine.facts.window_tokens
            talk = Conversation(
                seen, self.engine.tokenizer, self.protocol, Mode.MULTI_REQUEST, window
            )
            self._ids[known] = talk.context.ids
        return self._ids[known]

    @property
    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = self.engine.read(self.ids(Dense()), needs=self.needs)
        return self._snapshot

    def accepts(self, method: Method) -> bool:
        try:
            method.check(shape=self.engine.facts.shape, tokens=len(self.ids(method.generation)))
        except Mismatch:
            return False
        return True

    def expected(self, method: Method) -> int:
        """Bytes by the closed form."""
        return method.held_bytes(
            shape=counted_shape(self.engine.facts.shape), tokens=len(self.ids(method.generation))
        )

    def held(self, method: Method) -> int:
        """Bytes of a real fork. Raises Mismatch where this model or length refuses the method."""
        ids = self.ids(method.generation)
        method.check(shape=self.engine.facts.shape, tokens=len(ids))
        own_read = method.generation.goes_on  # a stream that goes on from how its context was read
        if not (method.generation.rewrites or own_read):
            return fork(self.snapshot, method).accounted_bytes()
        own = self.engine.read(
            ids, needs=method.needs, pattern=method.generation if own_read else None
        )
        try:
            return fork(own, method).accounted_bytes()
        finally:
            own.release()

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
        """For n slots the least share that rounds to n: on a longer context it never holds more than the target's share."""
        value = self.values[at] if self.values else Fraction(2 * at + 1, 2 * self.tokens)
        return turned(self.method, self.stage, value)


def knob_stage(method: Method) -> Stage | None:
    """The stage whose knob is turned: an eviction before a codec before a prompt compression; None if nothing changes what is held."""
    rewriting = (method.generation,) if method.generation.rewrites else ()
    return next((stage for stage in (*method.compression, *rewriting) if stage.knob), None)


def turned(method: Method, stage: Stage, value: object) -> Method:
    """`method` with the knob of `stage` at `value`, and no other budget in it."""
    budgets = {f.name: None for f in fields(stage) if f.name in ("tau", "budget_tokens")}
    new: Any = replace(stage, **{**budgets, stage.knob: value})  # type: ignore[arg-type]
    return replace(
        method,
        generation=new if method.generation is stage else method.generation,
        compression=tuple(new if one is stage else one for one in method.compression),
    )


def ladder_of(sample: Sample, method: Method, stage: Stage) -> Ladder:
    """Raises Mismatch, with the last setting's reason, where none of a few fixed settings works on this model."""
    if not stage.knob_steps or method.generation is stage:
        return Ladder(method, stage, stage.knob_steps, len(sample.ids(method.generation)))
    allowed, refusal = list[Any](), Mismatch(f"{stage} has no setting")
    for value in stage.knob_steps:
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
                held_bytes=sample.held(method),
                spelling=method.spelling,
            )
        stage = knob_stage(method)
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
    asked, held = str(method), sample.held(method)
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
    elif method.generation.goes_on:
        whole = f"{method.generation} reads less at each step and holds the whole cache and what it remembers of it"
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
        sample.held(ladder[first - 1])  # raises the reason
        raise Mismatch(f"{method} is refused at every setting of {stage.knob}")
    best = _highest(ladder, first, sample.expected, target_bytes)
    if best < first or (held := sample.held(ladder[best])) != sample.expected(ladder[best]):
        best = _highest(
            ladder, first, sample.held, target_bytes, scan=0
        )  # the closed form is off: only forks count
        held = sample.held(ladder[max(best, first)])
    if best < first:
        why = f"{ladder[first]} holds least of its settings: {_over(held, target_bytes)}"
        return Fitted(asked=str(method), played=None, verdict=OUT, held_bytes=held, why=why)
    if target_bytes - held < counted_shape(sample.engine.facts.shape).token_bytes:
        return Fitted(
            asked=str(method),
            played=str(ladder[best]),
            verdict=MET,
            held_bytes=held,
            spelling=ladder[best].spelling,
        )
    why = f"{stage.knob} cannot be set so that it holds more"
    if best + 1 < len(ladder) and (more := sample.expected(ladder[best + 1])) > target_bytes:
        why = f"{stage.knob} cannot be set closer: the next, {ladder[best + 1]}, would hold {more:,} bytes"
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
        and (ladder.method.codec is not None or not is_default(ladder.method.loading))
    ):
        near = range(max(first, best - scan), min(len(ladder), best + scan + 1))
        fitting = [(held, at) for at in near if (held := size(ladder[at])) <= target_bytes]
        return max(fitting)[1] if fitting else best
    return best


def _over(held_bytes: int, target_bytes: int) -> str:
    return f"{held_bytes:,} bytes, and the target is {target_bytes:,}"
