"""Slower tiers: what comes back is what went there, its bytes are counted, and the next layer is on
its way.
"""

from __future__ import annotations

import threading

import pytest
import torch

from scbench.errors import CannotWrite
from scbench.kv import DenseStore
from scbench.kv.tiers import DiskShelf, TieredStore, TierName, chained

TIERS: list[TierName] = ["host", "disk"]


def base(slots: int = 30, seed: int = 0, dtype: torch.dtype = torch.float32) -> DenseStore:
    generator = torch.Generator().manual_seed(seed)
    return DenseStore(
        *(torch.randn(2, slots, 8, generator=generator).to(dtype) for _ in range(2)),
        first_position=3,
    )


def queries(tokens: int = 2) -> torch.Tensor:
    return torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_comes_back_is_bit_equal(tier: TierName, dtype: torch.dtype) -> None:
    store = base(dtype=dtype)
    (tiered,) = chained([store], tier)
    for _ in range(2):
        k, v = tiered.take()
        assert torch.equal(k, store.k_HSD)
        assert torch.equal(v, store.v_HSD)
    assert torch.equal(tiered.tensors()["k"], store.k_HSD)
    assert torch.equal(tiered.positions(1), store.positions(1))


@pytest.mark.parametrize("tier", TIERS)
def test_a_read_is_the_dense_one_and_moves_every_byte(tier: TierName) -> None:
    store = base()
    (tiered,) = chained([store], tier)
    read, wanted = tiered.attend(queries(), scale=0.3), store.attend(queries(), scale=0.3)
    assert torch.equal(read.partial.out, wanted.partial.out)
    assert read.loaded_bytes == wanted.loaded_bytes == read.moved_bytes == 2 * 2 * 30 * 8 * 4
    assert wanted.moved_bytes == 0


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_of_the_store_it_came_from_is_kept(tier: TierName) -> None:
    store = base()
    (tiered,) = chained([store], tier)
    wanted = store.k_HSD.clone()
    store.k_HSD.zero_()
    assert torch.equal(tiered.take()[0], wanted)


@pytest.mark.parametrize("tier", TIERS)
def test_what_was_fetched_is_the_readers_own(tier: TierName) -> None:
    (tiered,) = chained([base()], tier)
    tiered.take()[0].zero_()
    assert bool((tiered.take()[0] != 0).all())


def test_reading_a_layer_starts_to_fetch_the_next_and_only_that() -> None:
    first, second, third = chained([base(seed=seed) for seed in range(3)], "host")
    first.attend(queries(), scale=1.0)
    assert second._coming is not None
    assert third._coming is None
    second._coming.result()
    second.attend(queries(), scale=1.0)
    assert second._coming is None
    assert third._coming is not None


def test_the_next_layer_is_fetched_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = chained([base(seed=seed) for seed in range(2)], "disk")
    seen, fetched = [], TieredStore._fetched
    monkeypatch.setattr(
        TieredStore,
        "_fetched",
        lambda self: seen.append(threading.current_thread().name) or fetched(self),
    )
    first.attend(queries(), scale=1.0)
    second.attend(queries(), scale=1.0)
    assert len(seen) == 2
    assert all(name.startswith("fetch") for name in seen)


def test_a_file_that_is_too_short_is_an_error_and_not_wrong_data() -> None:
    shelf = DiskShelf(base().k_HSD)
    shelf._file.truncate(100)
    with pytest.raises(OSError, match="ends after 100 of 1,920 bytes"):
        shelf.load()


def test_a_folder_that_cannot_be_written_to_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk() -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full_disk)
    with pytest.raises(CannotWrite, match="TMPDIR"):
        DiskShelf(base().k_HSD)
