"""Every pair of registered methods is refused with the reason before anything is computed, or runs
and keeps what each of its parts promises.

`FORMS` has a small spelling of every method, from its card; `REFUSED` all pairs of different kinds
that make no sense; two of one kind never do. A pair that runs is played beside its lossless
settings, of both parts and of one at a time: then nothing may be lost, and the other part must act
as if alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations_with_replacement

import pytest
import torch
from torch import Tensor

from methods import ELSEWHERE
from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.laws import far
from scbench.kv import CacheShape, LayerKind, LayerShape, Snapshot, Stream
from scbench.methods import names, parse
from scbench.methods.cards import CARDS
from scbench.methods.contract import Stage
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.blending import Blending, read_context
from scbench.play.pooled import PooledReads

# Label to spelling. A form beside a method's first has a word of its own after the name.
FORMS = {
    label: spelling for card in CARDS.values() for label, spelling in card.spelled_forms().items()
}
EXACT = {"prefix", "tier"}  # lose nothing, whatever their parameters
KINDS = ("generation", "eviction", "codec", "retrieval", "selection", "tier")

ALL = frozenset({"all"})
ROLLING = frozenset({"streaming-llm rolling", "h2o rolling", "tova rolling", "tova closed"})
APART = frozenset({"snapkv apart", "pyramidkv apart"})  # per query head
OWN_CACHE = ROLLING | APART
UNEVEN = frozenset({"adakv", "adakv knorm", "kvzip", "duo-attention"})
WATCHING = frozenset(  # of the queries, or the attention, of the whole context
    {
        "snapkv",
        "pyramidkv",
        "adakv",
        "h2o",
        "h2o rolling",
        "h2o closed",
        "tova",
        "tova rolling",
        "tova closed",
        "expected-attention",
    }
    | {"kvzip", "duo-attention"}
    | APART
)
SPARSE = frozenset(
    {
        "a-shape",
        "tri-shape",
        "minference",
        "xattention",
        "flexprefill",
        "infllm",
        "infllm read-only",
    }
)
REFUSED: dict[
    tuple[str, str], list[tuple[frozenset[str], frozenset[str]]]
] = {  # what is not refused here runs
    ("generation", "eviction"): [
        (frozenset({"infllm", "closed-book"}), ALL)
    ],  # it chooses what is read after the context itself; there is no context
    ("generation", "codec"): [(frozenset({"infllm", "closed-book"}), ALL)],
    ("generation", "retrieval"): [
        (SPARSE, frozenset({"cacheblend"})),  # chunks are read densely
        (frozenset({"infllm"}), frozenset({"prefix"})),
        (frozenset({"closed-book"}), ALL),
    ],
    ("generation", "selection"): [(frozenset({"infllm", "closed-book"}), ALL)],
    ("generation", "tier"): [(frozenset({"infllm", "closed-book"}), ALL)],
    ("eviction", "codec"): [(OWN_CACHE, ALL)],  # needs plain stores
    ("eviction", "retrieval"): [
        (WATCHING, frozenset({"cacheblend"}))
    ],  # computes only some queries
    ("eviction", "tier"): [(OWN_CACHE | UNEVEN, ALL)],
    ("eviction", "selection"): [
        (OWN_CACHE | UNEVEN, ALL),  # needs as many slots in every head
        (
            frozenset({"pyramidkv"}),
            frozenset({"quest exempt"}),
        ),  # uneven layers cannot share one budget
    ],
    ("codec", "retrieval"): [],
    ("codec", "selection"): [(ALL, ALL)],  # reads full-precision keys
    ("codec", "tier"): [(ALL, ALL)],  # moves full-precision rows
    ("retrieval", "selection"): [],
    ("retrieval", "tier"): [],
    ("selection", "tier"): [],
}

SAID = (
    "the red key of a small box opens door number seven and then nobody knows why it was so, said "
    "Ann. Bob has 12 apples"
)
TEXT = " ".join(SAID.split()[(at * at * 5 + 3 * at) % 25] for at in range(48))
QUERY = tuple(range(40, 57))
TOLERANCE = 1e-3  # of logits; a wrong part moves them by 0.005 at least


@cache
def part(label: str) -> Stage:
    (stage,) = parse(FORMS[label]).chosen
    return stage


@cache
def kind(label: str) -> str:
    return part(label).role


@cache
def pairs() -> list[tuple[str, str]]:
    """All pairs of forms, a form with itself among them, the earlier kind first."""
    return list(
        combinations_with_replacement(sorted(FORMS, key=lambda label: KINDS.index(kind(label))), 2)
    )


def composed(first: str, second: str) -> Method:
    """Raises Mismatch or BadConfig where the two do not go together, on any model or on
    this one.
    """
    method = parse(f"{FORMS[first]}+{FORMS[second]}")
    bench = workbench()
    method.check(shape=bench.engine.facts.shape, tokens=len(bench.ids(method)))
    return method


@dataclass(slots=True)
class Workbench:
    """One tiny GQA model; a context is read once for all that read it alike."""

    engine: LocalEngine
    blending: Blending
    read: dict[tuple[object, ...], Snapshot] = field(default_factory=dict)
    alone: dict[str, Tensor] = field(default_factory=dict)

    def ids(self, method: Method) -> tuple[int, ...]:
        """The context as the method's model sees it, in bytes."""
        ranges = (
            method.generation.kept_ranges(TEXT)
            if method.generation.traits.is_rewriting
            else [(0, len(TEXT))]
        )
        left = "".join(TEXT[start:stop] for start, stop in ranges)
        return tuple(self.engine.tokenizer.encode(left or "\n").ids)  # a template's own token

    def snapshot(self, method: Method) -> Snapshot:
        """The context as the runner would get it: read, blended from chunks, or fetched from a pool
        that has it.
        """
        ids = self.ids(method)
        method.check(shape=self.engine.facts.shape, tokens=len(ids))
        if not method.retrieval.traits.is_pooled:
            return self._read(method, ids)
        reads = PooledReads.begin(self.engine, method, ids, lambda: self._read(method, ids))
        try:
            found = reads.get(ids)[0]
            found.evidence = (9, 10, 11)
            return found
        finally:
            reads.close()

    def _read(self, method: Method, ids: tuple[int, ...]) -> Snapshot:
        key = (
            method.generation,
            method.retrieval if method.retrieval.traits.is_blended else None,
            method.needs,
            ids,
        )
        if key not in self.read:
            self.read[key] = read_context(self.engine, method, ids, blending=self.blending)
            self.read[key].evidence = (9, 10, 11)  # what a ceiling is told
        return self.read[key]

    def decode(self, streams: list[Stream]) -> list[Tensor]:
        """Logits of each stream after a query and after two more tokens, (3, V); the streams go
        side by side.
        """
        steps = [
            self.engine.advance([Feed(stream, ids) for stream in streams])
            for ids in (QUERY, (7,), (8,))
        ]
        return list(torch.stack(steps, dim=1))

    def by_itself(self, spelling: str) -> Tensor:
        if spelling not in self.alone:
            method = parse(spelling)
            self.alone[spelling] = self.decode([fork(self.snapshot(method), method)])[0]
        return self.alone[spelling]


@cache
def workbench() -> Workbench:
    engine = tiny("gqa")
    return Workbench(engine, Blending(engine))


def faults(first: str, second: str) -> Iterator[str]:
    """What is wrong with a pair that runs; nothing for a sound one."""
    bench, method = workbench(), composed(first, second)
    shape, tokens = bench.engine.facts.shape, len(TEXT)
    whole = {label: str(parse(FORMS[label]).lossless(tokens)) for label in (first, second)}
    beside = [
        method.lossless(tokens),
        parse(f"{whole[first]}+{FORMS[second]}"),
        parse(f"{FORMS[first]}+{whole[second]}"),
    ]
    snapshot = bench.snapshot(method)
    seal, stream = snapshot.digest(), fork(snapshot, method)
    left = snapshot.logical_tokens
    held = [stream.held_bytes()]
    counts = stream.slots_held(shape.kv_heads)
    ours, *others = bench.decode([stream, *(fork(bench.snapshot(one), one) for one in beside)])
    held.append(stream.held_bytes())
    if snapshot.digest() != seal:
        yield "the snapshot was changed by its fork"
    if not bool(ours.isfinite().all()):
        yield "its logits are not finite"
    formula = [
        method.held_bytes(shape=shape, tokens=left, appended=appended, held=counts)
        for appended in (0, len(QUERY) + 2)
    ]
    if held != formula:
        yield f"it holds {held} bytes, by its formula {formula}"
    for one, logits, alone in zip(
        beside, others, ("dense", FORMS[second], FORMS[first]), strict=True
    ):
        if (apart := far(logits, bench.by_itself(alone))) > TOLERANCE:
            yield f"{one} differs from {alone} by {apart:.3g} in its logits"


def refusals(labels: frozenset[str], of_kind: str) -> frozenset[str]:
    return (
        frozenset(label for label in FORMS if kind(label) == of_kind) if labels == ALL else labels
    )


@cache
def listed(kinds: tuple[str, str]) -> set[tuple[str, str]]:
    """The pairs of these two kinds that REFUSED names."""
    return {
        (first, second)
        for firsts, seconds in REFUSED[kinds]
        for first in refusals(firsts, kinds[0])
        for second in refusals(seconds, kinds[1])
    }


def test_every_registered_method_has_a_form() -> None:
    missing = set(names()) - ELSEWHERE - {"dense"} - {label.partition(" ")[0] for label in FORMS}
    assert not missing, (
        f"{', '.join(sorted(missing))}: give its card a form (parameters whose budget binds on "
        f"{len(TEXT)} tokens), run this file, "
        "and add what it cannot be joined with to REFUSED, each with its reason"
    )


def test_each_form_spells_the_method_it_stands_for() -> None:
    assert {label: part(label).name for label in FORMS} == {
        label: label.partition(" ")[0] for label in FORMS
    }


@pytest.mark.parametrize("label", FORMS)
def test_a_form_loses_something_or_is_known_to_be_exact(label: str) -> None:
    """Else a pair that forgot this part could not be told from one that has it."""
    bench = workbench()
    apart = far(bench.by_itself(FORMS[label]), bench.by_itself("dense"))
    assert (apart < TOLERANCE) == (label in EXACT), apart


@pytest.mark.parametrize("label", FORMS)
def test_dense_beside_another_stage_is_that_stage_alone(label: str) -> None:
    if kind(label) == "generation":
        with pytest.raises(Mismatch, match="two generation stages"):
            parse(f"dense+{FORMS[label]}")
    else:
        assert parse(f"dense+{FORMS[label]}") == parse(FORMS[label])


@pytest.mark.parametrize("kinds", REFUSED, ids=" x ".join)
def test_exactly_the_listed_pairs_are_refused(kinds: tuple[str, str]) -> None:
    refused = set()
    for first, second in pairs():
        if (kind(first), kind(second)) == kinds:
            try:
                composed(first, second)
            except (Mismatch, BadConfig):
                refused.add((first, second))
    assert refused == listed(kinds)


@pytest.mark.parametrize("of_kind", KINDS)
def test_two_of_one_kind_are_always_refused(of_kind: str) -> None:
    for first, second in pairs():
        if kind(first) == kind(second) == of_kind:
            with pytest.raises(Mismatch, match="two "):
                composed(first, second)


def test_a_refusal_names_both_parts() -> None:
    told = {}
    for first, second in pairs():
        try:
            composed(first, second)
        except (Mismatch, BadConfig) as why:
            told[first, second] = str(why)
    assert len(told) > 100
    silent = {
        pair: why
        for pair, why in told.items()
        if not all(part(label).name in why for label in pair)
    }
    assert not silent


def test_no_pair_is_let_through_on_a_model_without_attention() -> None:
    state = LayerShape(kind=LayerKind.STATE, state_bytes=4096, dtype_bytes=4)
    shape = CacheShape(layers=(state,))
    for first, second in pairs():
        with pytest.raises((Mismatch, BadConfig)):
            parse(f"{FORMS[first]}+{FORMS[second]}").check(shape=shape, tokens=len(TEXT))


# They read as slowly as each other, and are joined by the same code as the sparse reads that stay.
SECONDS_EACH = {
    "infllm read-only",
    "xattention",
    "flexprefill",
    "a-shape",
    "tri-shape",
    "selective-context",
}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(form, marks=[pytest.mark.slow] if form in SECONDS_EACH else [])
        for form in FORMS
    ],
)
def test_every_pair_that_is_not_refused_runs_and_keeps_both_promises(first: str) -> None:
    wrong = {}
    for one, second in pairs():
        kinds = (kind(one), kind(second))
        if (
            one == first
            and kinds in REFUSED
            and (one, second) not in listed(kinds)
            and (found := list(faults(one, second)))
        ):
            wrong[second] = found
    assert not wrong
