"""What counts on a machine that keeps fp32 is what one that keeps 16 bits allocates and reads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from methods import ELSEWHERE, METHODS, ON_EVERY_SAVE
from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.exam.laws import EVIDENCE
from scbench.kv import Stream
from scbench.kv.accounting import counted_in
from scbench.methods import parse
from scbench.methods.contract import is_default
from scbench.methods.fork import fork
from scbench.types import Accounting

# Sums of received attention, in fp32 whatever the store: they count as 16 bits all the same.
KEEPS_FP32_SUMS = ("rolling=yes", "infllm")
# How many slots are read depends on the last bits of the keys.
READS_BY_CONTENT = ("retrieval-attention", "retroinfer", "granularity=query_head")
TOKENS = 200
STEPS = 3


@cache
def engine(dtype: torch.dtype) -> LocalEngine:
    local = tiny("gqa")
    local.model.to(dtype)
    shape = local.facts.shape.counted(dtype.itemsize)
    local.facts = replace(local.facts, shape=shape, dtype=str(dtype).removeprefix("torch."))
    return local


def played(dtype: torch.dtype, spelling: str) -> Stream:
    """A stream of the method that has decoded a few tokens."""
    method, local = parse(spelling), engine(dtype)
    if method.retrieval.traits.is_blended:
        pytest.skip("a blend is read by the runner")
    ids = [(7 * at) % 97 + 3 for at in range(TOKENS)]
    pattern = None if is_default(method.generation) else method.generation
    snapshot = local.read(ids, needs=method.needs, pattern=pattern)
    snapshot.evidence = EVIDENCE
    stream = fork(snapshot, method)
    for token in range(STEPS):
        local.advance([Feed(stream, [token + 5])])
    return stream


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(one, marks=[] if one in ON_EVERY_SAVE else pytest.mark.slow)
        for one in METHODS
        if one not in ELSEWHERE
    ],
)
def test_fp32_counted_in_bf16_is_what_bf16_allocates_and_reads(spelling: str) -> None:
    allocated = played(torch.bfloat16, spelling)
    with counted_in(Accounting.BFLOAT16):
        counted = played(torch.float32, spelling)
        sums = 0.02 if any(word in spelling for word in KEEPS_FP32_SUMS) else 0.0
        held_bytes = allocated.held_bytes()
        assert (1 - sums) * held_bytes <= counted.accounted_bytes() <= held_bytes
        assert sums or counted.accounted_bytes() == held_bytes
        by_content = 0.02 if any(word in spelling for word in READS_BY_CONTENT) else 1e-9
        assert counted.loaded_bytes == pytest.approx(allocated.loaded_bytes, rel=by_content)
