"""The models that have short names, and how they are listed. Their numbers are `models.toml`."""

from __future__ import annotations

from pathlib import Path

from scbench.engines.llm import GIB, Llm
from scbench.engines.model_table import read_models

LLMS: tuple[Llm, ...] = read_models(Path(__file__).with_suffix(".toml"))

HEADER = (
    "short name",
    "hub name",
    "category",
    "window",
    "dtype",
    "chat template",
    "weights",
    "KV a token",
    "cache at 128K",
    "GPUs",
    "note",
)


def find(name: str) -> Llm | None:
    """The model of that short name."""
    return next((llm for llm in LLMS if llm.name == name), None)


def row(llm: Llm) -> tuple[str, ...]:
    """What `scbench list models` says of a model, in the order of HEADER."""
    window = f"{llm.window_tokens:,}" + (
        f"; {llm.longest_tokens:,} with YaRN" if llm.longer else ""
    )
    token = f"{llm.token_bytes:,} B" if llm.token_bytes else "none"
    cache = f"{size(llm.cache_bytes(llm.long_tokens))}" + (
        " (states)" if not llm.token_bytes else ""
    )
    if llm.long_tokens < 1 << 17:
        cache += f" at {llm.long_tokens:,}"
    return (
        llm.name,
        llm.hub,
        llm.category,
        window,
        "bf16",
        llm.template,
        size(llm.weights_bytes),
        token,
        cache,
        llm.gpus,
        llm.note,
    )


def size(count_bytes: int) -> str:
    """15.0 GiB, 261 MiB: three digits."""
    unit, name = (GIB, "GiB") if count_bytes >= GIB else (GIB >> 10, "MiB")
    value = count_bytes / unit
    return f"{value:.{1 if value < 100 else 0}f} {name}"


def markdown() -> str:
    """The table of docs/models.md."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row(llm) for llm in LLMS)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
