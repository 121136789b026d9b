from __future__ import annotations

import pytest

from prompts.texts import TEMPLATES, tokenizer
from scbench.prompts import HfTokenizer


@pytest.fixture(params=sorted(TEMPLATES))
def chat(request: pytest.FixtureRequest) -> HfTokenizer:
    """A tokenizer with a chat template, in each style."""
    return tokenizer(request.param)
