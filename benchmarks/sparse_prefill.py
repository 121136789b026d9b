"""Is reading a context under a sparse pattern faster than reading it densely?

    python benchmarks/sparse_prefill.py [--tokens 2048,8192] [--methods a-shape,tri-shape,...] [--heads 4] [--repeats 3]

One attention layer, dense and each method in turn, on queries and keys made like a language
model's: rotary positions (so attention falls off with distance and repeats), heavy first keys, a
few heavy keys inside. Prints a table and one JSON line; "x dense" above 1 is faster than dense,
"computed" the share of query-key pairs the method asks for. `--random` drops the structure:
patterns then scatter, which is their worst case.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch

from scbench.kernels import causal
from scbench.methods import parse
from scbench.methods.contract import Generation

METHODS = "a-shape,tri-shape,minference,minference[mask=tile64],xattention,flexprefill"
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--tokens", default="2048,8192")
    words.add_argument("--methods", default=METHODS)
    words.add_argument("--heads", type=int, default=4, help="query heads; two share a KV head")
    words.add_argument("--dim", type=int, default=64)
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--random", action="store_true")
    words.add_argument("--device", default="cpu")
    given = words.parse_args()
    print(
        f"{given.heads} query heads of {given.dim}, {'random' if given.random else 'structured'}, "
        f"{given.device}, {torch.get_num_threads()} threads"
    )
    print(f"{'tokens':>7} {'method':<28} {'ms':>9} {'dense ms':>9} {'x dense':>8} {'computed':>9}")
    rows = []
    for tokens in map(int, given.tokens.split(",")):
        made = (loose if given.random else structured)(tokens, given.heads, given.dim)
        for name in given.methods.split(","):
            row = measure(name, tuple(x.to(given.device) for x in made), given.repeats)  # type: ignore[arg-type]
            rows.append(row)
            print(
                f"{tokens:>7} {name:<28} {row['ms']:>9.1f} {row['dense_ms']:>9.1f} "
                f"{row['x_dense']:>8.2f} {row['computed_share']:>9.3f}",
                flush=True,
            )
    print(
        json.dumps(
            {
                "benchmark": "sparse_prefill",
                "random": given.random,
                "heads": given.heads,
                "dim": given.dim,
                "rows": rows,
            }
        )
    )


def measure(name: str, made: Tensors, repeats: int) -> dict[str, object]:
    """Median milliseconds of one layer, dense and sparse alternating."""
    q, k, v = made
    tokens, scale = q.shape[2], q.shape[3] ** -0.5
    method = parse(name).generation
    assert isinstance(method, Generation)
    sparse, dense = list[float](), list[float]()
    for repeat in range(repeats + 1):
        taken = (
            clock(lambda: method.attend(q, k, v, layer=0, scale=scale, total_tokens=tokens)),
            clock(lambda: causal(q, k, v, scale=scale)),
        )
        if repeat:
            sparse.append(1e3 * taken[0])
            dense.append(1e3 * taken[1])
    return {
        "tokens": tokens,
        "method": name,
        "ms": median(sparse),
        "dense_ms": median(dense),
        "x_dense": median(dense) / median(sparse),
        "computed_share": method.computed_share(tokens),
    }


def clock(act: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    act()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def loose(tokens: int, heads: int, dim: int) -> Tensors:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(heads // 2, 2, tokens, dim, generator=generator)
    return (
        q,
        torch.randn(heads // 2, tokens, dim, generator=generator),
        torch.randn(heads // 2, tokens, dim, generator=generator),
    )


def structured(tokens: int, heads: int, dim: int) -> Tensors:
    """Rotated noise around a common direction; keys 0..3 and one in 256 are heavy for every
    query.
    """
    q, k, v = loose(tokens, heads, dim)
    common = torch.randn(dim, generator=torch.Generator().manual_seed(1))
    angles = torch.arange(tokens).unsqueeze(1) * 10_000.0 ** (-torch.arange(dim // 2) / (dim // 2))
    turn = torch.polar(torch.ones_like(angles), angles)
    q, k = (rotated(0.5 * x + common, turn) for x in (q, k))
    heavy = torch.arange(0, tokens, 256)
    k[:, heavy] *= 2.0
    k[:, :4] *= 2.0
    return q, k, v


def rotated(x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2)


if __name__ == "__main__":
    main()
