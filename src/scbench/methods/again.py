"""A compression that acts a second time, on what the first left and what came since."""

from __future__ import annotations

from dataclasses import replace

from scbench.errors import Mismatch
from scbench.methods.method import Method
from scbench.methods.stage import ROTATION


def with_budget_of(method: Method, tokens: int) -> Method:
    """The method with its eviction as it acts again after `tokens` tokens.

    Raises Mismatch for one that moves keys: those it moved stand where no position says.
    """
    eviction = method.eviction
    if eviction is None:
        return method
    if ROTATION in eviction.needs:
        raise Mismatch(
            f"{eviction} has moved keys to other positions, and cannot act on them again: use "
            "position_mode=original where a context grows"
        )
    fixed = eviction.again(tokens)
    stages = tuple(fixed if stage is eviction else stage for stage in method.compression)
    return replace(method, compression=stages)
