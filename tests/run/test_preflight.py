"""Refusals come first: what a run cannot begin with is said before weights are read."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import scbench
from engines.folders import edit_json, write_model, write_tokenizer
from prompts.texts import CHATML, THINKS
from scbench import api
from scbench.engines import load
from scbench.errors import (
    BadConfig,
    CannotWrite,
    DataError,
    Mismatch,
    ScbenchError,
    TooLong,
    Unknown,
)
from scbench.grid import refusals
from scbench.grid.plan import Plan
from scbench.grid.workload import BYTES_A_TOKEN
from scbench.tasks import published, task
from scbench.tasks.contract import Words
from scbench.types import BEYOND_TRAINED

GRID: dict[str, Any] = {
    "tasks": "mf",
    "methods": "dense,snapkv[tau=1/2]",
    "length": "256",
    "sessions": 1,
    "turns": 2,
    "max_new_tokens": 2,
    "cost_sessions": 0,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preflight") / "model"
    return write_model(folder, max_position_embeddings=4096)


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_read_weights", lambda *given, **words: pytest.fail("weights read"))


def play(folder: Path, **more: Any) -> Any:
    return scbench.run(**{**GRID, **more, "out": folder, "quiet": True})


def plan(**more: Any) -> Plan:
    return api.plan(**{**GRID, **more})


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        ({"length": "8k"}, TooLong, "a prompt needs at least .* holds 4,096; take --length 40"),
        ({"window_tokens": 8192}, Mismatch, "cannot hold --window 8,192"),
        ({"device": "mps"}, BadConfig, "runs on cpu and cuda"),
        ({"device": "h200"}, BadConfig, "is not a device"),
        ({"dtype": "int3"}, BadConfig, "is not known"),
        ({"data": "/no/such/data"}, Unknown, "no published rows of mf"),
        ({"methods": "cacheblend,nothing"}, Unknown, "nothing"),
    ],
)
def test_a_run_that_cannot_begin_says_so_before_weights_are_read(
    model: Path, tmp_path: Path, change: dict[str, Any], kind: type[ScbenchError], why: str
) -> None:
    with pytest.raises(kind, match=why):
        play(tmp_path / "none", **{"model": str(model), **change})
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("no_weights")
def test_a_sliding_window_that_binds_is_refused_and_planned_as_refused(tmp_path: Path) -> None:
    slides = write_model(
        tmp_path / "slides",
        architecture="Gemma3TextConfig",
        sliding_window=128,
        head_dim=16,
        max_position_embeddings=4096,
        layer_types=["sliding_attention", "full_attention"],
    )
    with pytest.raises(TooLong, match="sliding-window layers, which here hold 128"):
        play(tmp_path / "none", model=str(slides), truncate="middle")
    told = [refusal for refusal in plan(model=str(slides)).refusals if refusal.stops_run]
    assert ["sliding-window" in refusal.why for refusal in told] == [True]


@pytest.mark.usefixtures("no_weights")
def test_a_longrope_model_says_which_window_to_ask_for(tmp_path: Path) -> None:
    words = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    folder = write_model(
        tmp_path / "phi",
        architecture="Phi3Config",
        rope_parameters=words,
        original_max_position_embeddings=128,
        max_position_embeddings=4096,
    )
    with pytest.raises(TooLong, match=r"holds 128;.* --window 4096 takes its long RoPE factors"):
        play(tmp_path / "none", model=str(folder))
    assert not [
        one for one in plan(model=str(folder), window_tokens=2048).refusals if one.stops_run
    ]


@pytest.mark.usefixtures("no_weights")
def test_a_template_that_renders_anew_stops_the_run_in_one_sentence(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "anew", max_position_embeddings=4096)
    write_tokenizer(folder, "{{ messages | length }} messages\n" + CHATML)
    with pytest.raises(Mismatch, match="renders earlier turns otherwise"):
        play(tmp_path / "none", model=str(folder))
    assert any("renders earlier turns" in one.why for one in plan(model=str(folder)).refusals)
    headerless = CHATML[: CHATML.index("{% if add_generation_prompt %}")]
    write_tokenizer(folder, headerless)
    with pytest.raises(Mismatch, match="leaves out what begins an answer"):
        play(tmp_path / "none", model=str(folder), modes="multi-request")


@pytest.mark.usefixtures("no_weights")
def test_a_disk_without_room_is_refused_at_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1 << 20

    monkeypatch.setattr(refusals.shutil, "disk_usage", lambda folder: Full)
    with pytest.raises(CannotWrite, match=r"needs about \d+ MiB on disk.*1 MiB free"):
        play(tmp_path / "none", model=str(model))
    assert any(one.kind == "disk" for one in plan(model=str(model)).refusals)


def test_what_can_be_played_is_played_though_another_length_cannot(
    model: Path, tmp_path: Path
) -> None:
    records = play(tmp_path, model=str(model), length="256,8k", methods="dense").records()
    assert {one.failure is None for one in records if one.length_tokens == 256} == {True}
    assert {one.failure.kind for one in records if one.failure} == {"too-long"}


@pytest.mark.slow
def test_every_record_beyond_a_scaled_checkpoint_is_marked(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", max_position_embeddings=512)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    edit_json(folder / "config.json", rope_parameters=rope)
    records = play(tmp_path / "run", model=str(folder), window_tokens=2048).records()
    assert {BEYOND_TRAINED in one.notes for one in records} == {True}
    plain = play(tmp_path / "plain", model=str(folder)).records()
    assert {BEYOND_TRAINED in one.notes for one in plain} == {False}


def test_notes_of_loading_stand_in_the_manifest(model: Path, tmp_path: Path) -> None:
    from engines.folders import copied

    folder = copied(model, tmp_path / "model")
    edit_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "x.X"})
    play(tmp_path / "run", model=str(folder))
    entry = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert "names code of its own" in json.dumps(entry)


# -- plans -----------------------------------------------------------------------------------------


def test_a_plan_needs_a_configuration_and_nothing_else(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", max_position_embeddings=4096)
    whole = plan(model=str(folder))
    for file in folder.iterdir():
        if file.name != "config.json":
            file.unlink()
    alone = plan(model=str(folder))
    assert [row.read_tokens for row in alone.rows] == [row.read_tokens for row in whole.rows]
    assert alone.models[0].params == whole.models[0].params > 0
    assert [one.kind for one in alone.refusals if one.stops_run] == ["tokenizer"]
    assert not [one for one in whole.refusals if one.stops_run]


def test_a_large_model_is_planned_for_a_card_that_is_not_here() -> None:
    one_hour = 3600.0
    made = plan(
        model="llama-3.1-8b",
        device="h200",
        length="64k",
        sessions=8,
        tasks="kv,summary",
        max_new_tokens=None,
        price_per_hour=4.0,
    )
    (model,) = made.models
    assert (model.params, model.dtype, model.device) == (8_030_261_248, "bfloat16", "h200")
    assert made.peak_bytes > 2 * model.params + 65536 * 131072
    assert 0 < made.seconds_low < made.seconds_high < 10 * one_hour
    assert made.price == pytest.approx(
        (made.seconds_low / one_hour * 4.0, made.seconds_high / one_hour * 4.0)
    )
    small = plan(model="llama-3.1-8b", device="l4", length="64k")
    assert any(one.kind == "memory" for one in small.refusals)
    assert not small.price


def test_short_answers_are_not_planned_at_half_of_their_limit(model: Path) -> None:
    (row,) = plan(model=str(model), tasks="kv", max_new_tokens=None).rows
    assert row.decode_tokens == row.turns * 150
    assert row.answer_tokens_low == row.turns * 5
    assert row.answer_tokens_high < row.decode_tokens / 2


@pytest.mark.slow
def test_lengths_of_published_rows_are_those_on_disk(model: Path, tmp_path: Path) -> None:
    kind = task("kv")
    made = [kind.make(seed=f"s:{at}", target=300, turns=3, count=Words()) for at in range(3)]
    published.write(kind, made, tmp_path)
    given = {
        "model": str(model),
        "tasks": "kv",
        "data": str(tmp_path),
        "turns": None,
        "length": None,
    }
    (row,) = plan(**given, sessions=8).rows
    tokenizer = load.load_tokenizer(str(model))
    counted = sum(len(tokenizer.encode(one.context).ids) for one in made) / 3
    assert row.length_tokens == pytest.approx(counted, rel=0.03)
    assert (row.sessions, row.turns, row.asked_tokens) == (3, 3 * 3 * 2 * 2, 0)
    (by_bytes,) = plan(**{**given, "model": "llama-3.1-8b"}, sessions=8).rows
    bytes_each = sum(len(one.context.encode()) for one in made) / 3
    assert by_bytes.length_tokens == pytest.approx(bytes_each / BYTES_A_TOKEN, rel=0.01)


def test_a_bad_row_is_found_before_weights(model: Path, tmp_path: Path, no_weights: None) -> None:
    (tmp_path / "scbench_mf.jsonl").write_text('{"context": 3}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"scbench_mf\.jsonl"):
        play(tmp_path / "none", model=str(model), data=str(tmp_path), length=None)


def test_a_plan_without_its_data_says_which(model: Path) -> None:
    made = plan(model=str(model), data="/no/such/data", length=None)
    assert [(one.kind, one.what) for one in made.refusals] == [("data", "--data /no/such/data")]
    assert not made.rows


def test_a_plan_names_what_does_not_load_and_counts_the_rest(model: Path) -> None:
    made = plan(model=f"{model},lab-transformr")
    assert [one.name for one in made.models] == [str(model)]
    (lost,) = [one for one in made.refusals if one.stops_run]
    assert "did you mean 'lab-transformer'" in lost.why


@pytest.mark.slow
def test_a_plan_of_a_recurrent_model_names_the_methods_it_cannot_take() -> None:
    made = plan(model="codestral-mamba-7b", device="h100")
    (refused,) = made.refusals
    assert refused.what == "snapkv[tau=1/2]"
    assert not refused.stops_run
    assert made.models[0].state_bytes > 1 << 28


def test_a_plan_is_defined_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, scbench.grid.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_progress_and_plan_have_the_same_rows(model: Path) -> None:
    from scbench.engines.facts import facts_from_config
    from scbench.grid.plan import plan as rows_of
    from scbench.methods import parse

    settings = api.settle({**GRID, "model": str(model)})
    methods = [parse(text) for text in settings.methods]
    facts = facts_from_config(str(model))
    assert tuple(rows_of(settings, methods, facts)) == plan(model=str(model)).rows


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dtype": "int3"}, "--dtype 'int3' is not known; use auto, float32"),
        ({"device": "gpu"}, "--device 'gpu' is not a device; use cpu, cuda or cuda:N"),
    ],
)
def test_a_model_without_weights_refuses_what_no_model_has(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadConfig, match=why):
        play(tmp_path / "none", model="toy", **change)
    assert not (tmp_path / "none").exists()
    made = plan(model="toy", **{"device": "auto", **change})
    assert [why in refusal.why for refusal in made.refusals] == [True]
    assert not made.rows


def test_a_plan_that_refuses_a_device_names_the_cards_that_it_also_takes() -> None:
    (refusal,) = plan(model="toy", device="gpu").refusals
    assert "a plan also takes a card that is not here: a100, b200, h100" in refusal.why


@pytest.mark.parametrize("modes", ["grow", "grow,branch"])
def test_a_task_without_material_is_not_made_to_grow(tmp_path: Path, modes: str) -> None:
    words = {"model": "toy", "modes": modes, "tasks": "mf,kv"}
    with pytest.raises(Mismatch, match="no turn of mf brings material, so its context cannot grow"):
        play(tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()
    refused = [refusal for refusal in plan(**words).refusals if refusal.kind == "mode"]
    assert [(one.what, one.stops_run) for one in refused] == [("--modes grow", True)] * 2
    assert [one.why.split()[3] for one in refused] == ["mf", "kv"]


def test_a_task_that_brings_material_or_may_is_let_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = (SimpleNamespace(material=""), SimpleNamespace(material="more"))
    kinds = [
        SimpleNamespace(name="diary", given=(SimpleNamespace(turns=turns),)),
        SimpleNamespace(name="made_when_asked", given=()),
        SimpleNamespace(name="still", given=(SimpleNamespace(turns=turns[:1]),)),
    ]
    monkeypatch.setattr(refusals, "kinds_of", lambda *_: kinds)
    whys = [one.why for one in plan(model="toy", modes="grow").refusals if one.kind == "mode"]
    assert [why.split()[3] for why in whys] == ["still"]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose template opens a thought before an answer."""
    folder = tmp_path_factory.mktemp("thinker") / "model"
    write_model(folder, max_position_embeddings=4096)
    write_tokenizer(folder, THINKS + "{% if style %}{% endif %}")
    return folder


@pytest.mark.slow
def test_a_plan_counts_the_thoughts_of_a_model_that_thinks(thinker: Path, model: Path) -> None:
    (plain,), (open_,), (short,), (off,) = (
        plan(model=str(folder), max_new_tokens=10, **words).rows
        for folder, words in (
            (model, {}),
            (thinker, {}),
            (thinker, {"think_tokens": 100}),
            (thinker, {"think": "off"}),
        )
    )
    turns = plain.turns
    assert open_.decode_tokens - plain.decode_tokens == turns * 1024
    assert short.decode_tokens - plain.decode_tokens == turns * 100
    assert off.decode_tokens == plain.decode_tokens
    assert open_.answer_tokens_low > plain.answer_tokens_low
    (told,) = plan(model=str(thinker), think_tokens=100).models
    assert "thoughts: up to 100 tokens before every answer" in " ".join(told.notes)


def test_a_window_that_holds_no_thought_is_refused_by_its_numbers(thinker: Path) -> None:
    (refusal,) = plan(model=str(thinker), length="1k", think_tokens=4000).refusals
    assert refusal.kind == "length"
    assert refusal.stops_run


@pytest.mark.parametrize(
    ("words", "what", "why"),
    [
        ({"template_args": "colour=red"}, "--template-arg colour", "has no such name"),
        ({"template_args": "a=1", "chat_template": False}, "--template-arg a", "without a chat"),
        ({"history": "kept", "modes": "multi-request"}, "--history kept", "--modes multi-turn"),
        ({"history": "model", "modes": "multi-request"}, "--history model", "changes nothing"),
    ],
)
def test_a_wish_that_changes_nothing_is_told(
    thinker: Path, words: dict[str, Any], what: str, why: str
) -> None:
    (refusal,) = plan(model=str(thinker), think_tokens=5, **words).refusals
    assert refusal.what == what
    assert why in refusal.why
    assert not refusal.stops_run


def test_thoughts_are_asked_of_no_model_without_a_chat_template(thinker: Path) -> None:
    (refusal,) = plan(model=str(thinker), think="on", chat_template=False).refusals
    assert "--think on" in refusal.why
    assert refusal.stops_run


def test_wishes_that_are_heard_are_not_told(thinker: Path) -> None:
    told = {"template_args": "style=short", "history": "kept", "think": "on"}
    assert plan(model=str(thinker), think_tokens=5, **told).refusals == ()
    with pytest.raises(BadConfig, match="--template-arg messages: "):
        plan(model=str(thinker), template_args="messages=[]")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"top_p": 0.5}, "--top-p 0.5"),
        ({"least_tokens": 9, "max_new_tokens": 2}, "--least-tokens 9"),
        ({"think_tokens": 20}, "--think-tokens 20"),
    ],
)
def test_a_wish_about_answers_that_changes_nothing_is_told(
    model: Path, words: dict[str, Any], what: str
) -> None:
    (refusal,) = plan(model=str(model), **words).refusals
    assert refusal.what == what
    assert not refusal.stops_run


def test_a_template_that_refuses_a_second_turn_is_told_in_its_own_words(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", max_position_embeddings=4096)
    once = "{% if messages | length > 1 %}{{ raise_exception('one turn only') }}{% endif %}"
    write_tokenizer(folder, once + CHATML)
    (refusal,) = plan(model=str(folder), modes="multi-turn").refusals
    assert "one turn only" in refusal.why
    assert "renders earlier turns" not in refusal.why


@pytest.mark.slow
def test_a_plan_without_a_cost_pass_says_nothing_of_one(model: Path) -> None:
    from typer.testing import CliRunner

    from scbench.cli import app

    words = ["plan", "--model", str(model), "--tasks", "kv", "--methods", "dense"]
    for cost, told in ((0, False), (1, True)):
        shown = CliRunner().invoke(app, [*words, "--cost-sessions", str(cost)]).output
        assert ("cost pass included" in shown) is told


def test_a_mark_that_nobody_knows_before_an_answer_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", max_position_embeddings=4096)
    write_tokenizer(folder, THINKS.replace("<think>", "<ruminate>"))
    (refusal,) = plan(model=str(folder)).refusals
    assert "<ruminate>" in refusal.what
    assert "taken for the answer" in refusal.why
    assert not refusal.stops_run
