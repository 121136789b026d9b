"""The run's model under its own attention: with a cache of somebody's, or patched by somebody.

A `transformers.Cache` subclass, or a class with `patch(model)`, is a black box like any other
(`foreign.py`): it reads its context itself, and its bytes are those of the tensors it holds.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scbench.engines.contract import Engine
from scbench.errors import Mismatch
from scbench.kv import Stream
from scbench.methods.foreign import ForeignMethod
from scbench.play.decode import decode
from scbench.prompts import Prompt, Tokenizer


@dataclass(slots=True)
class Filled:
    """A cache, the tokens that are in it, and the logits after the last of them."""

    cache: Any
    ids: tuple[int, ...]
    logits_V: Tensor


class OwnForward:
    """A model that answers by its own forward, over caches that `make_cache` makes."""

    def __init__(self, model: Any, make_cache: Callable[[], Any], tokenizer: Tokenizer) -> None:
        self.model = model
        self.make_cache = make_cache
        self.tokenizer = tokenizer

    def open(self, prompt: Prompt) -> list[Filled]:
        """The caches that requests may go on from, the longest last."""
        empty = Filled(self.make_cache(), (), torch.empty(0))
        return [self._fed(empty, prompt.ids)]

    def ask(self, handle: list[Filled], prompt: Prompt, limit_tokens: int) -> list[int]:
        """The prompt's state stays, the answer's does not: a conversation goes on from it, and a
        request that does not begin with it goes on from the context. Raises NotFinite."""
        base = max(
            (held for held in handle if prompt.ids[: len(held.ids)] == held.ids),
            key=lambda held: len(held.ids),
        )
        asked = self._fed(copy.deepcopy(base), prompt.ids[len(base.ids) :])
        handle[1:] = [asked]
        state = copy.deepcopy(asked)
        # The loop that all methods decode by; the stream only carries what it wants fed.
        loop = decode(
            Stream(layers={}, ids=[]),
            state.logits_V,
            tokenizer=self.tokenizer,
            limit_tokens=limit_tokens,
        )
        try:
            feed = next(loop)
            while True:
                state = self._fed(state, feed.ids)
                feed = loop.send(state.logits_V)
        except StopIteration as end:
            return list(end.value.ids)

    def close(self, handle: list[Filled]) -> None:
        handle.clear()

    def held_bytes(self, handle: list[Filled]) -> int:
        """Of the tensors in the cache of the last prompt."""
        return sum(x.numel() * x.element_size() for x in tensors_in(handle[-1].cache))

    @torch.inference_mode()
    def _fed(self, held: Filled, ids: Sequence[int]) -> Filled:
        if not ids:
            return held
        device = next(self.model.parameters()).device
        with own_attention(self.model):
            out = self.model(
                input_ids=torch.tensor([list(ids)], device=device),
                past_key_values=held.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return Filled(held.cache, (*held.ids, *ids), out.logits[0, -1].float())


def own_forward(foreign: ForeignMethod, engine: Engine) -> OwnForward:
    """What answers for a class of caches, or for one that patches the model.

    Raises Mismatch where the run's model has no forward of its own.
    """
    model: Any = getattr(engine, "model", None)
    if model is None or engine.facts.family != "transformer":
        raise Mismatch(
            f"{foreign.kind.__name__} needs a transformer of the transformers package, and "
            f"{engine.facts.name} is a {engine.facts.family} model; run it with another --model"
        )
    if foreign.is_patch:
        # Weights are copied: what somebody patches must not be what the other methods run on.
        patched = foreign.make().patch(copy.deepcopy(model))
        if not callable(patched):
            raise Mismatch(
                f"{foreign.kind.__name__}.patch gave {type(patched).__name__}; it is handed the "
                "model and gives back the one to run"
            )
        return OwnForward(patched, lambda: _dense_cache(model), engine.tokenizer)
    words = inspect.signature(foreign.kind).parameters
    given = {"config": model.config} if "config" in words else {}
    return OwnForward(model, lambda: foreign.make(**given), engine.tokenizer)


def _dense_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config)


@contextmanager
def own_attention(model: Any) -> Iterator[None]:
    """While this lasts the model computes its own attention; afterwards what it had before."""
    before = model.config._attn_implementation
    model.set_attn_implementation("sdpa" if getattr(model, "_supports_sdpa", False) else "eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def tensors_in(found: object) -> list[Tensor]:
    """Every tensor that an object holds, in its attributes and in lists, tuples and dicts of them,
    each once.

    >>> both = torch.zeros(2)
    >>> len(tensors_in({"k": both, "layers": [both, torch.zeros(3)]}))
    2
    """
    tensors: dict[int, Tensor] = {}
    seen: set[int] = set()
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            tensors[id(one)] = one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif hasattr(one, "__dict__") and not isinstance(one, type | torch.nn.Module):
            waiting += vars(one).values()
    return list(tensors.values())
