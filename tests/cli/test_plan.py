"""`scbench plan` as a person and as a script read it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from scbench import commands  # noqa: F401  (registers its commands)
from scbench.cli import app
from scbench.errors import BadConfig

GRID = ["--tasks", "kv,mf", "--methods", "dense,snapkv[tau=1/4]", "--sessions", "2", "--turns", "2"]
LLAMA = ["--model", "llama-3.1-8b", "--length", "32k", "--device", "h200"]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["plan", *words], catch_exceptions=False)


def test_a_plan_for_people_has_times_memory_disk_and_price() -> None:
    shown = call(*GRID, *LLAMA, "--price", "3.5")
    assert shown.exit_code == 0
    for words in ("8,030M parameters, bfloat16 on h200", "by its data sheet", "on disk", "price: "):
        assert words in shown.output
    assert "answer tokens, about" in shown.output


def test_a_plan_for_scripts_is_one_json_object() -> None:
    held = json.loads(call(*GRID, *LLAMA, "--json").output)
    assert [row["task"] for row in held["rows"]] == ["kv", "mf"]
    assert held["seconds_low"] < held["seconds_high"]
    assert held["price"] is None
    assert {"refusals", "peak_bytes", "disk_bytes", "models"} <= held.keys()


@pytest.mark.slow
def test_refusals_are_shown_with_their_brackets() -> None:
    words = ["--model", "codestral-mamba-7b", "--device", "h200", "--length", "4k"]
    shown = call(*GRID, *words)
    assert "snapkv[tau=1/4]" in shown.output
    assert "refused" in shown.output


def test_a_length_beyond_the_window_is_refused_by_the_plan() -> None:
    shown = call(*GRID, "--model", "lab-transformer", "--length", "32k", "--form", "tiny")
    assert "refused: lab-transformer: kv at 32,768 tokens: a prompt needs" in " ".join(
        shown.output.split()
    )


def test_a_plan_of_nothing_ends_with_an_error() -> None:
    shown = call(*GRID, "--model", "lab-transformr")
    assert shown.exit_code == 2
    assert "did you mean 'lab-transformer'" in " ".join(shown.output.split())


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(BadConfig, match="--price -1"):
        call(*GRID, *LLAMA, "--price", "-1")
