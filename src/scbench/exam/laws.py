"""The laws every method must keep, as functions of an engine and a method: `scbench doctor` and
tests/laws run the same ones.

A law raises `Broken` with the numbers that show it; a law that does not apply to a method says why
by `Idle`. Engines are tiny random models, so a law takes milliseconds and nobody needs weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields, replace
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.errors import Mismatch, ScbenchError
from scbench.exam import laws_budget, laws_positions, laws_streams
from scbench.exam.law import CONTEXT_TOKENS as CONTEXT_TOKENS
from scbench.exam.law import EVIDENCE as EVIDENCE
from scbench.exam.law import LAWS as LAWS
from scbench.exam.law import OTHER as OTHER
from scbench.exam.law import QUERY as QUERY
from scbench.exam.law import Broken as Broken
from scbench.exam.law import Idle as Idle
from scbench.exam.law import context as context
from scbench.exam.law import far as far
from scbench.exam.law import law, logits, need, opened
from scbench.exam.law import read as read
from scbench.exam.pattern_law import lse_error
from scbench.exam.promises import promises
from scbench.kv import LayerView, QueryHeadStore, SelectedStore, Stream
from scbench.kv.store import nbytes
from scbench.methods.blame import files_of, offending_line
from scbench.methods.contract import ROTATION, Eviction, is_default
from scbench.methods.fork import fork
from scbench.methods.invariants import Check, Trial
from scbench.methods.method import Method

OTHERS = (laws_budget, laws_positions, laws_streams)  # they put their laws into LAWS, too


@law("a full budget equals dense")
def full_budget_is_dense(engine: LocalEngine, method: Method) -> None:
    lossless = method.lossless(CONTEXT_TOKENS)
    ours = logits(engine, opened(engine, lossless), QUERY, (7,), (8,))
    dense = logits(engine, opened(engine, Method()), QUERY, (7,), (8,))
    need(
        far(ours, dense) < 1e-3,
        f"{lossless} differs from dense by {far(ours, dense):.3g} in its logits (tolerance 1e-3)",
    )


@law("a pattern's log-sum-exp is that of the keys its rows read")
def patterns_return_partials(engine: LocalEngine, method: Method) -> None:
    pattern = method.generation
    if is_default(pattern):
        raise Idle("the context is read densely")
    error = lse_error(pattern, engine.facts.shape.alike, CONTEXT_TOKENS)
    need(
        error < 1e-3,
        f"{pattern} returns a log-sum-exp that is {error:.3g} off that of the keys its rows read",
    )


@law("bytes held are those of the formula, and of the storages")
def bytes_are_the_formula(engine: LocalEngine, method: Method) -> None:
    shape = engine.facts.shape
    stream = opened(engine, method)
    held = stream.slots_held(shape.kv_heads)
    for appended in (0, len(QUERY), len(QUERY) + 1):
        if appended:
            logits(engine, stream, QUERY if appended == len(QUERY) else (7,))
        formula = method.held_bytes(
            shape=shape, tokens=CONTEXT_TOKENS, appended=appended, held=held
        )
        need(
            stream.held_bytes() == formula,
            f"{method} holds {stream.held_bytes():,} bytes after {appended} more tokens, its "
            f"formula says {formula:,}",
        )
    for store in stream.stores():
        for name, x in store.tensors().items():
            storage = x.untyped_storage().nbytes()
            need(
                storage == nbytes([x]),
                f"{method}: tensor {name} shows {nbytes([x]):,} bytes of a storage of {storage:,}; "
                f"copy what is kept",
            )


@law("a fork never changes its base")
def forks_are_isolated(engine: LocalEngine, method: Method) -> None:
    snapshot = read(engine, method, context())
    seal, base = snapshot.digest(), fork(snapshot, method)
    alone = logits(engine, base.fork(), QUERY, (9,))
    child = base.fork()
    logits(engine, child, OTHER, (5,), (6,))
    grandchild = child.fork()
    logits(engine, grandchild, QUERY)
    again = logits(engine, base.fork(), QUERY, (9,))
    need(
        far(alone, again) < 1e-5,
        f"{method}: using one fork moved another's logits by {far(alone, again):.3g}",
    )
    need(
        snapshot.digest() == seal,
        f"{method}: the snapshot's bytes changed while its forks were used",
    )


@law("requests do not depend on their order")
def requests_are_order_free(engine: LocalEngine, method: Method) -> None:
    base = opened(engine, method)
    first = [logits(engine, base.fork(), ids) for ids in (QUERY, OTHER)]
    second = [logits(engine, base.fork(), ids) for ids in (OTHER, QUERY)][::-1]
    worst = max(far(a, b) for a, b in zip(first, second, strict=True))
    need(worst < 1e-5, f"{method}: the order of two requests moved logits by {worst:.3g}")


@law("a later token never changes an earlier one")
def the_future_stays_out(engine: LocalEngine, method: Method) -> None:
    base = opened(engine, method)
    one, two = base.fork(), base.fork()
    cut = 6
    logits(engine, one, QUERY)
    logits(engine, two, (*QUERY[:cut], *OTHER))
    for layer in base.layers:
        k_one, k_two = (
            _newest(stream, layer, len(ids))
            for stream, ids in ((one, QUERY), (two, (*QUERY[:cut], *OTHER)))
        )
        if k_one is None or k_two is None:
            raise Idle("its tail does not keep the newest keys as they came")
        worst = far(k_one[:, :cut], k_two[:, :cut])
        need(
            worst < 1e-5,
            f"{method}: tokens after the {cut}th moved its key in layer {layer} by {worst:.3g}",
        )


def _newest(stream: Stream, layer: int, tokens: int) -> Tensor | None:
    keys = stream.layers[layer].tail.tensors().get("k")
    return None if keys is None or keys.shape[1] < tokens else keys[:, -tokens:]


@law("chunks equal one piece")
def chunks_are_one_piece(engine: LocalEngine, method: Method) -> None:
    if method.generation.is_one_shot:
        raise Idle(
            f"{method.generation} needs all queries of a layer at once and is never read in chunks"
        )
    whole = read(engine, method, context())
    before, engine.read_chunk_tokens = engine.read_chunk_tokens, 37
    try:
        pieces = read(engine, method, context())
    finally:
        engine.read_chunk_tokens = before
    need(
        far(whole.logits_V, pieces.logits_V) < 1e-3,
        f"{method}: reading in chunks moved logits by {far(whole.logits_V, pieces.logits_V):.3g}",
    )
    for layer in whole.layers:
        worst = far(whole.view(layer).k_HSD, pieces.view(layer).k_HSD)
        need(
            worst < 1e-3, f"{method}: reading in chunks moved keys of layer {layer} by {worst:.3g}"
        )
        seen, again = whole.view(layer).observed, pieces.view(layer).observed
        for name in (one.name for one in fields(seen)):
            noted, noted_again = getattr(seen, name), getattr(again, name)
            if isinstance(noted, Tensor):
                worst = far(noted, noted_again) / max(1.0, float(noted.abs().max()))
                need(worst < 1e-3, f"{method}: reading in chunks moved {name} by {worst:.3g}")


@law("packing streams equals running each alone")
def packing_changes_nothing(engine: LocalEngine, method: Method) -> None:
    # What chooses (blocks, pages, slots) may stand at a near tie, which the last bit of another
    # kernel's sum decides: on some processors one query does. A method that depends on its
    # neighbours fails on every query.
    # Two tails of about one length are read in one batch.
    longer = (*OTHER, *QUERY[:8])
    moved = [
        _moved_by_packing(engine, method, *asked) for asked in ((QUERY, longer), (longer, QUERY))
    ]
    worst, name = min(moved)
    need(worst < 1e-3, f"{method}: packed with others, {name} moved by {worst:.3g}")


def _moved_by_packing(
    engine: LocalEngine, method: Method, query: tuple[int, ...], other: tuple[int, ...]
) -> tuple[float, str]:
    """How far logits of the method, or of dense beside it, move, and which of the two."""
    base, dense = opened(engine, method), opened(engine, Method())
    alone = [logits(engine, stream.fork(), query, (3,)) for stream in (base, dense)]
    streams = [base.fork(), dense.fork(), base.fork()]
    queries = [query, query, other]
    packed = [
        engine.advance([Feed(s, ids) for s, ids in zip(streams, queries, strict=True)]),
        engine.advance([Feed(s, (3,)) for s in streams]),
    ]
    moved = [
        (max(far(alone[at][step], packed[step][at]) for step in (0, 1)), name)
        for at, name in ((0, str(method)), (1, "dense"))
    ]
    return max(moved)


@law("held positions are distinct, in order and before the next token")
def positions_are_sane(engine: LocalEngine, method: Method) -> None:
    stream = opened(engine, method)
    logits(engine, stream, QUERY)
    for layer in stream.layers:
        for head in range(engine.facts.shape.layers[layer].kv_heads):
            held = stream.positions(layer, head)
            need(
                bool((held[1:] > held[:-1]).all()),
                f"{method}: positions of layer {layer}, head {head} are not strictly ascending",
            )
            need(
                int(held[-1]) < stream.logical_tokens,
                f"{method}: position {int(held[-1])} is held, {stream.logical_tokens} tokens were "
                f"seen",
            )
            need(int(held[0]) >= 0, f"{method}: a negative position is held")


@law("evicted entries have no influence, kept ones have")
def only_what_is_kept_counts(engine: LocalEngine, method: Method) -> None:
    if method.eviction is None:
        raise Idle("nothing is evicted")
    if method.codec is not None or not method.reads_all:
        raise Idle(
            "another stage stands between what is kept and what is read; the eviction is checked "
            "alone"
        )
    snapshot = read(engine, method, context())
    stream = fork(snapshot, method)
    # The law is played on models of ours, whose layers are alike.
    shape = engine.facts.shape.alike
    draw = torch.Generator().manual_seed(1)
    q_HGTD = torch.randn(shape.kv_heads, shape.group, 3, shape.key_dim, generator=draw)
    k_new, v_new = (
        torch.randn(shape.kv_heads, 3, shape.head_dim, generator=draw) for _ in range(2)
    )
    for layer, cache in stream.layers.items():
        view, held = (
            snapshot.view(layer),
            [stream.positions(layer, head) for head in range(shape.kv_heads)],
        )
        child = cache.fork()
        child.tail.append(k_new, v_new)
        parts = [store.attend(q_HGTD, scale=view.scale).partial for store in child.stores]
        parts.append(child.tail.attend(q_HGTD, scale=view.scale).partial)
        shares = torch.softmax(torch.stack([part.lse for part in parts]), dim=0).unsqueeze(-1)
        out = sum(
            (share * part.out for share, part in zip(shares, parts, strict=True)),
            torch.zeros_like(q_HGTD),
        )
        placed = (
            method.eviction.picked(view, held).k_HSD if ROTATION in method.needs else None
        )  # keys that were moved
        for head, member in product(range(shape.kv_heads), range(shape.group)):
            kept, one = _kept_by(stream, layer, head, member), slice(member, member + 1)
            keys = torch.cat(
                [view.k_HSD[head, kept] if placed is None else placed[head], k_new[head]]
            )
            values = torch.cat([view.v_HSD[head, kept], v_new[head]])
            worst = far(out[head, one], _plainly(q_HGTD[head, one], keys, values, view.scale))
            need(
                worst < 1e-4,
                f"{method}: layer {layer}, head {head} attends to something else than the "
                f"{len(kept)} entries it keeps ({worst:.3g})",
            )
    dense = logits(engine, snapshot.fork(), QUERY)
    if len(stream.positions(next(iter(stream.layers)), 0)) < CONTEXT_TOKENS:
        need(
            far(logits(engine, stream, QUERY), dense) > 1e-6,
            f"{method} freed entries and its logits are still exactly dense",
        )


def _kept_by(stream: Stream, layer: int, head: int, member: int) -> Tensor:
    """Positions that one query head of a KV head's group attends to, nothing having been appended
    yet.
    """
    first = next(iter(stream.layers[layer].stores), None)
    return (
        first.own_positions(head, member)
        if isinstance(first, QueryHeadStore)
        else stream.positions(layer, head)
    )


def _plainly(q_GTD: Tensor, k_SD: Tensor, v_SD: Tensor, scale: float) -> Tensor:
    """Softmax attention of one KV head's queries, written out; the last T keys are the queries'
    own.
    """
    tokens, slots = q_GTD.shape[1], k_SD.shape[0]
    hidden = torch.ones(tokens, slots, dtype=torch.bool).triu(slots - tokens + 1)
    return torch.softmax((q_GTD @ k_SD.T * scale).masked_fill(hidden, float("-inf")), dim=-1) @ v_SD


@law("what is protected stays, whatever the budget")
def protected_slots_stay(engine: LocalEngine, method: Method) -> None:
    eviction = method.eviction
    if eviction is None:
        raise Idle("nothing is evicted")
    if type(eviction).rank is Eviction.rank:
        raise Idle("it gives no ranks by which a slot could be protected")
    snapshot = read(engine, method, context())
    views = [snapshot.view(layer, with_gold=eviction.traits.uses_gold) for layer in snapshot.layers]
    _need_protected(eviction, views)
    try:
        least = replace(eviction, tau=None, budget_tokens=eviction.minimum_tokens)
        least.check(shape=engine.facts.shape, tokens=CONTEXT_TOKENS)
        _need_protected(least, views)
    except Mismatch:
        return  # refused, and said so: nothing was dropped in silence


def _need_protected(eviction: Eviction, views: list[LayerView]) -> None:
    """Every slot ranked inf is kept, in every layer whose budget binds."""
    for view, kept in zip(views, eviction.keep_all(views), strict=True):
        if all(len(slots) == view.tokens for slots in kept):
            continue
        ranks_HS = eviction.rank(view)
        group = len(kept) // ranks_HS.shape[0]  # more than 1 where query heads choose apart
        for head, slots in enumerate(kept):
            protected = ranks_HS[head // group].isposinf().nonzero().squeeze(1).cpu()
            lost = protected[~torch.isin(protected, slots.cpu())]
            need(
                not len(lost),
                f"{eviction} ranks {len(protected)} slots of layer {view.index} inf, which always "
                f"stays, and drops {len(lost)} of them from head {head}, the newest at position "
                f"{int(lost.max()) if len(lost) else 0} of {view.tokens}",
            )


@law("a step moves what it chose, and nothing else")
def only_what_is_chosen_moves(engine: LocalEngine, method: Method) -> None:
    if not method.tier.traits.has_slow_tier:
        raise Idle("nothing is moved")
    stream, shape = opened(engine, method), engine.facts.shape
    draw = torch.Generator().manual_seed(1)
    q_HGTD = torch.randn(shape.kv_heads, shape.group, 1, shape.head_dim, generator=draw)
    scale = shape.head_dim**-0.5
    for layer, cache in stream.layers.items():
        for store in cache.stores:
            selected = store if isinstance(store, SelectedStore) else None
            base = store if selected is None else selected.base
            wanted_bytes = nbytes(base.tensors().values())
            chosen = None if selected is None else selected.digest.choose(q_HGTD, scale=scale)
            if chosen is not None:
                slots = len(base.positions(0))
                rows = len(chosen.flat(shape.kv_heads, slots))
                wanted_bytes = wanted_bytes * rows // (shape.kv_heads * slots)
            moved_bytes = store.attend(q_HGTD, scale=scale).moved_by(0)
            need(
                moved_bytes == wanted_bytes,
                f"{method}: a token of layer {layer} moved {moved_bytes:,} bytes, and what it "
                f"reads are {wanted_bytes:,}",
            )


def examine(
    engine: LocalEngine, method: Method, *, without: Collection[str] = ()
) -> dict[str, str]:
    """Every law, and what the stages promise, on one engine: "holds", "idle: why" or "broken:
    numbers". `without`: statements of laws that are not played."""
    return dict(verdicts(engine, method, without=without))


def verdicts(
    engine: LocalEngine, method: Method, *, without: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """The same, one after the other: promises first, which see most."""
    files = files_of(method.classes)
    try:
        promised = promises(engine, method)
    except Exception as error:
        yield "its stages can be tried", f"broken: {_said(error, files)}"
        promised = {}
    for statement, (promise, trial) in promised.items():
        yield statement, _verdict(partial(_keep, promise, trial), files)
    for statement, check in LAWS.items():
        if statement not in without:
            yield statement, _verdict(partial(check, engine, method), files)


def _keep(promise: Check, trial: Trial) -> None:
    """A promise as a law: it gives back what is wrong with it, and None where it says nothing."""
    wrong = promise(trial)
    if wrong is None:
        raise Idle("it says nothing about these parameters")
    need(not wrong, wrong)


def _verdict(play: Callable[[], None], files: set[Path]) -> str:
    try:
        play()
    except Idle as why:
        return f"idle: {why}"
    except Exception as error:  # a user's method may raise anything; it is reported as it is
        return f"broken: {_said(error, files)}"
    return "holds"


def _said(error: Exception, files: set[Path]) -> str:
    words = str(error) if isinstance(error, ScbenchError) else f"{type(error).__name__}: {error}"
    return words + offending_line(error, files)
