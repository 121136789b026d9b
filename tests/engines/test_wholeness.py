"""A checkpoint that is not whole, not its own or not safe is refused in a sentence, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engines.folders import copied, edit_json, edit_weights, write_model
from scbench.engines import load, weights
from scbench.engines.tokenizers import load_tokenizer
from scbench.errors import DataError, Mismatch, MissingExtra, ScbenchError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "model")


def test_a_checkpoint_with_missing_tensors_is_refused_by_name(folder: Path) -> None:
    def lose(held: dict[str, Any]) -> None:
        for name in [name for name in held if "layers.1." in name]:
            del held[name]

    edit_weights(folder, lose)
    with pytest.raises(DataError, match=r"9 tensors missing \(model\.layers\.1\..*5 more") as told:
        load.load(str(folder))
    assert str(folder) in str(told.value)


def test_a_renamed_tensor_is_both_missing_and_named(folder: Path) -> None:
    edit_weights(folder, lambda held: held.update({"model.other": held.pop("model.norm.weight")}))
    with pytest.raises(DataError, match=r"1 tensor missing \(model\.norm\.weight\)"):
        load.load(str(folder))


def test_a_tensor_of_another_shape_is_refused_by_name(folder: Path) -> None:
    edit_weights(folder, lambda held: held.update({"model.norm.weight": torch.zeros(7)}))
    with pytest.raises(DataError, match=r"another shape \(model\.norm\.weight: 7 for 32\)"):
        load.load(str(folder))


def test_an_unexpected_tensor_is_a_note_of_the_facts(folder: Path) -> None:
    edit_weights(folder, lambda held: held.update({"model.layers.0.extra": torch.zeros(3)}))
    notes = load.load(str(folder)).facts.notes
    assert any("model.layers.0.extra" in note for note in notes)


def test_a_whole_checkpoint_has_no_notes_and_its_digests(folder: Path) -> None:
    facts = load.load(str(folder)).facts
    assert facts.notes == ()
    assert facts.weights_digest == weights.weights_digest(folder)
    assert facts.tokenizer_digest == weights.tokenizer_digest(folder)
    assert facts.generation_digest == weights.generation_digest(folder) != ""


def test_tied_weights_are_not_missing(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tied", tie_word_embeddings=True)
    assert load.load(str(folder)).facts.notes == ()


def test_a_pickle_is_refused_with_the_way_to_convert_it(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin, a pickle.*save_pretrained"):
        load.load(str(folder))


@pytest.mark.parametrize("kind", ["dots", "absolute", "link"])
def test_a_shard_outside_the_folder_is_refused(whole: Path, tmp_path: Path, kind: str) -> None:
    folder = write_model(tmp_path / "sharded", max_shard_size="20KB")
    index = json.loads((folder / weights.INDEX).read_text(encoding="utf-8"))
    shard = next(iter(index["weight_map"].values()))
    outside = tmp_path / "elsewhere.safetensors"
    (folder / shard).rename(outside)
    if kind == "link":
        (folder / shard).symlink_to(outside)
    else:
        name = "../elsewhere.safetensors" if kind == "dots" else str(outside)
        given = {
            key: name if value == shard else value for key, value in index["weight_map"].items()
        }
        edit_json(folder / weights.INDEX, weight_map=given)
    with pytest.raises(DataError, match="lies outside it"):
        load.load(str(folder))


def test_a_lost_shard_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "sharded", max_shard_size="20KB")
    shard = sorted(folder.glob("model-*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(DataError, match=f"lacks '{shard.name}'"):
        load.load(str(folder))


def test_a_sharded_checkpoint_loads(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "sharded", max_shard_size="20KB")
    assert len(weights.weight_files(folder)) > 2
    assert load.load(str(folder)).facts.notes == ()


DEEP = "[" * 100_000
DAMAGE: dict[str, tuple[str, bytes]] = {
    "no JSON": ("config.json", b"{"),
    "a list": ("config.json", b"[]"),
    "deep": ("config.json", DEEP.encode()),
    "no type": ("config.json", b"{}"),
    "strange type": ("config.json", b'{"model_type": "no-such-type"}'),
    "no heads": ("config.json", b'{"model_type": "llama", "num_attention_heads": 0}'),
    "heads of text": ("config.json", b'{"model_type": "llama", "num_attention_heads": "many"}'),
    "odd rope": ("config.json", b'{"model_type": "llama", "rope_scaling": {"rope_type": "no"}}'),
    "no weights": ("model.safetensors", b""),
    "half weights": ("model.safetensors", b"\xff" * 64),
    "odd header": ("model.safetensors", b"\x02\0\0\0\0\0\0\0{}"),
    "no tokenizer": ("tokenizer.json", b"{}"),
    "deep tokenizer": ("tokenizer.json", DEEP.encode()),
    "bytes": ("tokenizer.json", b"\xff\xfe\x00"),
    "odd template": ("chat_template.jinja", b"{% for %}"),
    "odd settings": ("tokenizer_config.json", b"[]"),
    "odd generation": ("generation_config.json", b"["),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_any_damage_is_one_sentence_that_names_the_folder(folder: Path, damage: str) -> None:
    file, held = DAMAGE[damage]
    (folder / file).write_bytes(held)
    if damage == "odd template":  # an error only for whoever asks for it
        assert load.load(str(folder)).tokenizer.has_chat_template
        return
    with pytest.raises(ScbenchError) as told:
        load.load(str(folder))
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


def test_templates_without_a_default_are_named(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    several = [{"name": name, "template": "{{ messages }}"} for name in ("rag", "tools")]
    edit_json(folder / "tokenizer_config.json", chat_template=several)
    with pytest.raises(DataError, match=r"chat templates.*take a complete copy"):
        load.load(str(folder))


def test_an_index_that_is_none_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / weights.INDEX).write_text('{"weight_map": 3}', encoding="utf-8")
    with pytest.raises(DataError, match=r"index\.json.*is no index of shards"):
        load.load(str(folder))


def test_ctrl_c_while_loading_is_not_a_damaged_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", stop)
    with pytest.raises(KeyboardInterrupt):
        load.load(str(folder))


@pytest.mark.parametrize(
    ("method", "package"),
    [("gptq", "optimum|gptqmodel"), ("bitsandbytes", "bitsandbytes"), ("awq", "gptqmodel")],
)
def test_a_quantised_checkpoint_names_the_package_it_needs(
    folder: Path, method: str, package: str
) -> None:
    words = {"quant_method": method, "bits": 4, "group_size": 32}
    words |= {"load_in_4bit": True} if method == "bitsandbytes" else {}
    edit_json(folder / "config.json", quantization_config=words)
    with pytest.raises(MissingExtra, match=package) as told:
        load.load(str(folder))
    assert str(folder) in str(told.value)


# -- code that comes with a checkpoint -------------------------------------------------------------

CANARY = (
    "import pathlib\npathlib.Path({path!r}).touch()\nfrom transformers import LlamaConfig as X\n"
)


@pytest.fixture
def armed(folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A folder whose configuration and tokenizer name code that leaves a mark when it runs."""
    mark = tmp_path / "ran"
    (folder / "x.py").write_text(CANARY.format(path=str(mark)), encoding="utf-8")
    edit_json(folder / "config.json", auto_map={"AutoConfig": "x.X", "AutoModelForCausalLM": "x.X"})
    return folder, mark


def test_code_beside_a_known_model_is_said_and_not_run(armed: tuple[Path, Path]) -> None:
    folder, mark = armed
    notes = load.load(str(folder)).facts.notes
    assert any("AutoModelForCausalLM x.X" in note and "not run" in note for note in notes)
    assert not mark.exists()


@pytest.mark.parametrize("ask", [load.load, load.shape_of_model, load_tokenizer])
def test_a_model_that_is_code_alone_asks_for_the_flag_and_never_on_the_terminal(
    armed: tuple[Path, Path], ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mark = armed
    edit_json(folder / "config.json", model_type="no-such-type")
    edit_json(
        folder / "tokenizer_config.json",
        tokenizer_class="NoSuchTokenizer",
        auto_map={"AutoTokenizer": ["x.X", "x.X"]},
    )
    monkeypatch.setattr("builtins.input", lambda *given: pytest.fail("it asked"))
    with pytest.raises((Mismatch, DataError), match="--trust-remote-code"):
        ask(str(folder))
    assert not mark.exists()


CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
class Config(LlamaConfig):
    model_type = "of-my-own"
class Model(LlamaForCausalLM):
    config_class = Config
"""


def test_with_the_flag_code_runs_and_is_part_of_the_digest(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    edit_json(
        folder / "config.json",
        model_type="of-my-own",
        auto_map={"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"},
    )
    (folder / "mine.py").write_text(CODE, encoding="utf-8")
    with pytest.raises(Mismatch, match="--trust-remote-code"):
        load.load(str(folder))
    first = load.load(str(folder), trust_remote_code=True).facts
    assert first.architecture == "Model"
    (folder / "mine.py").write_text(CODE + "\n# edited\n", encoding="utf-8")
    second = load.load(str(folder), trust_remote_code=True).facts
    assert first.weights_digest != second.weights_digest


def test_a_word_classifier_without_its_head_or_with_code_is_refused(
    armed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scbench.methods.generation.word_classifiers import TrainedClassifier

    folder, mark = armed
    monkeypatch.setattr("builtins.input", lambda *given: pytest.fail("it asked"))
    with pytest.raises(DataError, match=r"lack 2 tensors \(score\.bias, score\.weight\)"):
        TrainedClassifier(str(folder))
    assert not mark.exists()
