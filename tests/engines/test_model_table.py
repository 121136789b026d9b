"""The table of models is data: what is wrong in it is named by model and field."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from scbench.engines import models
from scbench.engines.llm import HYBRID, Llm
from scbench.engines.model_table import read_models
from scbench.errors import DataError

ROOT = Path(__file__).parents[2]
TABLE = Path(models.__file__).with_suffix(".toml")
TEXT = TABLE.read_text(encoding="utf-8")


def planted(folder: Path, text: str) -> Path:
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_becomes_the_model_that_one_would_write_in_python() -> None:
    assert models.find("jamba-1.5-mini") == Llm(
        name="jamba-1.5-mini",
        hub="ai21labs/AI21-Jamba-1.5-Mini",
        category=HYBRID,
        architecture="JambaConfig",
        params=51_570_323_328,
        template="Jamba, with the tokenizer",
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
    )
    llama = models.find("llama-3.1-8b")
    assert llama is not None
    assert llama.config["rope_scaling"]["factor"] == 8.0


MISTAKES = {
    "an unknown field": ("window_tokens = 8192", "window = 8192", "smollm2-135m.* has window; a"),
    "a missing field": ("params = 134_515_008\n", "", r"model 1 \(smollm2-135m\) lacks params"),
    "a text for a number": ("= 134_515_008", '= "134M"', "params is '134M'; it is a whole number"),
    "a number below one": ("= 134_515_008", "= -1", "params is -1; it is at least 1"),
    "an unknown category": ('"transformer"', '"rnn"', "category is 'rnn'; it is one of transf"),
    "a missing size": ("num_hidden_layers = 30\n", "", "smollm2.*config lacks num_hidden_layers"),
    "a size of no use": ("num_key_value_heads = 3", "num_key_value_heads = 0.5", "heads = 0.5; it"),
    "a missing state size": ("state_size = 128\n", "", r"\(codestral.*config lacks state_size"),
    "a name twice": ('"llama-3.1-70b"', '"llama-3.1-8b"', "the name 'llama-3.1-8b' is there twice"),
    "a table beside": ("[[model]]", "[other]\nx = 1\n[[model]]", "has other; it holds"),
    "no TOML": ("[[model]]", "[[model", "is not TOML: .*line"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    assert old in TEXT
    with pytest.raises(DataError, match=message):
        read_models(planted(tmp_path, TEXT.replace(old, new, 1)))


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.toml' cannot be read \(No such file"):
        read_models(tmp_path / "none.toml")


def test_the_package_carries_the_table() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = settings["tool"]["setuptools"]["package-data"]["scbench"]
    place = TABLE.relative_to(ROOT / "src" / "scbench").as_posix()
    assert any(fnmatch(place, pattern) for pattern in carried)
