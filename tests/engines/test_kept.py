"""Models known without transformers have the facts that transformers gives them."""

from __future__ import annotations

from dataclasses import replace

import kept_configs
import pytest
import torch

from scbench.engines import facts
from scbench.engines.kept import FILE, kept_facts, kept_form, kept_refusal
from scbench.engines.lab_models import LAB_MODELS
from scbench.engines.models import LLMS
from scbench.engines.tokenizers import load_tokenizer
from scbench.errors import Mismatch, MissingExtra
from scbench.types import Form

NAMES = [*(llm.name for llm in LLMS), *LAB_MODELS]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@pytest.fixture
def _without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What of the table lies on this machine is counted from the table all the same."""
    monkeypatch.setattr(facts, "is_here", lambda name: name in LAB_MODELS)


@pytest.mark.slow
def test_the_kept_numbers_are_those_that_transformers_counts() -> None:
    assert FILE.read_text(encoding="utf-8") == kept_configs.text(), (
        "run `python -m kept_configs` in tests/engines"
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("_without_files")
def test_facts_without_transformers_are_the_same(name: str, dtype: str) -> None:
    counted = facts.facts_from_config(name, dtype=DTYPES[dtype])
    assert replace(kept_facts(name, dtype=dtype), notes=counted.notes) == counted
    assert kept_refusal(name) == facts.refusal_of(name)


@pytest.mark.usefixtures("_without_files")
def test_a_window_is_stretched_or_refused_as_with_transformers() -> None:
    longer = [llm for llm in LLMS if llm.longer]
    assert longer
    for llm in longer:
        counted = facts.facts_from_config(llm.name, window_tokens=llm.longest_tokens, count=False)
        kept = kept_facts(llm.name, window_tokens=llm.longest_tokens)
        assert (kept.window_tokens, kept.choices) == (llm.longest_tokens, counted.choices)
        with pytest.raises(Mismatch, match="cannot hold --window"):
            kept_facts(llm.name, window_tokens=llm.longest_tokens + 1)


@pytest.mark.parametrize("name", LAB_MODELS)
def test_the_form_is_that_of_the_tokenizer(name: str) -> None:
    assert kept_form(name) is load_tokenizer(name).form
    assert kept_form("llama-3.1-8b") is Form.FULL


def test_another_model_is_refused_with_the_line_to_type() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'scbench\[local\]'"):
        kept_facts("some/model")
