"""Every byte of weights, tokenizer, template and generation settings is sealed, and read once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from engines.folders import edit_json, edit_weights, flip, in_hub_cache, write_model
from scbench.engines import digests, load, places, weights
from scbench.engines.digests import file_digest
from scbench.engines.tiny import tiny

MIB = 1 << 20
LONG_AGO = 1_600_000_000_000_000_000  # a file just written may be written again within one tick


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests"


@pytest.fixture
def reads(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read, in their order."""
    seen: list[Path] = []
    read = digests.read_whole

    def counted(path: Path) -> str:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(digests, "read_whole", counted)
    return seen


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards of three and a half MiB, with an index; no model, for only bytes count."""
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    names = [f"model-0000{at}-of-00002.safetensors" for at in (1, 2)]
    for at, name in enumerate(names):
        (folder / name).write_bytes(bytes([at + 1]) * (7 * MIB // 2))
    index = {"weight_map": {f"tensor.{name}": name for name in names}}
    (folder / weights.INDEX).write_text(json.dumps(index), encoding="utf-8")
    return folder


def settled(folder: Path) -> None:
    for file in folder.iterdir():
        os.utime(file, ns=(LONG_AGO, LONG_AGO))


@pytest.mark.parametrize("shard", [1, 2])
@pytest.mark.parametrize("at", [5, MIB + MIB // 2, 2 * MIB + 7, -5], ids=str)
def test_one_byte_anywhere_in_a_shard_changes_the_digest(
    cache: Path, shards: Path, shard: int, at: int
) -> None:
    settled(shards)
    before = weights.weights_digest(shards)
    path = shards / f"model-0000{shard}-of-00002.safetensors"
    flip(path, at)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))  # as a tool that puts times back
    assert weights.weights_digest(shards) != before


def test_a_byte_of_the_configuration_changes_the_digest(cache: Path, shards: Path) -> None:
    before = weights.weights_digest(shards)
    (shards / "config.json").write_text("{ }", encoding="utf-8")
    assert weights.weights_digest(shards) != before


def test_an_untouched_file_is_not_read_again(reads: list[Path], shards: Path) -> None:
    settled(shards)
    first = weights.weights_digest(shards)
    assert len(reads) == 3
    assert weights.weights_digest(shards) == first
    assert len(reads) == 3
    flip(shards / "model-00001-of-00002.safetensors", 9)
    weights.weights_digest(shards)
    assert [path.name for path in reads[3:]] == ["model-00001-of-00002.safetensors"]


def test_a_file_put_in_the_place_of_another_is_read(reads: list[Path], shards: Path) -> None:
    settled(shards)
    path = shards / "model-00001-of-00002.safetensors"
    before = file_digest(path)
    other = path.with_name("other")
    other.write_bytes(b"\7" * path.stat().st_size)
    os.utime(other, ns=(LONG_AGO, LONG_AGO))
    os.replace(other, path)
    assert file_digest(path) != before


def test_a_file_written_just_now_is_not_remembered(reads: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "new"
    path.write_bytes(b"1")
    file_digest(path)
    file_digest(path)
    assert len(reads) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff", None])
def test_a_damaged_memory_is_computed_again(
    cache: Path, reads: list[Path], shards: Path, damage: bytes | None
) -> None:
    settled(shards)
    path = shards / "config.json"
    right = file_digest(path)
    (memory,) = cache.iterdir()
    if damage is None:  # a bit flipped in the digest itself
        held = json.loads(memory.read_text(encoding="utf-8"))
        held["sha256"] = "0" * 64
        damage = json.dumps(held).encode()
    memory.write_bytes(damage)
    assert file_digest(path) == right
    assert len(reads) == 2


def test_a_cache_folder_that_cannot_be_written_costs_time_and_nothing_else(
    cache: Path, shards: Path
) -> None:
    settled(shards)
    cache.parent.write_text("a file where the folder should be", encoding="utf-8")
    assert file_digest(shards / "config.json") == digests.read_whole(shards / "config.json")


def test_writers_side_by_side_leave_a_whole_memory(cache: Path, shards: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    settled(shards)
    files = sorted(shards.iterdir()) * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(file_digest, files))
    assert found == [digests.read_whole(path) for path in files]
    assert {file.suffix for file in cache.iterdir()} == {".json"}


def test_a_blob_of_a_hub_cache_is_known_by_its_name(
    reads: list[Path], shards: Path, tmp_path: Path
) -> None:
    wanted = weights.weights_digest(shards)
    count = len(reads)
    snapshot = in_hub_cache(shards, tmp_path / "hub", "org/model", links=True)
    assert weights.weights_digest(snapshot) == wanted
    assert len(reads) == count


def test_a_link_that_only_looks_like_a_blob_is_read(reads: list[Path], tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / ("0" * 64)).write_bytes(b"not what it says")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blobs / ("0" * 64))
    assert file_digest(link) != "0" * 64
    assert len(reads) == 1


def test_each_file_of_a_tokenizer_counts_to_the_byte(cache: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    extra = ("special_tokens_map.json", "added_tokens.json", "chat_template.json")
    for name in extra:
        (folder / name).write_text("{}", encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", *extra):
        before = weights.tokenizer_digest(folder)
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
        assert weights.tokenizer_digest(folder) != before, name


def test_changed_files_change_what_a_loaded_model_says_of_itself(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    first = load.load(str(folder)).facts
    edit_json(folder / "generation_config.json", eos_token_id=2)
    second = load.load(str(folder)).facts
    assert first.generation_digest != second.generation_digest
    assert first.weights_digest == second.weights_digest
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert load.load(str(folder)).facts.tokenizer_digest != first.tokenizer_digest


def test_a_number_changed_deep_inside_a_tensor_changes_the_digest(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    before = load.load(str(folder)).facts.weights_digest

    def nudge(held: dict[str, torch.Tensor]) -> None:
        held["model.embed_tokens.weight"][300, 17] += 1e-3

    edit_weights(folder, nudge)
    assert load.load(str(folder)).facts.weights_digest != before


def test_every_number_of_a_model_in_memory_counts() -> None:
    engine = tiny("gqa")
    before = weights.state_digest(engine.model)
    assert engine.facts.weights_digest == before
    with torch.no_grad():
        engine.model.model.layers[1].mlp.up_proj.weight[37, 5] += 1e-3
    assert weights.state_digest(engine.model) != before


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from scbench.engines import cache

    monkeypatch.setenv("SCBENCH_CACHE", "here")
    assert cache.cache_root() == Path("here")
    monkeypatch.delenv("SCBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "there")
    assert cache.cache_root() == Path("there/scbench")
    assert places.SMOLLM2 == "smollm2-135m"


def test_a_cached_word_classifier_is_sealed_by_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scbench.methods.generation import word_classifiers

    folder = write_model(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert word_classifiers.digest("org/judge") == word_classifiers.digest("no name at all") == ""
    snapshot = in_hub_cache(folder, tmp_path / "hub", "org/judge", links=True)
    before = word_classifiers.digest("org/judge")
    assert before == word_classifiers.digest(str(folder)) != ""
    weights_file = snapshot / "model.safetensors"
    blob = weights_file.resolve()
    weights_file.unlink()
    weights_file.symlink_to(blob.rename(blob.with_name("f" * 64)))
    assert word_classifiers.digest("org/judge") != before
