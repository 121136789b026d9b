"""Codes of any width survive being packed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.kv.bits import pack, unpack


@settings(deadline=None, max_examples=60)
@given(
    bits=st.integers(1, 8),
    eights=st.integers(1, 9),
    rows=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_unpacking_gives_back_what_was_packed(bits: int, eights: int, rows: int, seed: int) -> None:
    codes = torch.randint(
        0,
        1 << bits,
        (rows, 3, 8 * eights),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(seed),
    )
    packed = pack(codes, bits)
    assert packed.shape == (rows, 3, eights * bits)
    assert packed.dtype == torch.uint8
    assert torch.equal(unpack(packed, bits), codes)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_largest_code_of_every_width_survives(bits: int) -> None:
    codes = torch.full((8,), (1 << bits) - 1, dtype=torch.uint8)
    assert torch.equal(unpack(pack(codes, bits), bits), codes)


def test_codes_that_do_not_fill_bytes_are_refused() -> None:
    with pytest.raises(AssertionError, match="multiples of 8"):
        pack(torch.zeros(12, dtype=torch.uint8), 2)
