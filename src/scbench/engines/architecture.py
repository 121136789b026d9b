"""What a configuration says of its layers: what each of them keeps, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerKind, LayerShape

OTHER_WORDS = {
    "attention": "full_attention",
    "mamba": "linear_attention",
    "mamba2": "linear_attention",
}
INDEXED = "indexed_attention"
KINDS = {
    "full_attention": LayerKind.FULL,
    "sliding_attention": LayerKind.WINDOW,
    "chunked_attention": LayerKind.CHUNK,
    INDEXED: LayerKind.FULL,
    "linear_attention": LayerKind.STATE,
    "conv": LayerKind.STATE,
    "hybrid": LayerKind.BOTH,
    "hybrid_sliding": LayerKind.BOTH,
    "moe": LayerKind.NOTHING,
    "mlp": LayerKind.NOTHING,
}
SLIDING = ("sliding_attention", "hybrid_sliding")
CURE = "`scbench plan` counts its cache, and `scbench list models` names models that are played"
UNCOUNTED = "take one of `scbench list models`"


def layer_types(config: Any) -> list[str]:
    """What `transformers` calls each layer: full_attention, linear_attention, ..."""
    types = getattr(config, "layer_types", None) or getattr(config, "layers_block_type", None)
    if types is None:
        slides = getattr(config, "sliding_window", None)
        slides = slides and getattr(config, "use_sliding_window", True)
        layers = getattr(config, "num_hidden_layers", None)
        if layers is None:
            raise Mismatch(
                f"it has a configuration ({type(config).__name__}) that does not say how many "
                "layers it has (num_hidden_layers), so that its cache cannot be counted"
            )
        types = ["sliding_attention" if slides else "full_attention"] * layers
    return [OTHER_WORDS.get(kind, kind) for kind in types]


def family(config: Any) -> str:
    """transformer, recurrent or hybrid."""
    kinds = {KINDS.get(word, LayerKind.FULL) for word in layer_types(config)}
    if not kinds & {LayerKind.STATE, LayerKind.BOTH}:
        return "transformer"
    return "hybrid" if kinds - {LayerKind.STATE, LayerKind.NOTHING} else "recurrent"


def cache_shape(config: Any, dtype_bytes: int) -> CacheShape:
    """The cache of a text configuration; bytes of recurrent states are not known here.

    Raises Mismatch for a word that names a layer whose cache nobody has counted.
    """
    words = layer_types(config)
    odd = sorted(set(words) - KINDS.keys())
    if odd:
        raise Mismatch(
            f"it has layers of type {', '.join(odd)}, whose cache nobody has counted here "
            "(KINDS in engines/architecture.py)"
        )
    sources = shared_from(config, words)
    own = per_layer(config, len(words))
    return CacheShape(
        layers=tuple(
            _layer(layer, word, at, sources.get(at), dtype_bytes)
            for at, (layer, word) in enumerate(zip(own, words, strict=True))
        )
    )


def _layer(config: Any, word: str, at: int, source: int | None, dtype_bytes: int) -> LayerShape:
    """One layer, of its own configuration."""
    kind = KINDS[word] if source is None else LayerKind.SHARED
    if kind in (LayerKind.STATE, LayerKind.NOTHING):
        return LayerShape(kind=kind, dtype_bytes=dtype_bytes)
    latent = getattr(config, "kv_lora_rank", None)
    if latent and kind is LayerKind.FULL:
        index = getattr(config, "index_head_dim", None) or 0
        return LayerShape(
            kind=LayerKind.LATENT,
            query_heads=_query_heads(config, at),
            kv_heads=1,
            key_dim=latent + config.qk_rope_head_dim + (index if word == INDEXED else 0),
            dtype_bytes=dtype_bytes,
        )
    heads = _query_heads(config, at)
    key_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    span = None
    if word in SLIDING:
        span = getattr(config, "sliding_window", None) or None
    if word == "chunked_attention":
        span = config.attention_chunk_size
    return LayerShape(
        kind=kind,
        query_heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        key_dim=key_dim,
        value_dim=getattr(config, "v_head_dim", None) or key_dim,
        span_tokens=span,
        shares_with=source,
        dtype_bytes=dtype_bytes,
    )


def _query_heads(config: Any, at: int) -> int:
    """Of layer `at`. Raises Mismatch where a configuration has no such number."""
    listed = getattr(config, "num_attention_heads_per_layer", None)
    heads = listed[at] if listed else getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int) or heads < 1:
        raise Mismatch(
            f"it has a configuration ({type(config).__name__}) that does not say how many "
            f"attention heads layer {at} has (num_attention_heads), so that its cache cannot be "
            "counted"
        )
    return heads


def per_layer(config: Any, layers: int) -> Sequence[Any]:
    """The configuration of each layer: one for all, but where layers have sizes of their own."""
    own = getattr(config, "per_layer_config", None)
    return [config] * layers if own is None else [own[at] for at in range(layers)]


def shared_from(config: Any, words: Sequence[str]) -> dict[int, int]:
    """Layers without K and V of their own, with the layer whose K and V they read: the last one of
    their type that keeps any."""
    count = getattr(config, "num_kv_shared_layers", None) or 0
    first = len(words) - count
    kept = {word: at for at, word in enumerate(words[:first])}
    return {at: kept.get(words[at], first - 1) for at in range(first, len(words))} if count else {}


def sliding_tokens(config: Any) -> int | None:
    """The narrowest sliding window of a text configuration; None if no layer slides."""
    spans = [
        getattr(layer, "sliding_window", None)
        for layer, word in zip(
            per_layer(config, len(layer_types(config))), layer_types(config), strict=True
        )
        if word == "sliding_attention"
    ]
    return min((span for span in spans if span), default=None)


def reasons_of(config: Any) -> list[str]:
    """Why this engine does not compute a model's attention; nothing where it may."""
    text = config.get_text_config(decoder=True)
    reasons = list(_kind_reasons(text))
    if getattr(text, "attn_logit_softcapping", None):
        reasons.append("soft-capped attention scores (attn_logit_softcapping)")
    if getattr(text, "keep_window_size", None):
        reasons.append("a mask that drops tokens by their values (keep_window_size)")
    if getattr(config, "is_encoder_decoder", False):
        reasons.append("an encoder and a decoder")
    if rope_type(text) == "dynamic":
        reasons.append(
            "dynamic-NTK RoPE, whose frequencies change with the length, so stored keys go stale"
        )
    return reasons


def _kind_reasons(config: Any) -> Iterable[str]:
    """The kinds of layers that are counted and not played, each with its numbers."""
    try:
        layers = cache_shape(config, 1).layers
    except Mismatch as error:
        yield str(error).removeprefix("it has ")
        return
    for kind in LayerKind:
        alike = [layer for layer in layers if layer.kind is kind]
        if alike and kind in UNPLAYED:
            yield f"{len(alike)} of {len(layers)} layers {UNPLAYED[kind](alike[0], config)}"
    uneven = next((x for x in layers if x.keeps_kv and x.value_dim not in (0, x.key_dim)), None)
    if uneven is not None:
        yield f"keys of {uneven.key_dim} and values of {uneven.value_dim} numbers (v_head_dim)"


def _latent(layer: LayerShape, config: Any) -> str:
    return (
        "with multi-head latent attention (kv_lora_rank): one latent of "
        f"{layer.key_dim:,} numbers a token stands for {layer.query_heads} heads"
    )


def _chunk(layer: LayerShape, config: Any) -> str:
    return f"that attend within chunks of {layer.span_tokens:,} tokens (chunked_attention)"


def _shared(layer: LayerShape, config: Any) -> str:
    return (
        f"that share K and V with an earlier layer, the first of them with layer "
        f"{layer.shares_with} (num_kv_shared_layers)"
    )


def _both(layer: LayerShape, config: Any) -> str:
    return (
        f"that keep K and V of {layer.kv_heads} heads of {layer.key_dim} beside a recurrent state "
        "(hybrid)"
    )


def _nothing(layer: LayerShape, config: Any) -> str:
    words = sorted({word for word in layer_types(config) if word in ("moe", "mlp")})
    return f"of type {', '.join(words)}, which keep nothing"


UNPLAYED = {
    LayerKind.LATENT: _latent,
    LayerKind.CHUNK: _chunk,
    LayerKind.SHARED: _shared,
    LayerKind.BOTH: _both,
    LayerKind.NOTHING: _nothing,
}


def refusal(config: Any, name: str) -> str:
    """Why a model is not run, in one sentence; "" where it may be."""
    reasons = reasons_of(config)
    if not reasons:
        return ""
    told = "; ".join(reasons)
    try:
        cache_shape(config.get_text_config(decoder=True), 1)
    except Mismatch:
        return f"{name} cannot be run by the local engine: it has {told}; {UNCOUNTED}"
    return f"{name} cannot be run by the local engine: it has {told}; {CURE}"


def refuse_by_config(config: Any, name: str) -> None:
    """Raise Mismatch for attention this engine does not compute, naming what it is."""
    why = refusal(config, name)
    if why:
        raise Mismatch(why)


def rope(config: Any) -> dict[str, Any]:
    """The RoPE words of a text configuration that has one rule for all layers; {} otherwise."""
    words = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return words if isinstance(words, dict) else {}


def rope_type(config: Any) -> str:
    """default, linear, dynamic, yarn, longrope, llama3, ...; "" without RoPE words."""
    words = rope(config)
    return str(words.get("rope_type", words.get("type", "")) or "")
