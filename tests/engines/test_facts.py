"""What a configuration tells is what the loaded model says, and no weights are needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engines import llms
from engines.folders import write_model
from scbench.engines import load
from scbench.engines.facts import FROM_TABLE, facts_from_config
from scbench.engines.llm import TRANSFORMER
from scbench.engines.models import LLMS
from scbench.errors import DataError, Mismatch

KINDS: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {"architecture": "Qwen3Config", "head_dim": 16},
    "gemma3": {
        "architecture": "Gemma3TextConfig",
        "sliding_window": 64,
        "head_dim": 16,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "mamba2": {
        "architecture": "Mamba2Config",
        "num_heads": 4,
        "head_dim": 16,
        "state_size": 16,
        "n_groups": 1,
        "expand": 2,
        "chunk_size": 32,
    },
    "jamba": {
        "architecture": "JambaConfig",
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "num_experts": 2,
        "use_mamba_kernels": False,
        "mamba_d_state": 8,
    },
    "bamba": {
        "architecture": "BambaConfig",
        "attn_layer_indices": [1],
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 16,
        "mamba_chunk_size": 32,
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_facts_from_a_configuration_are_those_of_the_loaded_model(
    tmp_path: Path, kind: str
) -> None:
    folder = str(write_model(tmp_path / "model", **KINDS[kind]))
    loaded, told = load.load(folder).facts, facts_from_config(folder)
    same = ("name", "family", "architecture", "window_tokens", "params", "hidden", "dtype")
    for word in (*same, "trained_tokens", "sliding_tokens", "device"):
        assert getattr(told, word) == getattr(loaded, word), word
    assert told.shape == loaded.shape
    assert told.notes == ()


def test_no_weights_and_no_tokenizer_are_needed(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    wanted = facts_from_config(str(folder))
    for file in folder.iterdir():
        if file.name != "config.json":
            file.unlink()
    assert facts_from_config(str(folder)) == wanted


@pytest.mark.parametrize(
    "llm",
    [
        pytest.param(
            llm,
            marks=[] if llm.category == TRANSFORMER else [pytest.mark.slow],  # many small parts
        )
        for llm in LLMS
        if llm.name != "smollm2-135m"
    ],
)
def test_a_model_of_the_table_is_counted_without_any_file(
    llm: llms.Llm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path))
    for name in (llm.name, llm.hub):
        facts = facts_from_config(name, dtype=torch.bfloat16)
        assert facts.params == llm.params
        assert facts.shape.token_bytes == llm.token_bytes
        assert facts.shape.recurrent_bytes == llm.state_bytes
        assert facts.window_tokens == llm.window_tokens
        assert facts.notes == (FROM_TABLE,)


def test_refusals_need_no_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(write_model(tmp_path / "model", **KINDS["bamba"]))
    monkeypatch.setattr("scbench.engines.facts.without_memory", lambda *given, **words: 1 / 0)
    facts = facts_from_config(folder, count=False)
    assert facts.shape.has_states
    assert (facts.params, facts.shape.recurrent_bytes) == (0, 0)


def test_a_configuration_of_which_no_model_can_be_built_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "llama", "hidden_size": -4}')
    with pytest.raises((DataError, Mismatch), match=str(folder)):
        facts_from_config(str(folder))
