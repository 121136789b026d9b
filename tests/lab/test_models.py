"""The shipped models: ordinary small checkpoints, whole, and as good as their cards say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, PreTrainedModel

import scbench
from scbench.engines.lab_models import LAB_MODELS, trained_window
from scbench.engines.load import load
from scbench.lab import card as cards
from scbench.lab import measure, scan, tokens
from scbench.tasks import names
from scbench.types import PAPER_MODES, Form, Mode

WEIGHTS = Path(scbench.__file__).parent / "lab" / "weights"
SHIPPED = sorted(path.name for path in WEIGHTS.iterdir() if path.is_dir())
EACH = pytest.mark.parametrize("name", SHIPPED)


@cache
def card(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WEIGHTS / name / cards.CARD).read_text(encoding="utf-8"))
    return found


@cache
def model(name: str) -> PreTrainedModel:
    return scan.fast(AutoModelForCausalLM.from_pretrained(WEIGHTS / name).eval())


def test_what_is_shipped_is_what_is_named_and_small() -> None:
    assert set(SHIPPED) <= set(LAB_MODELS)
    assert "lab-transformer" in SHIPPED
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 40 * 2**20


@EACH
def test_the_weights_are_those_of_the_card(name: str) -> None:
    assert cards.sha256(WEIGHTS / name / cards.WEIGHTS) == card(name)["weights_sha256"]
    assert sum(p.numel() for p in model(name).parameters()) == card(name)["parameters"]
    assert cards.page(card(name)) == (WEIGHTS / name / cards.PAGE).read_text(encoding="utf-8")


@EACH
def test_the_card_covers_every_task_in_both_modes_up_to_the_trained_window(name: str) -> None:
    found = card(name)
    assert {(cell["task"], cell["mode"]) for cell in found["cells"]} == {
        (task, str(mode)) for task in names(Form.TINY) for mode in PAPER_MODES
    }
    assert (
        max(cell["length_tokens"] for cell in found["cells"])
        <= found["trained_window_tokens"]
        == trained_window(WEIGHTS / name)
    )
    assert all(cell["sessions"] >= 200 for cell in found["cells"])
    for cell in found["cells"]:
        known = {key: value for key, value in cell.items() if key != "passes"}
        assert (
            measure.MeasuredCell(
                **{
                    **known,
                    "by_turn": tuple(known["by_turn"]),
                    "by_depth": tuple(known["by_depth"]),
                }
            ).passes
            == cell["passes"]
        )


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(
            name, task, marks=[] if (name, task) == (SHIPPED[0], "kv") else [pytest.mark.slow]
        )
        for name in SHIPPED
        for task in ("kv", "qa_chn", "mf", "summary")
    ],
)
def test_evaluation_gives_the_numbers_of_the_card_again(name: str, task: str) -> None:
    """A sample of 40 of its 200 sessions: within the binomial error of the card's own mean."""
    told = next(
        cell
        for cell in card(name)["cells"]
        if cell["task"] == task and cell["mode"] == str(Mode.MULTI_TURN)
    )
    again = measure.cell(model(name), task, told["length_tokens"], Mode.MULTI_TURN, count=40)
    error = (max(told["exact"] * (1 - told["exact"]), 0.01) / again.answers) ** 0.5
    assert abs(again.exact - told["exact"]) <= 4 * error + 0.01


@EACH
def test_the_engine_takes_it_by_name_with_its_form_and_its_window(name: str) -> None:
    engine = load(name)
    assert engine.facts.window_tokens == card(name)["trained_window_tokens"]
    assert getattr(engine.tokenizer, "form") is Form.TINY  # noqa: B009
    assert engine.tokenizer.encode("otter:4821").ids == tokens.tokenizer().encode("otter:4821").ids


def test_the_models_saw_the_same_tokens_in_the_same_order() -> None:
    """Matched means: equal in size within 3 %, the same data, seed and settings in every course
    both went through.
    """
    seen = [
        [{**course["settings"], "arch": ""} for course in card(name)["courses"]] for name in SHIPPED
    ]
    shared = min(len(courses) for courses in seen)
    for number in range(shared):
        assert all(
            courses[number] | {"start": None} == seen[0][number] | {"start": None}
            for courses in seen
        )
    sizes = [card(name)["parameters"] for name in SHIPPED]
    assert max(sizes) <= 1.03 * min(sizes)
