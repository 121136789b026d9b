"""A compression that acts a second time, on what the first left and what came since."""

from __future__ import annotations

from dataclasses import replace

from scbench.methods.contract import Budgeted
from scbench.methods.method import Method


def with_budget_of(method: Method, tokens: int) -> Method:
    """The method with its eviction's budget for `tokens` tokens spelled out in slots.

    A share is one of all tokens seen, and what is held when it acts again are fewer slots: a
    quarter of 800 tokens stays 200 slots, of however many there are.
    """
    eviction = method.eviction
    if not isinstance(eviction, Budgeted):
        return method
    slots = eviction.budget(tokens)
    fixed = replace(eviction, tau=None, budget_tokens=max(slots, eviction.minimum_tokens))
    stages = tuple(fixed if stage is eviction else stage for stage in method.compression)
    return replace(method, compression=stages)
