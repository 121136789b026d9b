"""Wrong is worse than refused: masks, LongRoPE, shapes that contradict, windows, devices."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers

from engines.folders import edit_json, in_hub_cache, write_model
from scbench.engines import load
from scbench.engines.blend import Blender
from scbench.engines.contract import Feed
from scbench.engines.dispatch import OURS, packed_attention
from scbench.engines.local import LocalEngine
from scbench.engines.models import LLMS, find
from scbench.engines.probe import check_cache
from scbench.engines.rotation import Rotation
from scbench.engines.tiny import tiny
from scbench.engines.window import known_model, settle_window
from scbench.errors import BadConfig, Mismatch, TooLong

SWITCH = 48
LONG = {
    "rope_type": "longrope",
    "short_factor": [1.0 + at / 50 for at in range(8)],
    "long_factor": [2.0 + at for at in range(8)],
    "original_max_position_embeddings": SWITCH,
}


@pytest.fixture(scope="module")
def phi(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Phi-3 whose long factors begin at 49 tokens."""
    return str(
        write_model(
            tmp_path_factory.mktemp("phi") / "model",
            architecture="Phi3Config",
            rope_parameters=LONG,
            original_max_position_embeddings=SWITCH,
            initializer_range=0.3,
        )
    )


def greedy(engine: LocalEngine, ids: list[int], tokens: int) -> list[int]:
    """Read in two pieces and decode beside another stream, as runs do."""
    snapshot = engine.read(ids)
    stream, other = snapshot.fork(), engine.read(ids[:5]).fork()
    said = [int(snapshot.logits_V.argmax())]
    for _ in range(tokens - 1):
        logits = engine.advance([Feed(stream, said[-1:]), Feed(other, said[-1:])])
        said.append(int(logits[0].argmax()))
    return said


def generated(folder: str, ids: list[int], tokens: int) -> list[int]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words: dict[str, Any] = {"max_new_tokens": tokens, "do_sample": False, "eos_token_id": None}
        out = model.generate(torch.tensor([ids]), pad_token_id=0, **words)
    return out[0, len(ids) :].tolist()


def ids_of(tokens: int) -> list[int]:
    return [(37 * at + 11) % 280 + 20 for at in range(tokens)]


def test_longrope_within_its_switch_is_that_of_generate(phi: str) -> None:
    engine = load.load(phi)
    assert (engine.facts.window_tokens, engine.facts.trained_tokens) == (SWITCH, 512)
    ids = ids_of(SWITCH - 9)
    assert greedy(engine, ids, 8) == generated(phi, ids, 8)


@pytest.mark.parametrize("chunk", [16, 2048])
def test_longrope_beyond_its_switch_is_that_of_generate_however_it_is_cut(
    phi: str, chunk: int
) -> None:
    engine = load.load(phi, window_tokens=512)
    engine.read_chunk_tokens = chunk
    ids = ids_of(3 * SWITCH)
    assert greedy(engine, ids, 12) == generated(phi, ids, 12)
    assert engine.facts.choices["rope"].startswith("longrope, long factors at every length")


def test_longrope_has_one_set_of_factors_for_a_run(phi: str) -> None:
    """A short read on its own and as the beginning of a long one keep the same keys."""
    engine = load.load(phi, window_tokens=512)
    ids = ids_of(2 * SWITCH)
    alone = engine.read(ids[:20]).layers[1][0].k_HSD
    begun = engine.read(ids).layers[1][0].k_HSD[:, :20]
    torch.testing.assert_close(alone, begun)


def test_a_stream_beyond_longropes_switch_is_refused_unless_the_window_was_asked(phi: str) -> None:
    with pytest.raises(TooLong, match="holds 48 tokens"):
        load.load(phi).read(ids_of(SWITCH + 1))
    with pytest.raises(Mismatch, match="its long factors reach 512 tokens"):
        load.load(phi, window_tokens=513)


def test_the_attention_scale_of_longrope_stays_that_of_the_checkpoint(phi: str) -> None:
    config = transformers.AutoConfig.from_pretrained(phi)
    before = transformers.Phi3ForCausalLM(config).model.rotary_emb.attention_scaling
    settle_window(config, "phi", asked=512)
    after = transformers.Phi3ForCausalLM(config).model.rotary_emb.attention_scaling
    assert after == pytest.approx(before, rel=1e-6)
    assert before > 1.1


# -- masks and shapes ------------------------------------------------------------------------------


def test_a_mask_handed_to_attention_is_refused_by_name() -> None:
    x = torch.zeros(1, 2, 3, 4)
    with pytest.raises(Mismatch, match="SimpleNamespace hands a mask of its own"):
        packed_attention(SimpleNamespace(layer_idx=0), x, x, x, torch.ones(1, 1, 3, 3), 1.0)


def test_a_model_whose_mask_depends_on_values_is_refused_beyond_the_probes_sight() -> None:
    words: dict[str, Any] = {"vocab_size": 300, "num_attention_heads": 2, "num_key_value_heads": 1}
    words |= {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config = transformers.DogeConfig(keep_window_size=64, **words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(Mismatch, match="keep_window_size"):
        load.from_model(model, tiny("gqa").tokenizer, name="doge")


def test_keys_that_contradict_the_configuration_are_refused() -> None:
    engine = tiny("gqa")
    snapshot = engine.read([1, 2, 3, 4])
    check_cache(engine, snapshot)
    from dataclasses import replace

    *first, last = snapshot.shape.layers
    for wrong, letter in (
        ({"kv_heads": 4}, "K"),
        ({"key_dim": 16}, "K"),
        ({"value_dim": 16}, "V"),
        ({"dtype_bytes": 2}, "K"),
    ):
        layers = (*first, replace(last, **wrong))
        engine.facts = replace(engine.facts, shape=replace(snapshot.shape, layers=layers))
        why = rf"has {letter} of .* in layer 2 .* its configuration says"
        with pytest.raises(Mismatch, match=why):
            check_cache(engine, snapshot)


def test_a_model_that_fails_on_a_few_tokens_is_refused_by_name() -> None:
    engine = tiny("gqa")

    def broken(*given: object, **words: object) -> None:
        raise AttributeError("None_inv_freq")

    engine.model.forward = broken
    with pytest.raises(Mismatch, match=r"broken \(Llama.*AttributeError: None_inv_freq"):
        load.from_model(engine.model, engine.tokenizer, name="broken")


def test_a_tokenizer_of_transformers_will_do(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    engine = load.load(str(folder))
    again = load.from_model(engine.model, engine.tokenizer.raw, name="again")
    assert again.tokenizer.encode("hello").ids == engine.tokenizer.encode("hello").ids
    assert again.facts.tokenizer_digest
    assert again.model.config._attn_implementation == OURS


# -- windows ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama") / "model")


def test_a_window_beyond_plain_rope_is_refused_before_weights(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_read_weights", lambda *given, **words: pytest.fail("weights read"))
    with pytest.raises(Mismatch, match=r"cannot hold --window 2,048.*reach 512 tokens"):
        load.load(str(llama), window_tokens=2048)


def test_the_trained_length_of_a_plain_checkpoint_is_that_of_its_configuration(llama: Path) -> None:
    assert load.load(str(llama)).facts.trained_tokens == 512
    assert load.load(str(llama), window_tokens=300).facts.window_tokens == 300


@pytest.mark.parametrize("kind", ["yarn", "linear"])
def test_a_window_beyond_a_scaled_checkpoint_is_kept_and_can_be_marked(
    llama: Path, tmp_path: Path, kind: str
) -> None:
    folder = write_model(tmp_path / "scaled")
    words = {"rope_type": kind, "factor": 4.0, "rope_theta": 10000.0}
    if kind == "yarn":
        words["original_max_position_embeddings"] = 512
    edit_json(folder / "config.json", rope_parameters=words)
    facts = load.load(str(folder), window_tokens=8192).facts
    assert facts.trained_tokens == (2048 if kind == "yarn" else 512)
    assert facts.window_tokens == 8192
    assert kind in facts.choices["rope"]


@pytest.mark.parametrize("way", ["short name", "hub name", "configuration"])
def test_the_three_names_of_a_model_have_one_rule(way: str) -> None:
    qwen = find("qwen2.5-72b")
    assert qwen is not None
    config = transformers.Qwen2Config(**qwen.config)
    name = {"short name": qwen.name, "hub name": qwen.hub}.get(way, "a/folder")
    window = settle_window(config, name, asked=131072)
    assert window.rule.startswith("yarn x4")
    assert (window.tokens, window.trained_tokens) == (131072, 32768)
    with pytest.raises(Mismatch, match="its authors' yarn x4 reach 131,072 tokens"):
        settle_window(transformers.Qwen2Config(**qwen.config), name, asked=1 << 20)


def test_a_model_of_other_sizes_is_not_taken_for_one_of_the_table() -> None:
    qwen = find("qwen2.5-72b")
    assert qwen is not None
    config = transformers.Qwen2Config(**{**qwen.config, "num_hidden_layers": 28})
    assert known_model(config, "a/folder") is None
    for llm in LLMS:
        config = getattr(transformers, llm.architecture)(**llm.config)
        found = known_model(config, "a/folder")
        assert found is not None
        assert found.config == llm.config


def test_a_hub_name_in_the_cache_is_stretched_as_its_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "q", architecture="Qwen2Config", max_position_embeddings=32768)
    in_hub_cache(folder, tmp_path / "hub", "Qwen/Qwen2.5-72B-Instruct")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    rules = [
        load.load(name, window_tokens=131072).facts.choices["rope"]
        for name in ("qwen2.5-72b", "Qwen/Qwen2.5-72B-Instruct")
    ]
    assert rules[0] == rules[1]
    assert rules[0].startswith("yarn x4")


# -- devices and dtypes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"device": "mps"}, "runs on cpu and cuda"),
        ({"device": "meta"}, "runs on cpu and cuda"),
        ({"device": "gpu"}, "is not a device"),
        ({"device": "cuda:99"}, "CUDA device"),
        ({"dtype": "int4"}, "is not known"),
    ],
)
def test_a_device_or_dtype_that_cannot_be_is_one_line_before_anything_is_looked_for(
    words: dict[str, str], why: str
) -> None:
    with pytest.raises(BadConfig, match=why) as told:
        load.load("no/such-model", **words)
    assert "\n" not in str(told.value)


# -- rotations and layers of unusual builds --------------------------------------------------------


@torch.inference_mode()
def test_logits_of_a_blend_are_capped_as_the_model_caps_them() -> None:
    engine = tiny("gqa")
    blender = Blender(engine)
    hidden = 1e3 * torch.randn(1, 3, 128, generator=torch.Generator().manual_seed(0))
    assert float(blender._logits(hidden).abs().max()) > 0.05
    engine.config.final_logit_softcapping = 0.05
    assert float(blender._logits(hidden).abs().max()) < 0.0501


def test_a_model_whose_layers_turn_by_kind_is_refused_by_name_and_not_by_a_crash() -> None:
    engine = tiny("gqa")
    rotation = Rotation(engine.model)

    def by_kind(x: torch.Tensor, positions: torch.Tensor) -> None:
        raise AttributeError("None_inv_freq")

    rotation._embed = by_kind
    with pytest.raises(Mismatch, match="does not apply its rotary embedding as most models do"):
        rotation.forward(torch.zeros(1, 3, 32), torch.arange(3))


def test_a_model_without_rotary_embedding_is_refused_for_blending() -> None:
    engine = tiny("gqa")
    engine.model.base_model.rotary_emb = None
    with pytest.raises(Mismatch, match="has no rotary_emb"):
        Blender(engine)
