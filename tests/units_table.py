"""The table of docs/units.md, from the code. `PYTHONPATH=src:tests python -m units_table`."""

from __future__ import annotations

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.methods import parse

LENGTHS = (256, 512, 2048, 8192, 131_072)
TAUS = ("1/4", "1/32")
SHAPE = CacheShape.even(  # of Llama-3.1-8B
    layers=32,
    attention_layers=tuple(range(32)),
    query_heads=32,
    kv_heads=8,
    head_dim=128,
    dtype_bytes=2,
)
NAMES = (
    "a-shape",
    "tri-shape",
    "minference",
    "xattention",
    "flexprefill",
    "infllm",
    "streaming-llm",
    "h2o",
    "snapkv",
    "pyramidkv",
    "adakv",
    "expected-attention",
    "duo-attention",
    "cacheblend",
    "quest",
    "retrieval-attention",
    "retroinfer",
)


def sizes(name: str, tokens: int, tau: str) -> str:
    """What a method answers at a length and share, after the bare context."""
    method = parse(f"{name}[tau={tau}]")
    try:
        method.check(shape=SHAPE, tokens=tokens)
    except Mismatch:
        return "refused"
    found = method.units(shape=SHAPE, tokens=tokens)
    return ", ".join(f"{word.partition('.')[2]} {size}" for word, size in found.items())


def table() -> str:
    """The rows, a method and a share each."""
    lengths = " | ".join(f"{tokens:,}" for tokens in LENGTHS)
    lines = [f"| method | tau | {lengths} |", "|---" * (2 + len(LENGTHS)) + "|"]
    for name in NAMES:
        for tau in TAUS:
            cells = " | ".join(sizes(name, tokens, tau) for tokens in LENGTHS)
            lines.append(f"| `{name}` | {tau} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
