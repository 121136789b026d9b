"""What a pattern returns is a partial result: a sink is one more part of the merge."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.pattern_law import Still
from scbench.kernels import Partial, merge
from scbench.methods.compression.duo_attention import DuoAttention, Split
from scbench.methods.contract import Generation
from scbench.methods.generation.a_shape import AShape
from scbench.methods.generation.flexprefill import FlexPrefill
from scbench.methods.generation.infllm import Reader
from scbench.methods.generation.infllm_memory import Plan
from scbench.methods.generation.minference import MInference
from scbench.methods.generation.tri_shape import TriShape
from scbench.methods.generation.xattention import XAttention

TOKENS, SCALE = 200, 0.4


def infllm() -> Reader:
    return Reader(Plan(init=4, local=40, block=8, room=24, exec=16, repr=2), Still())


PATTERNS: dict[str, Callable[[], Generation | Reader | Split]] = {
    "a-shape": lambda: AShape(init_tokens=4, local_tokens=30),
    "tri-shape": lambda: TriShape(init_tokens=4, local_tokens=30, last_tokens=20),
    "minference": lambda: MInference(budget_tokens=50),
    "minference, tiles": lambda: MInference(budget_tokens=40, mask="tile64"),
    "flexprefill": lambda: FlexPrefill(budget_tokens=64),
    "xattention": lambda: XAttention(budget_tokens=64),
    "infllm": infllm,
    "duo-attention": lambda: Split(
        DuoAttention(full_share=0.5, sink_tokens=4, recent_tokens=30), [[1.0, 0.0]]
    ),
}


def read(name: str) -> tuple[Partial, Tensor]:
    """The pattern over random queries and keys, and its scores with -inf where a row did not look.

    Values are the rows of a unit matrix, so that the output of a row is its attention to each key.
    """
    draw = torch.Generator().manual_seed(5)
    q_HGTD = torch.randn(2, 2, TOKENS, 8, generator=draw)
    k_HSD = torch.randn(2, TOKENS, 8, generator=draw)
    q_HGTD, k_HSD = (torch.nn.functional.pad(x, (0, TOKENS - 8)) for x in (q_HGTD, k_HSD))
    v_HSD = torch.eye(TOKENS).expand(2, -1, -1)
    part = PATTERNS[name]().attend(q_HGTD, k_HSD, v_HSD, layer=0, scale=SCALE, total_tokens=TOKENS)
    scores_HGTS = torch.einsum("hgtd,hsd->hgts", q_HGTD, k_HSD) * SCALE
    return part, scores_HGTS.masked_fill(part.out == 0, float("-inf"))


@pytest.mark.parametrize("name", PATTERNS)
def test_the_log_sum_exp_of_a_pattern_is_that_of_the_keys_it_read(name: str) -> None:
    part, scores_HGTS = read(name)
    is_unread = (part.out == 0) & torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
    assert bool(is_unread.any()), "a pattern leaves something out"
    torch.testing.assert_close(part.lse, scores_HGTS.logsumexp(dim=-1), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_sink_merged_is_a_softmax_with_one_more_logit(name: str) -> None:
    part, scores_HGTS = read(name)
    sink_HG = torch.tensor([[0.5, -1.0], [2.0, 4.0]])
    sink_HGT1 = sink_HG.view(2, 2, 1, 1).expand(-1, -1, TOKENS, 1)
    with_sink = torch.softmax(torch.cat([scores_HGTS, sink_HGT1], dim=-1), dim=-1)
    merged = merge([part, Partial(torch.zeros_like(part.out), sink_HGT1.squeeze(-1))])
    # The values are a unit matrix, and the sink has none.
    torch.testing.assert_close(merged.out, with_sink[..., :-1], atol=1e-5, rtol=1e-4)


class Bare(Generation):
    """A pattern that returns the output alone."""

    name = "bare"

    def attend(  # type: ignore[override]
        self, q_HGTD: Tensor, *given: Tensor, **words: object
    ) -> Tensor:
        return q_HGTD


class Flat(Generation):
    """A pattern whose log-sum-exp is of another shape."""

    name = "flat"

    def attend(  # type: ignore[override]
        self, q_HGTD: Tensor, *given: Tensor, **words: object
    ) -> Partial:
        return Partial(q_HGTD, q_HGTD[..., 0].sum(dim=-1))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (Bare(), r"bare\.attend returns Tensor; it must return scbench.kernels.Partial with out"),
        (Flat(), r"flat\.attend returns out \(2, 2, 20, 32\) and lse \(2, 2\); it must"),
    ],
)
def test_a_pattern_that_returns_no_partial_result_is_refused_by_name(
    pattern: Generation, why: str
) -> None:
    with pytest.raises(Mismatch, match=why):
        tiny("gqa").read(list(range(40, 60)), pattern=pattern)
