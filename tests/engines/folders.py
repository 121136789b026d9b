"""Small checkpoints in folders, as users have them: whole, sharded, damaged, hostile."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from prompts.texts import CHATML, backend

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": None,
}


def write_tokenizer(folder: Path, template: str | None = CHATML) -> None:
    raw = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend(), bos_token="<s>", eos_token="</s>", chat_template=template
    )
    raw.save_pretrained(folder)


def write_model(folder: Path, *, architecture: str = "LlamaConfig", **more: Any) -> Path:
    """A random model with tokenizer and chat template."""
    shard = more.pop("max_shard_size", "1GB")
    vocabulary = backend().get_vocab_size()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        config = getattr(transformers, architecture)(**{**SIZES, "vocab_size": vocabulary, **more})
        model = transformers.AutoModelForCausalLM.from_config(config)
        model.save_pretrained(folder, max_shard_size=shard)
    write_tokenizer(folder)
    return folder


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def edit_json(path: Path, **changes: Any) -> None:
    """Change words of a JSON object; None takes one away."""
    held = json.loads(path.read_text(encoding="utf-8"))
    held |= changes
    kept = {word: value for word, value in held.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Rewrite model.safetensors after `change` has done something to its tensors."""
    path = folder / "model.safetensors"
    held = load_file(path)
    change(held)
    save_file(held, path, metadata={"format": "pt"})


def flip(path: Path, at: int) -> None:
    """Change one byte."""
    held = bytearray(path.read_bytes())
    held[at] ^= 0xFF
    path.write_bytes(held)


def in_hub_cache(model: Path, home: Path, name: str, *, links: bool = False) -> Path:
    """A model as the hub's cache would hold it; returns its snapshot."""
    repository = home / f"models--{name.replace('/', '--')}"
    commit = "0123456789abcdef" * 2 + "01234567"
    snapshot = repository / "snapshots" / commit
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit, encoding="ascii")
    if not links:
        shutil.copytree(model, snapshot)
        return snapshot
    import hashlib

    (repository / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    for file in model.iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, repository / "blobs" / digest)
        (snapshot / file.name).symlink_to(Path("../../blobs") / digest)
    return snapshot
