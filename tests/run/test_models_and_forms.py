"""Several models in one run, tasks in their tiny form, and what lies beyond the window a model was
trained for.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import transformers

import scbench
from scbench.api import Result
from scbench.engines.lab_models import CARD, TRAINED
from scbench.errors import BadConfig, DataError, Mismatch, TooLong
from scbench.grid import pairing
from scbench.kv import CacheShape
from scbench.lab import tokens
from scbench.ledger import manifest
from scbench.ledger.cells import read_plan
from scbench.ledger.journal import read_records
from scbench.methods import parse
from scbench.tasks import published, task
from scbench.types import BEYOND_TRAINED, Form

TRAINED_TOKENS = 256
GRID: dict[str, Any] = {
    "tasks": "kv",
    "methods": "dense,snapkv[tau=1/2],prefix",
    "modes": "multi-turn",
    "length": "64",
    "sessions": 1,
    "turns": 2,
    "max_new_tokens": 2,
    "cost_sessions": 0,
    "quiet": True,
}
ATTENDS = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=2, kv_heads=1, head_dim=16, dtype_bytes=4
)
RECURS = CacheShape.even(
    layers=2,
    attention_layers=(),
    query_heads=0,
    kv_heads=0,
    head_dim=0,
    dtype_bytes=4,
    recurrent_bytes=1,
)
HYBRID = CacheShape.even(
    layers=2,
    attention_layers=(1,),
    query_heads=2,
    kv_heads=1,
    head_dim=16,
    dtype_bytes=4,
    recurrent_bytes=1,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two checkpoints with random weights, the lab's tokenizer and a card."""
    root, size = tmp_path_factory.mktemp("models"), len(tokens.vocabulary())
    ids = {"bos_token_id": 1, "eos_token_id": 4, "pad_token_id": 0}
    llama = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    mamba = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_heads": 4,
        "head_dim": 16,
        "state_size": 16,
        "n_groups": 1,
        "expand": 2,
    }
    configs = {
        "attends": transformers.LlamaConfig(
            vocab_size=size, max_position_embeddings=4096, **llama, **ids
        ),
        "recurs": transformers.Mamba2Config(vocab_size=size, chunk_size=32, **mamba, **ids),
    }
    for name, config in configs.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transformers.AutoModelForCausalLM.from_config(config).save_pretrained(root / name)
        tokens.save(root / name)
        (root / name / CARD).write_text(json.dumps({TRAINED: TRAINED_TOKENS}))
    return {name: str(root / name) for name in configs}


def play(folder: Path, **more: Any) -> Result:
    return scbench.run(**{**GRID, **more, "out": folder})


@pytest.mark.slow
def test_models_play_into_one_folder_and_a_method_that_cannot_join_is_named_once(
    tmp_path: Path, models: dict[str, str]
) -> None:
    both = f"{models['attends']},{models['recurs']}"
    result = play(tmp_path, model=both)
    records = result.records()
    played = {(Path(one.model).name, one.method) for one in records}
    assert played == {
        ("attends", "dense"),
        ("attends", "snapkv[tau=1/2]"),
        ("attends", "prefix"),
        ("recurs", "dense"),
    }
    assert not [one for one in records if one.failure is not None]
    assert {one.key for one in records} == read_plan(tmp_path).keys
    assert result.outcome is not None
    assert result.outcome.gaps == []
    told = " ".join(result.outcome.does_not_apply)
    assert told.count("snapkv[tau=1/2]") == told.count("prefix") == 1
    assert "attends:" not in told
    entry = manifest.read(tmp_path)["runs"][-1]
    assert [(Path(one["name"]).name, one["form"]) for one in entry["models"]] == [
        ("attends", "tiny"),
        ("recurs", "tiny"),
    ]
    assert "models" not in entry["defaults"]
    assert "lengths_tokens" not in entry["defaults"]
    before = (tmp_path / "records.jsonl").read_bytes()
    play(tmp_path, model=both)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_a_tokenizer_made_for_tiny_tasks_gets_them_and_records_and_page_say_so(
    tmp_path: Path, models: dict[str, str]
) -> None:
    result = play(tmp_path, model=models["attends"], methods="dense")
    assert {one.form for one in result.records()} == {Form.TINY}
    assert BEYOND_TRAINED not in {note for one in result.records() for note in one.notes}
    assert "form: tiny" in (tmp_path / "index.html").read_text(encoding="utf-8")
    full = play(
        tmp_path / "full",
        model=models["attends"],
        methods="dense",
        form="full",
        length="256",
        tasks="mf",
        window_tokens=2048,
    )
    assert {one.form for one in full.records() if one.task == "mf"} == {Form.FULL}


def test_a_method_that_no_model_can_take_is_refused_before_anything_runs(
    tmp_path: Path, models: dict[str, str]
) -> None:
    with pytest.raises(Mismatch, match="attention layers"):
        play(tmp_path / "none", model=models["recurs"])
    assert not (tmp_path / "none").exists()


def test_a_prompt_beyond_the_trained_window_is_refused_and_told_how_to_go_on(
    tmp_path: Path, models: dict[str, str]
) -> None:
    with pytest.raises(TooLong, match="trained on texts of up to 256 tokens"):
        play(tmp_path / "none", model=models["attends"], methods="dense", length="256")
    assert not (tmp_path / "none").exists()
    both = play(tmp_path, model=models["attends"], methods="dense", length="64,256")
    why = {one.failure.why for one in both.records() if one.failure}
    assert len(why) == 1  # at the longer one; the shorter one was played
    assert "trained on texts of up to 256 tokens" in why.pop()


def test_every_record_of_a_larger_window_says_that_it_is_beyond_the_training(
    tmp_path: Path, models: dict[str, str]
) -> None:
    records = play(
        tmp_path,
        model=models["attends"],
        methods="dense,snapkv[tau=1/999]",
        length="300",
        window_tokens=1024,
    ).records()
    assert {BEYOND_TRAINED in one.notes for one in records} == {True}
    assert {one.failure is None for one in records} == {True, False}


def test_a_damaged_card_is_named(tmp_path: Path, models: dict[str, str]) -> None:
    from scbench.engines.lab_models import trained_window

    for text in ("{", "[]", '{"trained_window_tokens": "many"}'):
        (tmp_path / CARD).write_text(text)
        with pytest.raises(DataError, match=r"card\.json"):
            trained_window(tmp_path)
    assert trained_window("a/hub-name") is trained_window(Path(models["attends"]).parent) is None


@pytest.mark.parametrize(
    "change",
    [
        {"length": "100"},
        {"length": "63", "form": "tiny"},
        {"form": "tiny", "data": "official"},
        {"form": "small"},
    ],
)
def test_lengths_and_data_that_a_form_does_not_have_are_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(BadConfig):
        play(tmp_path, model="toy", **{"methods": "dense", **change})
    assert not list(read_records(tmp_path)) if (tmp_path / "records.jsonl").exists() else True


def test_tiny_sessions_on_disk_are_not_taken_for_published_data(tmp_path: Path) -> None:
    kind = task("kv", Form.TINY)
    published.write(
        kind, [kind.make(seed="0:0", target=64, turns=2, count=tokens.Count())], tmp_path / "data"
    )
    with pytest.raises(BadConfig, match="tiny sessions"):
        play(tmp_path / "run", model="toy", methods="dense", data=str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("method", "shape", "applies"),
    [
        ("dense", RECURS, True),
        ("snapkv[tau=1/4]", ATTENDS, True),
        ("snapkv[tau=1/999]", ATTENDS, True),  # refused at 256 tokens, not by the model
        ("snapkv[tau=1/4]", RECURS, False),
        ("snapkv[tau=1/4]", HYBRID, True),
        ("prefix", HYBRID, False),
        ("prefix", ATTENDS, True),
    ],
)
def test_what_a_model_can_never_take_is_told_from_what_a_length_cannot(
    method: str, shape: CacheShape, applies: bool
) -> None:
    assert (pairing.refusal(parse(method), shape, [256]) is None) is applies
