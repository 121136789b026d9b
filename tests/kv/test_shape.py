"""A shape per layer: what is held, what a method acts on, and what needs layers alike."""

from __future__ import annotations

import doctest
import importlib
from dataclasses import replace

import pytest

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerKind, LayerShape
from scbench.methods import parse

FULL = LayerShape(
    kind=LayerKind.FULL, query_heads=8, kv_heads=2, key_dim=64, value_dim=64, dtype_bytes=2
)
SLOT_BYTES = 2 * (64 + 64) * 2
WINDOW = replace(FULL, kind=LayerKind.WINDOW, span_tokens=100)
STATE = LayerShape(kind=LayerKind.STATE, state_bytes=1000, dtype_bytes=2)
BOTH = replace(FULL, kind=LayerKind.BOTH, state_bytes=1000)
LATENT = replace(FULL, kind=LayerKind.LATENT, kv_heads=1, key_dim=576, value_dim=0)
SHARED = replace(FULL, kind=LayerKind.SHARED, shares_with=0)
NOTHING = LayerShape(kind=LayerKind.NOTHING, dtype_bytes=2)
MIXED = CacheShape(layers=(FULL, WINDOW, STATE, BOTH, LATENT, SHARED, NOTHING))


@pytest.mark.parametrize(
    ("layer", "short_bytes", "long_bytes"),
    [
        (FULL, 90 * SLOT_BYTES, 900 * SLOT_BYTES),
        (WINDOW, 90 * SLOT_BYTES, 100 * SLOT_BYTES),
        (replace(FULL, kind=LayerKind.CHUNK, span_tokens=100), 90 * SLOT_BYTES, 100 * SLOT_BYTES),
        (STATE, 1000, 1000),
        (BOTH, 90 * SLOT_BYTES + 1000, 900 * SLOT_BYTES + 1000),
        (LATENT, 90 * 1152, 900 * 1152),
        (SHARED, 0, 0),
        (NOTHING, 0, 0),
    ],
)
def test_a_layer_holds_what_its_kind_says(
    layer: LayerShape, short_bytes: int, long_bytes: int
) -> None:
    assert (layer.dense_bytes(90), layer.dense_bytes(900)) == (short_bytes, long_bytes)


def test_a_cache_is_the_sum_of_its_layers() -> None:
    assert MIXED.dense_bytes(900) == sum(layer.dense_bytes(900) for layer in MIXED.layers)
    assert MIXED.token_bytes == 3 * SLOT_BYTES + 1152
    assert (MIXED.attention_layers, MIXED.recurrent_bytes) == ((0, 1, 3, 4), 2000)
    assert MIXED.counted(4).dense_bytes(900) == 2 * MIXED.dense_bytes(900)


@pytest.mark.parametrize(
    ("spelling", "acted_bytes"),
    [
        ("dense", lambda slot: 900 * slot),
        ("snapkv[tau=1/3]", lambda slot: 300 * slot),
        ("h2o[tau=1/3]", lambda slot: 300 * slot),
        ("fp8", lambda slot: 900 * slot // 2),
    ],
)
def test_a_window_that_slides_is_left_alone_and_the_other_layers_are_acted_on(
    spelling: str, acted_bytes: object
) -> None:
    shape = CacheShape(layers=(FULL, WINDOW, BOTH))
    method = parse(spelling)
    assert callable(acted_bytes)
    wanted = 2 * acted_bytes(SLOT_BYTES) + 100 * SLOT_BYTES + 1000
    scales = 2 * 2 * 2 * 900 * 2 if spelling == "fp8" else 0  # K and V, a scale a head and slot
    method.check(shape=shape, tokens=900)
    assert method.held_bytes(shape=shape, tokens=900) == wanted + scales


def test_below_its_window_a_layer_is_acted_on_as_a_full_one() -> None:
    windows, full = CacheShape(layers=(WINDOW,) * 3), CacheShape(layers=(FULL,) * 3)
    for spelling in ("snapkv[tau=1/3]", "kivi", "quest[tau=1/3]", "kvzip[tau=1/3]"):
        method = parse(spelling)
        assert method.held_bytes(shape=windows, tokens=90, appended=5) == method.held_bytes(
            shape=full, tokens=90, appended=5
        )


def test_codecs_and_indexes_follow_the_sizes_of_each_layer() -> None:
    narrow = replace(FULL, kv_heads=4, key_dim=32, value_dim=32)
    uneven = CacheShape(layers=(FULL, narrow))
    for spelling in ("kivi", "rtn", "fp8", "turboquant", "quest[tau=1/4]", "retroinfer[tau=1/4]"):
        method = parse(spelling)
        method.check(shape=uneven, tokens=512)
        each = [
            method.held_bytes(shape=CacheShape(layers=(layer,)), tokens=512, appended=3)
            for layer in uneven.layers
        ]
        both = method.held_bytes(shape=uneven, tokens=512, appended=3)
        assert both == sum(each), spelling


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("kvzip[tau=1/4]", "pairs hold 128 and 256 bytes; use layerwise=yes"),
        ("duo-attention[tau=1/4]", "layers of this model have 2 and 4 KV heads"),
        ("kivi[group=64,residual_tokens=64]", "group=64 does not divide the head dimension 32"),
    ],
)
def test_what_needs_layers_alike_is_refused_with_both_numbers(spelling: str, why: str) -> None:
    narrow = replace(FULL, kv_heads=4, key_dim=32, value_dim=32)
    with pytest.raises(Mismatch, match=why):
        parse(spelling).check(shape=CacheShape(layers=(FULL, narrow)), tokens=512)
    parse("kvzip[tau=1/4,layerwise=yes]").check(shape=CacheShape(layers=(FULL, narrow)), tokens=512)


def test_a_model_whose_windows_all_slide_takes_dense_alone() -> None:
    shape = CacheShape(layers=(WINDOW, WINDOW))
    parse("dense").check(shape=shape, tokens=900)
    with pytest.raises(Mismatch, match="none at 900 tokens; its window is what it is"):
        parse("snapkv[tau=1/3]").check(shape=shape, tokens=900)


def test_a_manifest_tells_alike_layers_as_it_always_has_and_others_one_by_one() -> None:
    even = CacheShape.even(layers=2, query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4)
    assert even.told() == {
        "": "CacheShape",
        "layers": 2,
        "attention_layers": [0, 1],
        "query_heads": 4,
        "kv_heads": 2,
        "head_dim": 8,
        "dtype_bytes": 4,
        "recurrent_bytes": 0,
        "model_digest": "",
    }
    told = MIXED.told()["by_layer"]
    assert told[1]["span_tokens"] == 100
    assert told[6] == {"kind": "nothing", "dtype_bytes": 2}


@pytest.mark.parametrize("name", ["scbench.kv.shape", "scbench.kernels.attention"])
def test_the_examples_in_its_words_run(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.attempted > 0
    assert ran.failed == 0
