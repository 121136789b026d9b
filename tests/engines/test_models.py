"""The numbers of `scbench list models` are those of the real architectures, counted without memory,
and those that a run counts.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from typer.testing import CliRunner

from engines import llms
from scbench import api, commands  # noqa: F401  (registers its commands)
from scbench.cli import app
from scbench.engines import load, places
from scbench.engines.llm import RECURRENT
from scbench.engines.models import HEADER, LLMS, find, row
from scbench.engines.window import stretch, trained_tokens
from scbench.errors import BadConfig

NAMES = [llm.name for llm in LLMS]
# name: parameters as published, in thousand millions; bytes of a cache of 131,072 tokens, from
# layers, heads and widths
BY_HAND = {
    "llama-3.1-8b": (8.03, 2 * 32 * 8 * 128 * 2 << 17),
    "llama-3.1-70b": (70.6, 2 * 80 * 8 * 128 * 2 << 17),
    "qwen2.5-72b": (72.7, 2 * 80 * 8 * 128 * 2 << 17),
    "qwen2.5-32b": (32.8, 2 * 64 * 8 * 128 * 2 << 17),
    "llama-3-8b-262k": (8.03, 2 * 32 * 8 * 128 * 2 << 17),
    "glm-4-9b-1m": (9.48, 2 * 40 * 4 * 128 * 2 << 17),
    "codestral-mamba-7b": (7.29, 64 * (2 * 4 * (8192 + 2 * 8 * 128) + 4 * 128 * 64 * 128)),
    "jamba-1.5-mini": (51.6, (2 * 4 * 8 * 128 * 2 << 17) + 28 * 8192 * (2 * 4 + 4 * 16)),
}


def test_the_papers_eight_all_have_short_names() -> None:
    assert set(NAMES) == {*BY_HAND, "smollm2-135m", "qwen2.5-coder-0.5b"}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_full_size_model(name: str) -> None:
    llm = find(name)
    assert llm is not None
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(
            getattr(transformers, llm.architecture)(**llm.config)
        )
    assert sum(x.numel() for x in model.parameters()) == llm.params
    kinds = load.layer_types(model.config)
    assert len(kinds) - kinds.count("linear_attention") == llm.attention_layers
    load.refuse_by_config(model.config, name)


@pytest.mark.parametrize("name", BY_HAND)
def test_weights_and_cache_are_what_one_counts_by_hand(name: str) -> None:
    llm = find(name)
    assert llm is not None
    published, cache_bytes = BY_HAND[name]
    assert llm.weights_bytes == pytest.approx(2e9 * published, rel=0.002)
    assert llm.cache_bytes(1 << 17) == cache_bytes


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_that_streams_hold_in_bf16(name: str) -> None:
    llm, engine = llms.shrunk(name), llms.engine(name, dtype=torch.bfloat16)
    for tokens in (5, 40):
        assert engine.read(list(range(1, tokens + 1))).fork().held_bytes() == llm.cache_bytes(
            tokens
        )
    assert engine.facts.shape.token_bytes == llm.token_bytes


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_named_hold_weights_and_a_long_cache_and_the_next_smaller_do_not(
    name: str,
) -> None:
    llm = find(name)
    assert llm is not None
    words = llm.gpus.split()  # "one of 48 GB"
    count, each = 1 if words[0] == "one" else int(words[0]), int(words[2])
    need = (llm.weights_bytes + llm.cache_bytes(llm.long_tokens)) / 2**30
    assert need * 1.1 <= count * each
    smaller = {24: 0, 48: 24, 80: 48, 141: 80, 192: 141} if count == 1 else {80: 192}
    assert need * 1.1 > smaller[each]


def test_names_come_from_one_place() -> None:
    assert api.MODELS.keys() >= {"toy", *NAMES}
    for llm in LLMS:
        assert llm.name in places.OWN_FILES or places.SHORT[llm.name] == llm.hub


def test_the_list_says_everything_of_every_model_and_tasks_have_no_markdown() -> None:
    shown = CliRunner().invoke(app, ["list", "models"]).output
    for llm in LLMS:
        assert all(word in shown for word in row(llm))
    assert all(f"{what}: " in shown for what in HEADER[2:-1])
    table = CliRunner().invoke(app, ["list", "models", "--markdown"]).output
    assert table.count("\n") == len(LLMS) + 2
    with pytest.raises(BadConfig, match="tasks have none"):
        CliRunner().invoke(app, ["list", "tasks", "--markdown"], catch_exceptions=False)


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys, scbench.api, scbench.engines.models as m; m.markdown(); sys.exit('torch' in "
        "sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- windows ---------------------------------------------------------------------------------------


def test_a_window_beyond_the_checkpoints_own_sets_the_authors_scaling_and_says_so() -> None:
    qwen = find("qwen2.5-72b")
    assert qwen is not None
    config = transformers.Qwen2Config(**qwen.config)
    assert stretch(config, qwen, None) == stretch(config, qwen, 32768) == ""
    assert trained_tokens(config) == qwen.window_tokens
    assert (
        stretch(config, qwen, 131072) == "yarn x4: 131,072 tokens were asked of a window of 32,768"
    )
    assert trained_tokens(config) == qwen.longest_tokens == 131072
    assert config.rope_parameters["rope_theta"] == qwen.config["rope_theta"]
    assert stretch(config, qwen, 131072) == ""  # it scales already


def test_a_model_without_an_extension_is_left_alone() -> None:
    llama = find("llama-3.1-8b")
    config = SimpleNamespace(
        max_position_embeddings=131072, rope_parameters={"rope_type": "llama3", "factor": 8.0}
    )
    assert stretch(config, llama, 1 << 18) == stretch(config, None, 1 << 18) == ""
    assert trained_tokens(config) == 131072


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small Qwen2.5 where its hub name would lead."""
    llms.chat("qwen2.5-72b").raw.save_pretrained(tmp_path)
    llms.model("qwen2.5-72b").save_pretrained(tmp_path)
    monkeypatch.setitem(places.SHORT, "qwen2.5-72b", str(tmp_path))
    return "qwen2.5-72b"


def test_a_short_name_loads_with_its_window_and_with_a_longer_one_if_asked(stored: str) -> None:
    plain, longer = (
        load.load(stored, device="cpu"),
        load.load(stored, device="cpu", window_tokens=131072),
    )
    assert (plain.facts.window_tokens, longer.facts.window_tokens) == (32768, 131072)
    assert "rope" not in plain.facts.choices
    assert longer.facts.choices["rope"].startswith("yarn x4")
    assert longer.config.rope_parameters["rope_type"] == "yarn"
    assert plain.facts.weights_digest != longer.facts.weights_digest
    assert plain.tokenizer.has_chat_template


def test_a_recurrent_model_has_the_window_its_authors_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(llm.name for llm in LLMS if llm.category == RECURRENT)
    llms.chat(name).raw.save_pretrained(tmp_path)
    llms.model(name).save_pretrained(tmp_path)
    monkeypatch.setitem(places.SHORT, name, str(tmp_path))
    assert load.load(name, device="cpu").facts.window_tokens == 262144


def test_a_model_already_run_here_can_be_given_again() -> None:
    for name in ("codestral-mamba-7b", "jamba-1.5-mini", "llama-3.1-8b"):
        first = llms.engine(name)
        again = load.from_model(first.model, first.tokenizer, name=name)
        assert again.facts.shape == first.facts.shape
