"""Laws of streams beside and after each other: forks, sessions, lengths, tiers and pools."""

from __future__ import annotations

import copy
import weakref
from dataclasses import replace

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.errors import Mismatch
from scbench.exam.law import (
    OTHER,
    QUERY,
    Idle,
    context,
    far,
    law,
    logits,
    need,
    opened,
    read,
)
from scbench.methods.contract import OnDevice, is_default
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.pooled import PooledReads

LONG = tuple(range(60, 104))  # enough that a tail codes some of what was appended
LENGTHS = (127, 129)  # beside a multiple of every block, page, group and residual
POOL_TOKENS = 80
_OWN: weakref.WeakKeyDictionary[LocalEngine, Tensor] = weakref.WeakKeyDictionary()


@law("dense is the model's own attention, cached or not")
def dense_is_the_models_own(engine: LocalEngine, method: Method) -> None:
    ours = logits(engine, opened(engine, Method()), QUERY, (7,), (8,))
    if engine not in _OWN:
        model = copy.deepcopy(engine.model)
        model.set_attn_implementation("eager")
        ids = torch.tensor([[*context(), *QUERY, 7, 8]])
        with torch.inference_mode():
            _OWN[engine] = model(input_ids=ids, use_cache=False).logits[0, -3:].float()
    need(
        far(ours, _OWN[engine]) < 1e-3,
        f"dense differs by {far(ours, _OWN[engine]):.3g} from one uncached forward of the model",
    )


@law("siblings of a tail that has grown do not see each other")
def siblings_are_apart(engine: LocalEngine, method: Method) -> None:
    base = opened(engine, method)
    logits(engine, base, LONG)
    one, two = base.fork(), base.fork()
    found = []
    for mine, other in (((9,), (6, 7)), ((5,), (4,)), (OTHER, LONG)):
        found.append(engine.advance([Feed(one, mine)])[0])
        logits(engine, two, other)  # after it, and while both still fit into the same room
    worst = far(logits(engine, base, (9,), (5,), OTHER), torch.stack(found))
    need(worst < 1e-3, f"{method}: a sibling's tokens moved logits by {worst:.3g}")


@law("what is appended in pieces is what is appended at once")
def pieces_are_one(engine: LocalEngine, method: Method) -> None:
    if method.codec is not None or _is_rolling(method):
        raise Idle("its tail codes, or evicts, after every forward")
    base = opened(engine, method)
    at_once = logits(engine, base.fork(), (*LONG, 9))
    pieces = logits(engine, base.fork(), LONG[:20], LONG[20:], (9,))[-1:]
    worst = far(at_once, pieces)
    need(worst < 2e-3, f"{method}: appended in three pieces, logits moved by {worst:.3g}")


def _is_rolling(method: Method) -> bool:
    return method.eviction is not None and method.eviction.traits.is_rolling


@law("the first token after a query-aware compression is dense's")
def first_token_is_dense(engine: LocalEngine, method: Method) -> None:
    if not is_default(method.generation) or not is_default(method.retrieval):
        raise Idle("it does not read densely")
    ids = [*context(), *QUERY]
    ours = read(engine, method, ids).logits_V
    dense = logits(engine, opened(engine, Method()), QUERY)[0]
    need(
        far(ours, dense) < 1e-3,
        f"{method}: after context and query, compressed together, the first token's logits are "
        f"{far(ours, dense):.3g} off dense's",
    )


@law("lengths beside a multiple of every block lose nothing either")
def odd_lengths_are_whole(engine: LocalEngine, method: Method) -> None:
    played = 0
    for tokens in LENGTHS:
        ids, lossless = context(tokens), method.lossless(tokens)
        try:
            stream = opened(engine, lossless, ids)
            binding = opened(engine, method, ids)
        except Mismatch:
            continue  # so short a context is refused, and said so
        played += 1
        ours = logits(engine, stream, QUERY, (7,))
        dense = logits(engine, opened(engine, Method(), ids), QUERY, (7,))
        need(
            far(ours, dense) < 1e-3,
            f"{lossless} differs by {far(ours, dense):.3g} from dense after {tokens} tokens",
        )
        need(
            bool(logits(engine, binding, QUERY, (7,)).isfinite().all()),
            f"{method}: logits after {tokens} tokens are not finite",
        )
    if not played:
        raise Idle(f"it is refused for contexts of {LENGTHS} tokens")


@law("a session's result does not depend on those before it")
def sessions_are_apart(engine: LocalEngine, method: Method) -> None:
    first = logits(engine, opened(engine, method), QUERY, (9,))
    opened(engine, method, context()[::-1])
    again = logits(engine, opened(engine, method), QUERY, (9,))
    need(
        far(first, again) < 1e-5,
        f"{method}: another session in between moved logits by {far(first, again):.3g}",
    )


@law("a slower tier hands on what it was given")
def tiers_lose_nothing(engine: LocalEngine, method: Method) -> None:
    if is_default(method.tier):
        raise Idle("nothing is moved")
    snapshot = read(engine, method, context())
    near = replace(method, tier=OnDevice())
    ours, wanted = (
        logits(engine, fork(snapshot, one), QUERY, (9,), (5,)) for one in (method, near)
    )
    need(
        far(ours, wanted) < 1e-4,
        f"{method} differs by {far(ours, wanted):.3g} from {near}, which moves nothing",
    )


@law("what a pool hands back is what a fresh read gives")
def pools_hand_back_what_was_read(engine: LocalEngine, method: Method) -> None:
    """Prompts that go on from the context, from its first half, and, twice, from one that has other
    tokens in its first block and the context's in all others."""
    if not method.retrieval.traits.is_pooled:
        raise Idle("it has no pool of earlier requests")
    ids = context(POOL_TOKENS)
    half, block = POOL_TOKENS // 2, 16

    reads = PooledReads.begin(engine, method, ids, lambda: read(engine, method, ids))
    try:
        first = [*OTHER, *QUERY[: block - len(OTHER)]]
        shifted = [*first, *ids[block:], *QUERY]
        # The last is asked twice: then its first block is stored, too.
        prompts = ([*ids, *QUERY], [*ids[:half], *OTHER, *QUERY], shifted, [*shifted, *OTHER])
        for prompt in prompts:
            goes_on = prompt[: len(ids)] == ids
            if reads.carries is not None and not goes_on:
                continue  # only whole contexts are served to a method that acts on them
            found, _ = reads.get(prompt)
            base = read(engine, method, ids) if goes_on else None
            rest = prompt[len(ids) :] if goes_on else prompt
            fresh = engine.read(rest, needs=method.needs, base=base)
            worst = far(found.logits_V, fresh.logits_V)
            need(worst < 1e-3, f"{method}: a prompt served from the pool is {worst:.3g} off")
    finally:
        reads.pool.close()
