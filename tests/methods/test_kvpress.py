"""The adapter to kvpress, over a stand-in with kvpress's interface; `scripts/crosscheck-kvpress`
runs it over the package itself.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch, MissingExtra, Unknown
from scbench.exam.doctor import doctor
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.methods.contract import WINDOW
from scbench.methods.fork import fork

ROOT = Path(__file__).parents[2]
STAND_IN = """
from dataclasses import dataclass

import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS


class BasePress:
    def compress(self, module, hidden_states, keys, values, attentions, kwargs):
        raise NotImplementedError


@dataclass
class ScorerPress(BasePress):
    compression_ratio: float = 0.0

    def compress(self, module, hidden_states, keys, values, attentions, kwargs):
        raise AssertionError("only scores are taken")


class KnormPress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        return -keys.norm(dim=-1)


@dataclass
class WindowPress(ScorerPress):
    window_size: int = 16

    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        w, heads, dim = self.window_size, module.config.num_attention_heads, module.head_dim
        q = module.q_proj(hidden_states[:, -w:]).view(1, w, heads, dim).transpose(1, 2)
        cos, sin = (x[:, -w:].unsqueeze(1) for x in kwargs["position_embeddings"])
        half = dim // 2
        q = q * cos + torch.cat([-q[..., half:], q[..., :half]], dim=-1) * sin
        logits = q @ keys.repeat_interleave(module.num_key_value_groups, dim=1).transpose(2, 3) / dim**0.5
        logits = logits.masked_fill(torch.ones(logits.shape[-2:]).triu(keys.shape[2] - w + 1) > 0, float("-inf"))
        votes = logits.softmax(-1).mean(2).view(1, keys.shape[1], -1, keys.shape[2]).mean(2)
        votes[..., -w:] = votes.max() + 1
        return votes


@dataclass
class RecentPress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        scores = torch.ones(keys.shape[:3])
        scores[..., : keys.shape[2] - int(keys.shape[2] * (1 - self.compression_ratio))] = 0
        return scores


class EveryQueryPress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        return hidden_states.mean() * keys.sum(-1)


class WeightsPress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        return module.o_proj.weight


class TooFewPress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        return keys[..., 1:, 0]


class DicePress(ScorerPress):
    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        return torch.rand(keys.shape[:3])


class MaskPress(ScorerPress):
    def compress(self, module, hidden_states, keys, values, attentions, kwargs):
        return keys, values


def patched(function):
    def wrapper(module, query, key, value, attention_mask, dropout, **kwargs):
        return function(module, query, key, value, attention_mask, dropout, **kwargs)

    return wrapper


for name, function in list(ALL_ATTENTION_FUNCTIONS.items()):
    ALL_ATTENTION_FUNCTIONS[name] = patched(function)
"""
IDS = [(at * at * 31 + at * 7) % 96 + 32 for at in range(150)]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package `kvpress` that can be imported and was not yet."""
    (tmp_path / "kvpress").mkdir()
    (tmp_path / "kvpress" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "kvpress", raising=False)
    yield
    sys.modules.pop("kvpress", None)


@cache
def snapshot() -> Snapshot:
    return tiny("gqa", check=False).read(IDS, needs=(WINDOW,))


def kept(spelling: str) -> list[list[list[int]]]:
    """Slots per layer and KV head."""
    method = parse(spelling)
    method.check(shape=snapshot().shape, tokens=len(IDS))
    assert method.eviction is not None
    return [
        [slots.tolist() for slots in method.eviction.keep(snapshot().view(layer))]
        for layer in snapshot().layers
    ]


@pytest.mark.usefixtures("package")
def test_a_press_that_scores_as_ours_keeps_what_ours_keeps() -> None:
    assert kept("kvpress[tau=1/4]") == kept("knorm[tau=1/4]")
    assert kept("kvpress[press=WindowPress[window_size=9],tau=1/4]") == kept(
        "snapkv[window_tokens=9,kernel=1,tau=1/4]"
    )


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("budget_tokens", [8, 37, 75, 149])
def test_a_press_is_told_the_ratio_that_gives_the_budget(budget_tokens: int) -> None:
    newest = list(range(len(IDS) - budget_tokens, len(IDS)))
    assert kept(f"kvpress[press=RecentPress,budget_tokens={budget_tokens}]") == [[newest] * 2] * 3


@pytest.mark.usefixtures("package")
def test_heads_can_share_a_budget_by_the_scores_of_a_press() -> None:
    ours, theirs = (
        kept(f"adakv[scorer={name},tau=1/4]") for name in ("knorm", "kvpress[press=KnormPress]")
    )
    assert theirs == ours
    assert {len(slots) for layer in theirs for slots in layer} != {round(len(IDS) / 4)}


@pytest.mark.usefixtures("package")
def test_the_laws_hold_and_what_is_left_out_is_freed() -> None:
    method, findings = doctor("kvpress[press=WindowPress[window_size=9],tau=1/4]", kinds=("gqa",))
    assert {one.verdict for one in findings if one.verdict != "idle"} == {"holds"}
    assert sum(one.verdict == "holds" for one in findings) > 12
    assert not method.is_simulated


@pytest.mark.usefixtures("package")
def test_the_engine_goes_on_after_kvpress_wrapped_its_attention() -> None:
    engine, before = tiny("gqa", check=False), dict(ALL_ATTENTION_FUNCTIONS.items())
    method = parse("kvpress[tau=1/4]")
    method.check(shape=engine.facts.shape, tokens=len(IDS))
    assert "kvpress" in sys.modules
    assert dict(ALL_ATTENTION_FUNCTIONS.items()) == before
    fork(engine.read(IDS, needs=method.needs), method)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("press", "error", "says"),
    [
        ("EveryQueryPress", Mismatch, "more than the last 64 queries"),
        ("WindowPress[window_size=65]", Mismatch, "more than the last 64 queries"),
        ("TooFewPress", Mismatch, "no score for every slot"),
        ("WeightsPress", Mismatch, "o_proj"),
        ("DicePress", Mismatch, "seed"),
        ("MaskPress", Mismatch, "does more than score"),
        ("ScorerPress", Mismatch, "does more than score"),
        ("SnapPress", Unknown, "KnormPress"),
        ("WindowPress[size=3]", BadConfig, "size"),
    ],
)
def test_a_press_that_cannot_be_served_is_refused_before_anything_is_read(
    press: str, error: type[Exception], says: str
) -> None:
    method = parse(f"kvpress[press={press},tau=1/4]")
    with pytest.raises(error, match=says):
        method.check(shape=snapshot().shape, tokens=len(IDS))


@pytest.mark.usefixtures("package")
def test_a_prompt_no_longer_than_the_observed_queries_is_refused_where_the_budget_binds() -> None:
    with pytest.raises(Mismatch, match="64"):
        parse("kvpress[tau=1/4]").check(shape=snapshot().shape, tokens=64)
    parse("kvpress[budget_tokens=64]").check(shape=snapshot().shape, tokens=64)


def test_a_ratio_is_refused_in_favour_of_a_share() -> None:
    with pytest.raises(BadConfig, match="tau"):
        parse("kvpress[press=KnormPress[compression_ratio=0.5]]")


def test_without_the_package_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kvpress", None)
    with pytest.raises(MissingExtra, match=r"pip install --no-deps kvpress.*transformers <5\.3"):
        parse("kvpress[tau=1/4]").check(shape=snapshot().shape, tokens=len(IDS))


def test_the_identity_of_a_method_covers_the_code_of_its_press(
    package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = parse("kvpress[tau=1/4]").source_digest
    monkeypatch.setitem(sys.modules, "kvpress", None)
    assert parse("kvpress[tau=1/4]").source_digest != here


def test_the_crosscheck_calls_a_difference_by_its_name() -> None:
    spec = importlib.util.spec_from_file_location(
        "compare", ROOT / "benchmarks" / "crosscheck_kvpress" / "compare.py"
    )
    assert spec is not None
    assert spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    scores = torch.tensor([[[5.0, 4.0, 4.0 + 1e-6, 1.0], [5.0, 4.0, 3.0, 2.0]]])

    def verdict(ours: Tensor, theirs: Tensor, by_rule: Tensor, rule: str) -> Any:
        case = {"key": "k", "rule": rule, "shared_by_heads": False}
        return compare.verdict(
            case, {"k/kept": ours, "k/by_rule": by_rule, "k/scores": scores}, theirs
        )

    def mask(*heads: tuple[int, int]) -> Tensor:
        found = torch.zeros(1, 2, 4, dtype=torch.bool)
        for head, slots in enumerate(heads):
            found[0, head, list(slots)] = True
        return found

    best, tied, other = mask((0, 1), (0, 1)), mask((0, 2), (0, 1)), mask((0, 3), (0, 1))
    assert verdict(best, best, best, "") == (1.0, "=")
    assert verdict(best, tied, best, "") == (0.75, "tie")
    assert verdict(best, other, other, "rounding") == (0.75, "rule")
    assert verdict(other, tied, best, "rounding") == (0.75, "rule, tie")
    assert (
        verdict(best, other, best, "")
        == verdict(best, other, tied, "rounding")
        == (0.75, "DIFFERS")
    )
