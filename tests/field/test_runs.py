"""Runs that told wrong numbers in silence.

A window stretched without the scaling it needs, or beyond its reach; a mean that rose because the
hard half had failed; an exception that kept the memory which its retry needed; a best token that is
no number or no token; a text shorter than what a method looks at.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import scbench
from engines.folders import edit_json, in_hub_cache, write_model
from field.saves import few
from prompts.texts import backend
from scbench.api import settle
from scbench.cli import app
from scbench.engines import load
from scbench.engines.contract import Feed
from scbench.engines.facts import facts_from_config
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import Mismatch, ScbenchError
from scbench.grid.runner import run
from scbench.methods import parse
from scbench.methods.cards import CARDS
from scbench.methods.fork import fork
from scbench.play.blending import read_context
from scbench.types import BEYOND_TRAINED

WORDS: dict[str, Any] = {
    "tasks": "kv",
    "methods": "dense,snapkv[tau=1/2]",
    "length": "256",
    "sessions": 1,
    "turns": 2,
    "max_new_tokens": 2,
    "cost_sessions": 0,
    "quiet": True,
}

# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["qwen2.5-72b", "Qwen/Qwen2.5-72B-Instruct"])
def test_a_window_of_a_name_is_known_before_any_file_is_here(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for window, rule in ((32_768, ""), (131_072, "yarn x4")):
        facts = facts_from_config(name, window_tokens=window, count=False)
        assert (facts.window_tokens, facts.trained_tokens) == (window, 32_768)
        assert facts.choices.get("rope", "").partition(":")[0] == rule


@pytest.mark.parametrize(
    ("name", "window", "reach"),
    [
        ("qwen2.5-72b", 1 << 20, "its authors' yarn x4 reach 131,072"),
        ("smollm2-135m", 32_768, "reach 8,192"),
        ("lab-transformer", 32_768, "reach 4,096"),
    ],
)
def test_a_window_beyond_its_reach_is_refused_by_the_plan(
    name: str, window: int, reach: str
) -> None:
    made = scbench.plan(model=name, window_tokens=window, tasks="kv", methods="dense", length="4k")
    assert not made.models
    (refusal,) = made.refusals
    assert reach in refusal.why


@pytest.mark.slow
def test_a_plan_says_that_records_beyond_the_training_will_be_marked() -> None:
    words = ["plan", "--model", "lab-mamba2", "--window", "32768", "--length", "2k"]
    found = CliRunner().invoke(app, [*words, "--tasks", "kv", "--methods", "dense"])
    assert "beyond the 2,615 it is made for: every record is marked so" in found.output


def test_a_short_name_and_a_hub_name_and_a_folder_are_read_at_one_scaling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny model under a large one's name, as a cache may hold it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = write_model(tmp_path / "m", architecture="Qwen2Config", max_position_embeddings=512)
    in_hub_cache(folder, tmp_path / "hub", "Qwen/Qwen2.5-72B-Instruct")
    rules = {
        load.load(name, window_tokens=2048).facts.choices["rope"].partition(":")[0]
        for name in ("qwen2.5-72b", "Qwen/Qwen2.5-72B-Instruct")
    }
    assert rules == {"yarn x4"}
    with pytest.raises(Mismatch, match="reach 512 tokens"):
        load.load(str(folder), window_tokens=2048)  # nothing says that this one is a Qwen2.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_every_record_beyond_what_a_scaling_was_made_for_is_marked(
    tmp_path: Path, kind: str
) -> None:
    folder = write_model(tmp_path / "m", max_position_embeddings=512)
    rope: dict[str, Any] = {"rope_type": kind, "factor": 2.0, "rope_theta": 10000.0}
    if kind == "yarn":
        rope["original_max_position_embeddings"] = 512
    edit_json(folder / "config.json", rope_parameters=rope)
    words = {**WORDS, "model": str(folder), "window_tokens": 8192}
    records = scbench.run(out=tmp_path / "run", **words).records()
    assert {BEYOND_TRAINED in one.notes for one in records} == {True}


# -- memory ----------------------------------------------------------------------------------------


class Hungry(ToyEngine):
    """Takes an array and raises, at some of its calls; the array must die with the call."""

    def __init__(self, call: str, error: type[Exception], at: range) -> None:
        super().__init__()
        self.call, self.error, self.at = call, error, at
        self.calls = 0
        self.taken: list[weakref.ref[Any]] = []
        self.alive = {0}

    def _raise(self, call: str) -> None:
        self.alive.add(sum(one() is not None for one in self.taken))
        if call != self.call:
            return
        self.calls += 1
        if self.calls in self.at:
            array = torch.zeros(1000)
            self.taken.append(weakref.ref(array))
            raise self.error("no memory left")

    def read(self, *given: Any, **words: Any) -> Any:
        self._raise("read")
        return super().read(*given, **words)

    def advance(self, feeds: Any) -> Any:
        self._raise("advance")
        return super().advance(feeds)


@pytest.mark.parametrize("error", few([MemoryError, ValueError], MemoryError))
@pytest.mark.parametrize("at", [range(1, 2), range(1, 100)])
@pytest.mark.parametrize("call", ["read", "advance"])
def test_what_a_failed_call_held_is_free_at_the_next_one_and_the_model_before_the_next_model(
    tmp_path: Path, call: str, at: range, error: type[Exception]
) -> None:
    engines: list[weakref.ref[Hungry]] = []
    alive: list[set[int]] = []
    before: list[int] = []

    def made() -> Iterator[ToyEngine]:
        for _ in range(2):
            before.append(sum(one() is not None for one in engines))
            engine = Hungry(call, error, at)
            engines.append(weakref.ref(engine))
            alive.append(engine.alive)
            yield engine
            del engine

    words = {**WORDS, "model": "toy", "cost_sessions": 1, "out": tmp_path, "quiet": None}
    gc.disable()  # nothing may wait for it
    try:
        run(settle(words), made(), quiet=True)
    finally:
        gc.enable()
    assert alive[0] == {0}
    assert before == [0, 0]


# -- ids -------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    """A model that was never told of the words which were added to its tokenizer."""
    rows = backend().get_vocab_size() - 10
    return write_model(tmp_path / "narrow", vocab_size=rows, max_position_embeddings=2048)


def test_a_template_whose_words_have_no_embedding_is_refused_before_weights(
    narrow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_read_weights", lambda *given, **words: pytest.fail("weights read"))
    why = r"embeddings for ids below 398, and its tokenizer writes '<\|im_start\|>' as id 399"
    with pytest.raises(Mismatch, match=why) as refused:
        scbench.run(model=str(narrow), out=tmp_path / "run", **WORDS)
    words = {name: value for name, value in WORDS.items() if name != "quiet"}
    stopped = [one.why for one in scbench.plan(model=str(narrow), **words).refusals]
    assert str(refused.value) in stopped


def test_an_id_without_an_embedding_is_a_sentence_and_no_crash(narrow: Path) -> None:
    engine = load.load(str(narrow))
    for ids in ([5, 398], [400]):
        with pytest.raises(Mismatch, match="has embeddings for ids below 398"):
            engine.read(ids)
        with pytest.raises(Mismatch, match="has embeddings for ids below 398"):
            engine.advance([Feed(engine.read([5, 6]).fork(), ids)])
    assert engine.read([5, 397]).logical_tokens == 2


@pytest.mark.slow
def test_plain_prompts_of_a_model_that_lacks_the_templates_words_are_played(
    narrow: Path, tmp_path: Path
) -> None:
    records = scbench.run(
        model=str(narrow), out=tmp_path / "run", chat_template=False, **WORDS
    ).records()
    assert {one.failure for one in records} == {None}


# -- short texts -----------------------------------------------------------------------------------

EVICTIONS = [name for name, one in CARDS.items() if one.stage == "compression" if name != "kvpress"]


@pytest.mark.parametrize("tokens", few([1, 5, 31, 32, 33], 5))
def test_a_budget_above_the_text_is_dense_and_a_share_of_it_is_kept_or_refused_by_name(
    tokens: int,
) -> None:
    engine = tiny("gqa")
    ids = [(37 * at + 11) % 200 + 20 for at in range(tokens)]
    dense = engine.advance([Feed(engine.read(ids).fork(), [7, 9])])[0]
    refusals = list[tuple[str, str, str]]()
    for name in EVICTIONS:
        for params in ("[budget_tokens=64]", "[budget_tokens=16]", "[tau=1/2]", ""):
            if "budget_tokens" in params and CARDS[name].category == "quantization":
                continue
            method = parse(name + params)
            try:
                method.check(shape=engine.facts.shape, tokens=tokens)
                stream = fork(read_context(engine, method, ids), method)
            except ScbenchError as refused:
                refusals.append((name, params, str(refused)))
                continue
            logits = engine.advance([Feed(stream, [7, 9])])[0]
            assert torch.isfinite(logits).all(), method
            if params == "[budget_tokens=64]":
                torch.testing.assert_close(logits, dense)
    assert all(why.startswith(name) for name, _, why in refusals)
    assert not [params for _, params, _ in refusals if params == "[budget_tokens=64]"]
