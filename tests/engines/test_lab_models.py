"""The package's own models: found by name, or their absence said with the way to make them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scbench import api
from scbench.engines import lab_models
from scbench.engines.lab_models import LAB_MODELS, lab_folder
from scbench.engines.load import load, load_tokenizer, shape_of_model
from scbench.errors import Unknown


def test_their_names_are_listed() -> None:
    assert api.MODELS.keys() >= LAB_MODELS.keys() == {"lab-transformer", "lab-mamba2", "lab-hybrid"}


@pytest.mark.parametrize("ask", [load, load_tokenizer, shape_of_model, lab_folder])
def test_missing_weights_are_told_with_the_command_that_makes_them(
    ask: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_models, "files", lambda package: tmp_path)
    with pytest.raises(Unknown, match="scbench lab train --arch mamba2"):
        ask("lab-mamba2")  # type: ignore[operator]


def test_weights_lie_in_a_folder_of_the_models_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lab" / "weights" / "lab-hybrid"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    (folder / "model.safetensors").touch()
    monkeypatch.setattr(lab_models, "files", lambda package: tmp_path)
    assert lab_folder("lab-hybrid") == folder


def test_a_card_says_what_counts_at_its_lengths_and_below(tmp_path: Path) -> None:
    cells = [
        {"task": "kv", "length_tokens": 256, "mode": "multi-turn", "passes": True},
        {"task": "kv", "length_tokens": 1024, "mode": "multi-turn", "passes": False},
    ]
    (tmp_path / "card.json").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    told = {
        length: lab_models.solves(str(tmp_path), "kv", length, "multi-turn")
        for length in (100, 256, 257, 1024, 2048)
    }
    assert told == {100: True, 256: True, 257: False, 1024: False, 2048: False}
    assert lab_models.solves(str(tmp_path), "kv", 256, "multi-request") is False
    assert lab_models.solves("some/model", "kv", 256, "multi-turn") is None


def test_a_card_says_nothing_of_modes_beside_the_papers() -> None:
    assert lab_models.solves("lab-transformer", "kv", 256, "multi-turn") is True
    assert lab_models.solves("lab-transformer", "kv", 256, "branch") is None
