"""What a run does that was told little: the lab models on everything, SmolLM2 on what it can do, and no small numbers in a run of one's own."""

from __future__ import annotations

from scbench import api
from scbench.defaults import EVERY_METHOD, LAB, SMOLLM2
from scbench.methods import names as method_names
from scbench.methods import parse
from scbench.methods.spelling import read_part, split
from scbench.tasks import names
from scbench.types import Mode


def test_with_no_words_the_lab_models_play_every_task_in_both_modes_under_every_method() -> None:
    settings = api.settle({})
    assert settings == api.settle({"model": "lab-transformer,lab-mamba2,lab-hybrid"})
    assert settings.tasks == names()
    assert settings.modes == (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
    assert settings.methods == EVERY_METHOD
    assert (settings.sessions, settings.cost_repeats) == (2, 1)


def test_every_method_that_is_registered_is_in_the_default_grid() -> None:
    """`kvpress` needs a package that is not there by default."""
    played = {read_part(part)[0] for spelled in EVERY_METHOD for part in split(spelled)}
    assert played == set(method_names()) - {"kvpress"}
    assert all(parse(spelled) for spelled in EVERY_METHOD)


def test_smollm2_alone_plays_the_tasks_it_can_do() -> None:
    settings = api.settle({"model": "smollm2-135m"})
    assert (settings.tasks, settings.sessions, settings.max_new_tokens) == (SMOLLM2["tasks"], 2, 40)


def test_a_run_of_ones_own_takes_no_small_numbers() -> None:
    own = api.settle({"model": "smollm2-135m", "tasks": "kv"})
    assert (own.models, own.lengths_tokens, own.sessions, own.turns, own.cost_repeats) == (
        ("smollm2-135m",),
        (4096,),
        8,
        None,
        3,
    )
    assert api.settle({"tasks": "kv"}).models == LAB["models"]
    lab = api.settle({"model": "lab-hybrid", "tasks": "kv"})
    assert (lab.lengths_tokens, lab.sessions) == (
        LAB["lengths_tokens"],
        8,
    )  # the lab models were trained on short texts
    other = api.settle({"model": "some/model"})
    assert (other.models, other.tasks, other.lengths_tokens, other.sessions) == (
        ("some/model",),
        names(),
        (4096,),
        8,
    )
    assert api.settle({"model": "lab-hybrid", "length": "512"}).lengths_tokens == (512,)
