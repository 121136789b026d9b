"""What a configuration says of its layers: their kinds, their cache, and what is refused."""

from __future__ import annotations

from typing import Any

from scbench.errors import Mismatch
from scbench.kv import CacheShape

KNOWN_LAYERS = {"full_attention", "sliding_attention", "linear_attention"}
OTHER_WORDS = {
    "attention": "full_attention",
    "mamba": "linear_attention",
    "mamba2": "linear_attention",
}


def layer_types(config: Any) -> list[str]:
    """full_attention, sliding_attention or linear_attention, one per layer."""
    types = getattr(config, "layer_types", None) or getattr(config, "layers_block_type", None)
    if types is None:
        slides = getattr(config, "sliding_window", None)
        slides = slides and getattr(config, "use_sliding_window", True)
        types = ["sliding_attention" if slides else "full_attention"] * config.num_hidden_layers
    return [OTHER_WORDS.get(kind, kind) for kind in types]


def family(config: Any) -> str:
    """transformer, recurrent or hybrid."""
    kinds = set(layer_types(config))
    if "linear_attention" not in kinds:
        return "transformer"
    return "hybrid" if kinds - {"linear_attention"} else "recurrent"


def cache_shape(config: Any, dtype_bytes: int) -> CacheShape:
    """The cache of a text configuration; bytes of recurrent states are not known here."""
    types = layer_types(config)
    attention = tuple(at for at, kind in enumerate(types) if kind != "linear_attention")
    heads = getattr(config, "num_attention_heads", 0) if attention else 0
    kv_heads = (getattr(config, "num_key_value_heads", None) or heads) if attention else 0
    head_dim = 0
    if attention:
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return CacheShape(
        layers=len(types),
        attention_layers=attention,
        query_heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        dtype_bytes=dtype_bytes,
    )


def sliding_tokens(config: Any) -> int | None:
    """The narrowest sliding window of a text configuration; None if no layer slides."""
    if "sliding_attention" not in layer_types(config):
        return None
    return getattr(config, "sliding_window", None) or None


def refuse_by_config(config: Any, name: str) -> None:
    """Raise Mismatch for attention this engine does not compute, naming what it is."""
    text = config.get_text_config(decoder=True)
    reasons = []
    if getattr(text, "kv_lora_rank", None):
        reasons.append("multi-head latent attention (kv_lora_rank)")
    if getattr(text, "attn_logit_softcapping", None):
        reasons.append("soft-capped attention scores (attn_logit_softcapping)")
    if getattr(text, "num_kv_shared_layers", None):
        reasons.append("layers that share K and V (num_kv_shared_layers)")
    if getattr(text, "keep_window_size", None):
        reasons.append("a mask that drops tokens by their values (keep_window_size)")
    if getattr(config, "is_encoder_decoder", False):
        reasons.append("an encoder and a decoder")
    if rope_type(text) == "dynamic":
        reasons.append(
            "dynamic-NTK RoPE, whose frequencies change with the length, so stored keys go stale"
        )
    odd = sorted(set(layer_types(text)) - KNOWN_LAYERS)
    if odd:
        reasons.append(f"layers of type {', '.join(odd)}")
    if reasons:
        raise Mismatch(f"{name} cannot be run by the local engine: it has {'; '.join(reasons)}")


def rope(config: Any) -> dict[str, Any]:
    """The RoPE words of a text configuration that has one rule for all layers; {} otherwise."""
    words = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return words if isinstance(words, dict) else {}


def rope_type(config: Any) -> str:
    """default, linear, dynamic, yarn, longrope, llama3, ...; "" without RoPE words."""
    words = rope(config)
    return str(words.get("rope_type", words.get("type", "")) or "")
