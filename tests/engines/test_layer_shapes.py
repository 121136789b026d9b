"""What each layer of a real architecture keeps, by its published sizes, and what is played."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from typer.testing import CliRunner

from engines.folders import write_model
from scbench import commands  # noqa: F401  (registers its commands)
from scbench.cli import app
from scbench.engines.architecture import cache_shape, family, reasons_of
from scbench.engines.contract import Feed
from scbench.engines.facts import state_bytes, without_memory
from scbench.engines.load import from_model, refuse_by_config
from scbench.engines.local import LocalEngine
from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerKind
from scbench.prompts import ByteTokenizer

LONG = 131_072
FIVE_TO_ONE = ["full_attention" if (at + 1) % 6 == 0 else "sliding_attention" for at in range(62)]


def config(name: str, **words: Any) -> Any:
    return getattr(transformers, name)(**words)


def shape_of(name: str, **words: Any) -> CacheShape:
    return cache_shape(config(name, **words).get_text_config(decoder=True), 2)


def kinds(shape: CacheShape) -> dict[str, int]:
    return dict(Counter(str(layer.kind) for layer in shape.layers))


LLAMA_8B = {
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
GEMMA_27B = {
    "num_hidden_layers": 62,
    "num_attention_heads": 32,
    "num_key_value_heads": 16,
    "head_dim": 128,
    "sliding_window": 1024,
    "layer_types": FIVE_TO_ONE,
}
GEMMA_1B = {
    "num_hidden_layers": 26,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "sliding_window": 512,
    "layer_types": FIVE_TO_ONE[:26],
}
GEMMA_4 = {
    "num_hidden_layers": 30,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 256,
    "global_head_dim": 512,
    "num_global_key_value_heads": 2,
    "attention_k_eq_v": True,
    "sliding_window": 1024,
}
GPT_OSS_20B = {"num_hidden_layers": 24}  # 8 KV heads of 64, every other layer a window of 128


@pytest.mark.parametrize(
    ("name", "words", "layers", "token_bytes", "long_bytes"),
    [
        ("LlamaConfig", LLAMA_8B, {"full": 32}, 131_072, 17_179_869_184),
        ("DeepseekV3Config", {}, {"latent": 61}, 61 * 576 * 2, 61 * 576 * 2 * LONG),
        # 16 heads of 128: 8,192 bytes a slot
        ("Gemma3TextConfig", GEMMA_27B, {"window": 52, "full": 10}, 507_904, 11_173_625_856),
        ("Gemma3TextConfig", GEMMA_1B, {"window": 22, "full": 4}, 26_624, 548_405_248),
        ("GptOssConfig", GPT_OSS_20B, {"window": 12, "full": 12}, 49_152, 3_224_371_200),
        # windows: 8 heads of 256, 8,192 bytes a slot; global: 2 heads of 512, 4,096 bytes
        ("Gemma4TextConfig", GEMMA_4, {"window": 25, "full": 5}, 225_280, 2_894_069_760),
    ],
)
def test_a_cache_holds_what_its_published_sizes_say(
    name: str, words: dict[str, Any], layers: dict[str, int], token_bytes: int, long_bytes: int
) -> None:
    shape = shape_of(name, **words)
    assert kinds(shape) == layers
    assert shape.token_bytes == token_bytes
    assert shape.dense_bytes(LONG) == long_bytes


@pytest.mark.parametrize(
    ("name", "words", "layers", "of_family"),
    [
        ("MambaConfig", {"num_hidden_layers": 4}, {"state": 4}, "recurrent"),
        ("JambaConfig", {}, {"state": 28, "full": 4}, "hybrid"),
        (
            "NemotronHConfig",
            {"layers_block_type": ["mamba", "moe", "mamba", "attention", "mlp"]},
            {"state": 2, "nothing": 2, "full": 1},
            "hybrid",
        ),
        (
            "Lfm2Config",
            {"num_hidden_layers": 3, "layer_types": ["conv", "conv", "full_attention"]},
            {"state": 2, "full": 1},
            "hybrid",
        ),
        ("FalconH1Config", {"num_hidden_layers": 4}, {"both": 4}, "hybrid"),
        ("Llama4TextConfig", {}, {"chunk": 36, "full": 12}, "transformer"),
        ("Gemma3nTextConfig", {}, {"window": 16, "full": 4, "shared": 15}, "transformer"),
        ("KimiLinearConfig", {}, {"state": 21, "latent": 6}, "hybrid"),
    ],
)
def test_every_kind_of_layer_is_read_from_its_configuration(
    name: str, words: dict[str, Any], layers: dict[str, int], of_family: str
) -> None:
    assert kinds(shape_of(name, **words)) == layers
    assert family(config(name, **words)) == of_family


def test_a_layer_that_shares_names_the_last_one_of_its_type_that_keeps_anything() -> None:
    shape = shape_of("Gemma3nTextConfig")
    shared = [layer for layer in shape.layers if layer.kind is LayerKind.SHARED]
    assert {layer.shares_with for layer in shared} == {18, 19}
    assert all(layer.dense_bytes(LONG) == 0 for layer in shared)
    assert all(shape.layers[layer.shares_with or 0].keeps_kv for layer in shared)


def test_an_indexer_keeps_its_own_keys_beside_the_latents() -> None:
    assert shape_of("DeepseekV32Config").layers[0].key_dim == 512 + 64 + 128


SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "intermediate_size": 32,
    "vocab_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
FALCON_H1 = {
    "mamba_d_ssm": 64,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_d_conv": 4,
    "mamba_n_groups": 1,
}


def test_the_states_of_layers_that_are_both_are_counted_beside_their_k_and_v() -> None:
    both = config("FalconH1Config", **SMALL, **FALCON_H1)
    held, notes = state_bytes(without_memory(both, "falcon-h1"), torch.bfloat16)
    assert notes == ()
    # The convolution sees x, B and C: (64 + 2 x 8) channels of 4 taps; a state of 64 x 8 in fp32.
    assert held == dict.fromkeys(range(4), 80 * 4 * 2 + 64 * 8 * 4)
    shape = cache_shape(both, 2).with_states(held)
    assert shape.layers[0].dense_bytes(100) == 2 * 2 * 16 * 2 * 100 + held[0]


def test_the_convolutions_of_lfm2_are_states_of_three_taps() -> None:
    words = {**SMALL, "layer_types": ["conv", "conv", "full_attention", "conv"]}
    held, _ = state_bytes(without_memory(config("Lfm2Config", **words), "lfm2"), torch.bfloat16)
    assert held == dict.fromkeys((0, 1, 3), 64 * 3 * 2)


# -- planned, and refused in a sentence ---------------------------------------------------------

MLA = {
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 16,
    "q_lora_rank": None,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "n_group": 1,
    "topk_group": 1,
}
EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 16}
UNPLAYED = {
    "latent": ("DeepseekV3Config", MLA, r"multi-head latent attention.*24 numbers a token"),
    "chunk": (
        "Llama4TextConfig",
        {**EXPERTS, "attention_chunk_size": 64, "intermediate_size_mlp": 32},
        r"3 of 4 layers that attend within chunks of 64 tokens",
    ),
    "shared": (
        "Gemma4TextConfig",
        {
            "head_dim": 16,
            "global_head_dim": 32,
            "sliding_window": 64,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "hidden_size_per_layer_input": 8,
        },
        r"2 of 4 layers that share K and V",
    ),
    "both": ("FalconH1Config", FALCON_H1, r"4 of 4 layers that keep K and V of 2 heads of 16"),
    "uneven": (
        "MiMoV2FlashConfig",
        {
            "head_dim": 32,
            "v_head_dim": 16,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "n_group": 1,
            "topk_group": 1,
        },
        r"keys of 32 and values of 16 numbers",
    ),
}
PLAN = ["--tasks", "kv", "--sessions", "1", "--turns", "1", "--length", "400"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNPLAYED)
def test_what_is_not_played_is_planned_and_refused_in_one_sentence(
    kind: str, tmp_path: Path
) -> None:
    name, words, why = UNPLAYED[kind]
    sizes = {key: SMALL[key] for key in SMALL if key != "vocab_size"}
    folder = write_model(tmp_path / kind, architecture=name, **sizes, **words)
    methods = "dense,snapkv[tau=1/4],kivi,quest[tau=1/4],kvzip[tau=1/4]"
    options = [*PLAN, "--model", str(folder), "--methods", methods]
    shown = CliRunner().invoke(app, ["plan", *options], catch_exceptions=False)
    text = " ".join(shown.output.split())
    assert "MiB" in text
    assert "cannot be run by the local engine: it has" in text
    with pytest.raises(Mismatch, match=why):
        refuse_by_config(config(name, **{**sizes, **words, "vocab_size": 128}), "x")
    ran = CliRunner().invoke(app, ["run", *options, "--out", str(tmp_path / "out")])
    assert ran.exit_code != 0
    assert not isinstance(ran.exception, AssertionError | RuntimeError)


def test_a_layer_whose_cache_nobody_has_counted_is_named() -> None:
    (why,) = reasons_of(config("DeepseekV4Config"))
    assert "compressed_sparse_attention" in why


# -- played ---------------------------------------------------------------------------------------


def played(name: str, **words: Any) -> LocalEngine:
    sizes = {**SMALL, "vocab_size": 512, "max_position_embeddings": 256}
    ends = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(3)
        made = transformers.AutoModelForCausalLM.from_config(config(name, **sizes, **ends, **words))
        for x in made.parameters():
            if x.dim() >= 2:
                torch.nn.init.normal_(x, std=x.shape[-1] ** -0.5)
        return from_model(made.eval(), ByteTokenizer(512), name=name)


PLAYED = {
    "Lfm2Config": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "AfmoeConfig": {
        "head_dim": 16,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "num_dense_layers": 1,
        "layer_types": ["full_attention"] * 4,
    },
    "Gemma4TextConfig": {
        "head_dim": 16,
        "global_head_dim": 32,
        "sliding_window": 64,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "hidden_size_per_layer_input": 0,
        "vocab_size_per_layer_input": 512,
    },
}


@pytest.mark.parametrize("name", PLAYED)
def test_convolutions_and_heads_of_each_layers_own_size_answer_as_the_model_does(
    name: str,
) -> None:
    local = played(name, **PLAYED[name])
    ids = [(7 * at) % 500 + 3 for at in range(40)]
    stream = local.read(ids[:-1]).fork()
    local.model.set_attn_implementation("eager")
    with torch.inference_mode():
        wanted = local.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
    local.model.set_attn_implementation("scbench")
    (logits_V,) = local.advance([Feed(stream, ids[-1:])])
    torch.testing.assert_close(logits_V, wanted, atol=2e-4, rtol=2e-4)
    assert stream.held_bytes() == local.facts.shape.dense_bytes(len(ids))


def test_a_model_that_bypasses_the_attention_interface_is_refused_by_name() -> None:
    with pytest.raises(Mismatch, match=r"FalconForCausalLM.*layer 0.*handed none of them"):
        played("FalconConfig")


def test_keys_of_more_heads_than_a_layers_shape_has_are_refused_with_both_numbers() -> None:
    with pytest.raises(Mismatch, match=r"\(4, 16, 16\) in layer 0 .*\(2, 16, 16\)"):
        played("JetMoeConfig", kv_channels=16, num_local_experts=4, num_experts_per_tok=2)


def test_a_plan_says_that_a_model_with_sinks_will_be_refused(tmp_path: Path) -> None:
    sizes = {key: SMALL[key] for key in SMALL if key != "vocab_size"}
    words = {"head_dim": 16, "num_local_experts": 2, "num_experts_per_tok": 1}
    folder = write_model(tmp_path / "sinks", architecture="GptOssConfig", **sizes, **words)
    shown = CliRunner().invoke(app, ["plan", *PLAN, "--model", str(folder)])
    text = " ".join(shown.output.split())
    assert "4 layers add a sink to every softmax (model.layers.0.self_attn.sinks)" in text
    assert "layers: 2 window (128 tokens), 2 full" in text
    assert "which here hold 128" in text
