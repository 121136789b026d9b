"""How much does one packed batch save over answering one stream at a time?

    python benchmarks/packed_decode.py [--model smollm2-135m] [--context 1024] [--streams 1,4,16,48]

Side by side in one run, alternating: (a) the packed engine, all streams over one shared snapshot,
(b) the same engine, one stream after another, (c) `transformers` with its own cache, one stream
after another. Prints a table and one JSON line; "x" is b / a and c / a.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from statistics import median

import torch

from scbench.engines.contract import Feed
from scbench.engines.dispatch import OURS
from scbench.engines.load import load
from scbench.engines.local import LocalEngine


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--model", default="smollm2-135m")
    words.add_argument("--context", type=int, default=1024)
    words.add_argument("--streams", default="1,4,16,48")
    words.add_argument("--repeats", type=int, default=5)
    given = words.parse_args()
    engine = load(given.model)
    vocabulary = engine.config.vocab_size
    ids = [(at * 7919) % (vocabulary - 10) + 5 for at in range(given.context)]
    rows = [
        measure(engine, ids, int(streams), given.repeats) for streams in given.streams.split(",")
    ]
    print(
        f"{engine.facts.name}, {given.context:,} tokens of context, {engine.facts.dtype} on "
        f"{engine.facts.device}, {torch.get_num_threads()} threads"
    )
    print(
        f"{'streams':>8} {'packed ms/token':>16} {'alone ms/token':>15} {'transformers':>13} "
        f"{'x alone':>8} {'x transformers':>15}"
    )
    for row in rows:
        print(
            f"{row['streams']:>8} {row['packed_ms']:>16.2f} {row['alone_ms']:>15.2f} "
            f"{row['transformers_ms']:>13.2f} {row['x_alone']:>8.2f} {row['x_transformers']:>15.2f}"
        )
    print(
        json.dumps(
            {
                "benchmark": "packed_decode",
                "model": engine.facts.name,
                "context_tokens": given.context,
                "rows": rows,
            }
        )
    )


def measure(engine: LocalEngine, ids: list[int], streams: int, repeats: int) -> dict[str, float]:
    """Median milliseconds per token of the three ways, taken in turn."""
    snapshot = engine.read(ids)
    forks = [snapshot.fork() for _ in range(streams)]
    cache = own_cache(engine, ids)
    packed, alone, theirs = list[float](), list[float](), list[float]()
    for repeat in range(repeats + 1):
        seconds = [
            clock(lambda: engine.advance([Feed(stream, [5]) for stream in forks])),
            clock(lambda: [engine.advance([Feed(stream, [5])]) for stream in forks]),
            clock(lambda: own_step(engine, cache, len(ids), streams)),
        ]
        if repeat:
            for taken, so_far in zip(seconds, (packed, alone, theirs), strict=True):
                so_far.append(1e3 * taken / streams)
    a, b, c = median(packed), median(alone), median(theirs)
    return {
        "streams": streams,
        "packed_ms": a,
        "alone_ms": b,
        "transformers_ms": c,
        "x_alone": b / a,
        "x_transformers": c / a,
    }


@torch.inference_mode()
def own_cache(engine: LocalEngine, ids: list[int]) -> object:
    """The library's own cache of the same context."""
    engine.model.set_attn_implementation("sdpa")
    cache = engine.model(
        input_ids=torch.tensor([ids], device=engine.device), use_cache=True
    ).past_key_values
    engine.model.set_attn_implementation(OURS)
    return cache


@torch.inference_mode()
def own_step(engine: LocalEngine, cache: object, tokens: int, streams: int) -> None:
    """One token for each stream, each from the same cache, cut back after use."""
    engine.model.set_attn_implementation("sdpa")
    for _ in range(streams):
        mine = copy.copy(cache)
        engine.model(
            input_ids=torch.tensor([[5]], device=engine.device),
            past_key_values=mine,
            use_cache=True,
        )
        mine.crop(-1)  # type: ignore[attr-defined]
    engine.model.set_attn_implementation(OURS)


def clock(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
