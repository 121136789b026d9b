"""The watch on an engine sees every margin and changes nothing; the noise moves all weights a
little.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from golden.compare import compare
from golden.models import NOISE, engine
from golden.record import loosen
from golden.watch import watched

FAR = float("inf")


class Scripted:
    """An engine that gives the logits it is told."""

    def __init__(self, logits: list[list[float]]) -> None:
        self.left = [torch.tensor(row) for row in logits]

    def read(self, ids: Any, **words: Any) -> Any:
        return SimpleNamespace(ids=tuple(ids), logits_V=self.left.pop(0))

    def advance(self, feeds: Any) -> Any:
        for feed in feeds:
            feed.stream.ids.extend(feed.ids)
        return torch.stack([self.left.pop(0) for _ in feeds])


def stream(ids: list[int], store_bytes: int) -> Any:
    return SimpleNamespace(ids=list(ids), shared_bytes=lambda: store_bytes)


def test_the_margin_of_each_step_is_that_of_the_streams_with_the_same_answer_and_stores() -> None:
    engine = Scripted([[3.0, 1.0], [5.0, 4.5], [2.0, 1.75], [9.0, 8.0]])
    one, other = stream([7, 7], 64), stream([7, 7], 32)
    with watched(engine) as watch:
        engine.read([7, 7])
        engine.advance([SimpleNamespace(stream=one, ids=[4])])
        engine.advance([SimpleNamespace(stream=other, ids=[4])])
        engine.advance([SimpleNamespace(stream=one, ids=[6])])
    assert watch.margin(2, (4, 6), 0, 64) == 2.0
    assert watch.margin(2, (4, 6), 1, 64) == 0.5
    assert watch.margin(2, (4, 6), 1, 32) == 0.25
    assert watch.margin(2, (4, 6), 2, 64) == 1.0
    assert watch.margin(2, (5, 6), 1, 64) == FAR
    assert len(watch.shown(2)) == 1
    assert watch.shown(3) == []


def test_the_watch_comes_off_again_even_after_an_error() -> None:
    engine = Scripted([])
    with pytest.raises(IndexError), watched(engine):
        engine.read([1])
    assert vars(engine).keys() == {"left"}


def test_the_noise_moves_every_weight_by_about_a_millionth() -> None:
    plain, noisy = (engine("tiny-llama", seed).model.state_dict() for seed in (0, 1))
    for name, x in plain.items():
        off = float(((noisy[name] - x).abs() / x.abs().clamp(min=1e-9)).max())
        assert 0 < off < 6 * NOISE, name


def test_what_the_noise_moves_is_left_out_from_there_on() -> None:
    row = {"part": "p", "method": "m", "at": "t", "tokens": [1, 2, 3, "end"], "tie": None}
    row |= {"near": {}, "kept": {"0.0": "0-3"}, "logits": [1.0], "loaded_bytes": 8}
    noisy = {**row, "tokens": [1, 9, "end"], "kept": {"0.0": "0-2,7"}, "loaded_bytes": 9}
    noisy["logits"] = [1.001]
    for move in compare([row], [noisy]):
        loosen(row, move)
    assert row["tie"] == 1
    assert row["near"] == {"0.0": "3,7"}
    assert row["within"] == 0.004
    assert row["loose"] == ["loaded_bytes"]
    assert compare([row], [noisy]) == []
    assert [move.field for move in compare([row], [{**noisy, "logits": [1.005]}])] == ["logits"]
