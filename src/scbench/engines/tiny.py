"""Tiny random models with real architectures, for laws, tests and `scbench doctor`: seeded weights,
nothing to download, milliseconds a read.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

from scbench.engines.load import from_model
from scbench.engines.local import LocalEngine
from scbench.errors import Unknown
from scbench.prompts import ByteTokenizer

HEADS = {"mha": (4, 4), "gqa": (4, 2), "mqa": (4, 1)}  # query heads, KV heads
SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "intermediate_size": 96,
    "max_position_embeddings": 1 << 16,
}


# What each kind has beyond SIZES: class of configuration, its settings.
_MAMBA = {"n_groups": 1, "chunk_size": 32}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys((*HEADS, "llama"), ("LlamaConfig", {})),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 32}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
    "phi3": ("Phi3Config", {}),
    "glm": ("GlmConfig", {"head_dim": 32}),
    "glm4": ("Glm4Config", {"head_dim": 32}),
    "olmo2": ("Olmo2Config", {}),
    "mamba2": (
        "Mamba2Config",
        {"head_dim": 16, "num_heads": 16, "state_size": 16, "expand": 2, **_MAMBA},
    ),
    "jamba": (
        "JambaConfig",
        {
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 2,
            "use_mamba_kernels": False,
            "mamba_d_state": 8,
        },
    ),
    "bamba": (
        "BambaConfig",
        {
            "attn_layer_indices": [1],
            "mamba_n_heads": 16,
            "mamba_d_head": 16,
            "mamba_d_state": 16,
            "mamba_chunk_size": 32,
        },
    ),
}
# Llama's shapes under other rotations of keys and queries.
_YARN = {"factor": 4.0, "original_max_position_embeddings": 128, "rope_theta": 1e4}
_LLAMA3 = {**_YARN, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
TURNS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": (
        "LlamaConfig",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}},
    ),
    "llama3": ("LlamaConfig", {"rope_parameters": {"rope_type": "llama3", **_LLAMA3}}),
    "yarn": ("LlamaConfig", {"rope_parameters": {"rope_type": "yarn", **_YARN}}),
    "partial": (
        "Phi3Config",
        {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "partial_rotary_factor": 0.5,
            }
        },
    ),
}


def tiny(kind: str = "gqa", *, seed: int = 0, check: bool = True) -> LocalEngine:
    """A random model: `mha`, `gqa`, `mqa` (Llama), or an architecture: llama, qwen2, qwen3,
    mistral, phi3, glm, glm4, olmo2, mamba2, jamba, bamba; or a rotation: linear, llama3, yarn,
    partial.

    Weights are drawn large enough that attention is not flat: with flat attention, dropping half
    the cache changes nothing and no law bites.
    """
    import transformers

    vocabulary = 512
    tokenizer = ByteTokenizer(vocabulary)
    query_heads, kv_heads = HEADS.get(kind, (4, 2))
    sizes: dict[str, Any] = {
        **SIZES,
        "vocab_size": vocabulary,
        "num_attention_heads": query_heads,
        "num_key_value_heads": kv_heads,
    }
    token_ids = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    known = {**CONFIGS, **TURNS}
    if kind not in known:
        raise Unknown(f"there is no tiny model {kind!r}; there are {', '.join(known)}")
    name, more = known[kind]
    if kind == "mamba2":
        sizes = {"hidden_size": 128, "num_hidden_layers": 3, "vocab_size": vocabulary}
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        config = getattr(transformers, name)(**sizes, **token_ids, **more)
        model = transformers.AutoModelForCausalLM.from_config(config)
        for word, x in model.named_parameters():
            if x.dim() >= 2 and ("q_proj" in word or "k_proj" in word or "qkv_proj" in word):
                x.data.mul_(8.0)
        return from_model(model, tokenizer, name=f"tiny-{kind}", check=check)
