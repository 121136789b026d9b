"""A-shape: its mask, at any size and any chunk border, and how far a token can see through the
layers.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.kernels import reference, rows_joined
from scbench.methods import parse
from scbench.methods.generation.a_shape import AShape

engine = cache(tiny)


def mask_of(tokens: int, init: int, local: int) -> torch.Tensor:
    return torch.tensor(
        [[j <= i and (j < init or i - j < local) for j in range(tokens)] for i in range(tokens)]
    )


@settings(deadline=None, max_examples=30)
@given(
    tokens=st.integers(1, 70),
    init=st.integers(0, 30),
    local=st.integers(1, 40),
    chunk=st.integers(1, 70),
    block=st.integers(1, 70),
)
def test_a_row_sees_sinks_and_band_whatever_the_chunk_borders(
    tokens: int, init: int, local: int, chunk: int, block: int
) -> None:
    generator = torch.Generator().manual_seed(tokens)
    q = torch.randn(2, 2, tokens, 8, generator=generator)
    k, v = (torch.randn(2, tokens, 8, generator=generator) for _ in range(2))
    method = AShape(init_tokens=init, local_tokens=local)
    outs = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scbench.methods.generation.a_shape.BLOCK_ROWS", block)
        for start in range(0, tokens, chunk):
            stop = min(start + chunk, tokens)
            seen = k[:, :stop], v[:, :stop]
            outs.append(
                method.attend(q[:, :, start:stop], *seen, layer=0, scale=0.4, total_tokens=tokens)
            )
    wanted = reference.attend(q, k, v, scale=0.4, mask_TS=mask_of(tokens, init, local))
    torch.testing.assert_close(rows_joined(outs), wanted, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=50)
@given(tokens=st.integers(1, 60), init=st.integers(0, 70), local=st.integers(1, 70))
def test_the_computed_share_counts_the_pairs_of_the_mask(
    tokens: int, init: int, local: int
) -> None:
    pairs = int(mask_of(tokens, init, local).sum())
    share = AShape(init_tokens=init, local_tokens=local).computed_share(tokens)
    assert share == pytest.approx(pairs / (tokens * (tokens + 1) / 2))


def moved(spelling: str, at: int, tokens: int = 120) -> torch.Tensor:
    """How much every position's last-layer key moves when token `at` changes."""
    local, method = engine("gqa"), parse(spelling)
    ids = [(i * 7) % 90 + 33 for i in range(tokens)]
    other = [*ids[:at], 200, *ids[at + 1 :]]
    last = max(local.facts.shape.attention_layers)
    one, two = (local.read(x, pattern=method.generation).view(last).k_HSD for x in (ids, other))
    return (one - two).abs().amax(dim=(0, 2))


def test_a_token_reaches_no_further_than_its_layers_times_the_band() -> None:
    local_tokens, at = 12, 40
    change = moved(f"a-shape[init_tokens=4,local_tokens={local_tokens}]", at)
    reach = 2 * (local_tokens - 1)  # the keys of the third layer have passed two attentions
    assert not change[:at].any()
    assert bool(change[at : at + reach].any())
    assert float(change[at + reach]) > 0
    assert not change[at + reach + 1 :].any()


def test_a_sink_reaches_every_token() -> None:
    change = moved("a-shape[init_tokens=4,local_tokens=12]", 3)
    assert bool((change[3:] > 0).all())


def test_a_band_as_long_as_the_context_is_dense() -> None:
    local = engine("gqa")
    ids = [(i * 7) % 90 + 33 for i in range(90)]
    dense = local.read(ids).logits_V
    torch.testing.assert_close(
        local.read(ids, pattern=AShape(init_tokens=0, local_tokens=90)).logits_V,
        dense,
        atol=1e-4,
        rtol=1e-4,
    )
    assert not torch.allclose(
        local.read(ids, pattern=AShape(init_tokens=0, local_tokens=30)).logits_V, dense, atol=1e-3
    )


@pytest.mark.parametrize(
    "params",
    [
        "init_tokens=4,local_tokens=0",
        "init_tokens=-1,local_tokens=8",
        "init_tokens=4,local_tokens=-5",
    ],
)
def test_a_token_that_cannot_see_itself_is_refused(params: str) -> None:
    with pytest.raises(Mismatch, match="sees itself"):
        parse(f"a-shape[{params}]")
