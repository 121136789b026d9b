"""From a trained run to a model folder: the command measures, writes the card, and the engine takes
what it left.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scbench.engines.load import load
from scbench.errors import BadConfig
from scbench.lab import card as cards
from scbench.lab import corpus, tokens
from scbench.lab.commands import lab
from scbench.lab.corpus import Portion
from scbench.lab.train import Training, train
from scbench.tasks import names
from scbench.types import PAPER_MODES, Form


@pytest.mark.slow
def test_a_trained_run_becomes_a_model_with_a_card_that_the_engine_takes(tmp_path: Path) -> None:
    corpus.write(
        tmp_path / "data",
        portions=(Portion(tokens=2_000, shortest_tokens=32, longest_tokens=64),),
        processes=1,
        shard_tokens=2_000,
    )
    ids = tokens.vocabulary()
    training = Training(
        arch="hybrid",
        size="tiny",
        vocab=len(ids),
        bos=ids[tokens.BOS],
        eos=ids[tokens.END],
        step_tokens=512,
        steps=2,
    )
    train(tmp_path / "data", tmp_path / "run", training, device="cpu", quiet=True)
    to = tmp_path / "lab-small"
    said = CliRunner().invoke(
        lab, ["card", str(tmp_path / "run"), "--to", str(to), "--lengths", "128", "--sessions", "1"]
    )
    assert said.exit_code == 0, said.output
    card = json.loads((to / cards.CARD).read_text(encoding="utf-8"))
    assert {(cell["task"], cell["mode"]) for cell in card["cells"]} == {
        (name, str(mode)) for name in names(Form.TINY) for mode in PAPER_MODES
    }
    assert card["weights_sha256"] == cards.sha256(to / cards.WEIGHTS)
    assert (card["name"], card["steps"], card["tokens"]) == (
        "lab-small",
        2,
        card["courses"][0]["tokens"],
    )
    assert cards.page(card) == (to / cards.PAGE).read_text(encoding="utf-8")
    assert load(str(to)).facts.window_tokens == card["trained_window_tokens"] < 400


def test_words_that_are_no_lengths_and_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="holds no trained model"):
        cards.ship([tmp_path], tmp_path / "to")
    refused = CliRunner().invoke(
        lab, ["card", str(tmp_path), "--to", str(tmp_path / "to"), "--lengths", "long"]
    )
    assert isinstance(refused.exception, BadConfig)
    assert not (tmp_path / "to").exists()
