"""Writes `engines/kept.json` from the configurations of transformers: `python -m kept_configs`."""

from __future__ import annotations

import json
from typing import Any

import torch

from scbench.engines import facts
from scbench.engines.kept import FILE
from scbench.engines.lab_models import LAB_MODELS
from scbench.engines.models import LLMS

WORDS = (  # all that engines/architecture.py and engines/window.py ask a configuration for
    "attention_chunk_size",
    "attn_logit_softcapping",
    "head_dim",
    "hidden_size",
    "index_head_dim",
    "is_encoder_decoder",
    "keep_window_size",
    "kv_lora_rank",
    "layer_types",
    "layers_block_type",
    "max_position_embeddings",
    "num_attention_heads",
    "num_attention_heads_per_layer",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_kv_shared_layers",
    "original_max_position_embeddings",
    "qk_rope_head_dim",
    "rope_parameters",
    "sliding_window",
    "use_sliding_window",
    "v_head_dim",
    "vocab_size",
)


def configs() -> dict[tuple[str, str], Any]:
    """Short name and hub name to configuration, of every model that a plan without files knows."""
    of_table = {(llm.name, llm.hub): facts._from_table(llm) for llm in LLMS}
    return of_table | {(name, ""): facts.config_of(name)[1] for name in LAB_MODELS}


def kept(name: str, hub: str, config: Any) -> dict[str, Any]:
    """The line of one model."""
    model = facts.without_memory(config, name)
    text = config.get_text_config(decoder=True)
    by_dtype = [
        set(facts.state_bytes(model, dtype)[0].values()) or {0}
        for dtype in (torch.bfloat16, torch.float32)
    ]
    (narrow,), (wide,) = by_dtype  # all states of a model are alike
    numbers = (wide - narrow) // (torch.float32.itemsize - torch.bfloat16.itemsize)
    words = {word: getattr(text, word, None) for word in WORDS}
    return {
        "name": name,
        "hub": hub,
        "architecture": type(model).__name__,
        "params": sum(x.numel() for x in model.parameters()),
        "state": [numbers, narrow - torch.bfloat16.itemsize * numbers],
        "config": {word: value for word, value in words.items() if value is not None},
    }


def text() -> str:
    """The whole file."""
    lines = [json.dumps(kept(*names, config)) for names, config in configs().items()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
