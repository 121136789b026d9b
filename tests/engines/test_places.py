"""Where a model lies: slips of the pen never reach the network, what is cached never asks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines.folders import edit_json, in_hub_cache, write_model
from scbench import api
from scbench.engines import load, places
from scbench.errors import DataError, Unknown


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("places") / "Tiny-Llama")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a network that nobody may ask."""
    home = tmp_path / "hub"
    home.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(
        places, "_fetch", lambda *given, **words: pytest.fail("it asked the network")
    )
    return home


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("lab-transformr", "'lab-transformer'"),
        ("lab-mamba", "'lab-mamba2'"),
        ("llama-3.1-8B-it", "'llama-3.1-8b'"),
        ("smollm-135m", "'smollm2-135m'"),
        ("qwen2.5-7b", "'qwen2.5-72b'"),
    ],
)
def test_a_slip_in_a_known_name_is_answered_with_that_name(
    hub: Path, asked: str, meant: str
) -> None:
    with pytest.raises(Unknown, match="did you mean") as told:
        load.load(asked)
    assert meant in str(told.value)


@pytest.mark.parametrize(
    "asked", ["./no/such/folder", "/no/such/folder", "a/b/c", "~/none", "no\\such"]
)
def test_a_path_that_leads_nowhere_is_called_a_folder(hub: Path, asked: str) -> None:
    with pytest.raises(Unknown, match="there is no folder"):
        load.load(asked)


def test_a_folder_in_another_case_is_named(hub: Path, model: Path) -> None:
    for asked in (model.parent / "tiny-llama", model.parent / "Tiny-Lama"):
        with pytest.raises(Unknown, match="did you mean") as told:
            load.load(str(asked))
        assert str(model) in str(told.value)


def test_a_folder_here_is_named_as_it_can_be_written(
    hub: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    with pytest.raises(Unknown, match=r"'\./Tiny-Llama'"):
        load.load("tiny-llama2")


def test_case_does_not_matter_in_our_own_names(hub: Path) -> None:
    assert places.locate("LAB-Transformer", weights=False).name == "lab-transformer"
    assert places.canonical("Qwen2.5-72B") == "qwen2.5-72b"
    assert api.settle({"model": "TOY,Lab-Mamba2,toy"}).models == ("toy", "lab-mamba2")


def test_a_file_is_no_folder(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(Unknown, match="is a file, and a model is a folder"):
        load.load(str(tmp_path / "model.bin"))


def test_a_folder_without_a_configuration_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no config\.json"):
        load.load(str(tmp_path))


def test_a_cached_model_loads_without_the_network(hub: Path, model: Path) -> None:
    in_hub_cache(model, hub, "org/tiny", links=True)
    engine = load.load("org/tiny")
    assert engine.facts.name == "org/tiny"
    assert engine.facts.weights_digest == load.load(str(model)).facts.weights_digest
    assert load.shape_of_model("org/tiny").kv_heads == 1
    assert load.load_tokenizer("org/tiny").has_chat_template


@pytest.mark.slow
def test_a_cached_model_loads_in_a_process_whose_network_is_dead(
    tmp_path: Path, model: Path
) -> None:
    in_hub_cache(model, tmp_path / "hub", "org/tiny")
    code = "from scbench.engines.load import load; print(load('org/tiny').facts.name)"
    dead = "http://127.0.0.1:9"
    import os

    surroundings = {
        **os.environ,
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HTTPS_PROXY": dead,
        "HTTP_PROXY": dead,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "org/tiny", done.stderr
    assert "asking the hub" not in done.stderr


def test_a_piece_missing_from_the_cache_is_named_as_that(
    hub: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = in_hub_cache(model, hub, "org/noweights")
    (snapshot / "model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unknown, match=r"lacks model\.safetensors, and the hub is switched off"):
        load.load("org/noweights")
    # A configuration is enough for that.
    assert len(load.shape_of_model("org/noweights").layers) == 2


def test_a_link_to_a_blob_that_is_gone_is_a_missing_piece(
    hub: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = in_hub_cache(model, hub, "org/half", links=True)
    (snapshot / "model.safetensors").resolve().unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unknown, match=r"lacks model\.safetensors"):
        load.load("org/half")


def test_code_missing_from_the_cache_is_named_where_it_is_trusted(
    hub: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = in_hub_cache(model, hub, "org/coded")
    names = {"AutoConfig": "conf.X", "AutoModelForCausalLM": "other/repo--modeling.Y"}
    edit_json(snapshot / "config.json", auto_map=names)
    assert load.load("org/coded").facts.notes  # not run, and nothing is missing for that
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unknown, match=r"lacks conf\.py, and"):
        load.load("org/coded", trust_remote_code=True)


def test_what_is_not_cached_is_asked_for_aloud_and_the_refusal_says_all(
    hub: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*given: object, **words: object) -> Path:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(places, "_fetch", unreachable)
    with pytest.raises(Unknown, match=r"not in the hub's cache.*no route to host.*hf download"):
        load.load("org/absent")
    assert "asking the hub for org/absent" in capsys.readouterr().err


def test_a_fetched_model_is_taken_from_where_it_came_to_lie(
    hub: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        places, "_fetch", lambda name, **words: in_hub_cache(model, hub, name, links=True)
    )
    assert load.load("org/new").facts.name == "org/new"


def test_a_local_folder_comes_before_the_hub(
    hub: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, tmp_path / "org" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert load.load("org/tiny").facts.name == "org/tiny"


@pytest.mark.parametrize("name", ["x" * 300, "a" * 5000, "bad\0name", "not a name", "ä/ö", ""])
def test_a_name_that_nothing_can_have_is_one_sentence(hub: Path, name: str) -> None:
    with pytest.raises(Unknown) as told:
        load.load(name)
    assert "\n" not in str(told.value)


def test_a_cached_model_is_not_taken_for_a_slip_of_a_folder(
    hub: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_hub_cache(model, hub, "org/tiny")
    shutil.copytree(model, tmp_path / "org" / "tiny2")
    monkeypatch.chdir(tmp_path)
    assert places.locate("org/tiny").hub == "org/tiny"
    with pytest.raises(Unknown, match=r"did you mean 'org/tiny2'"):
        load.load("org/tiny3")
