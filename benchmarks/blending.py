"""What does blending stored chunks save, and what does it lose? CPU seconds of a dense read and of
warm blends of the same context, side by side.

    python benchmarks/blending.py [--model smollm2-135m] [--tokens 1000] [--repeats 3] [--most 0.5]

The pool is filled before anything is timed. The losses are distances from the dense read: of all
values, over their size, and of the distribution of the next token (KL, nats). Ends in one JSON
line, and with status 1 where plain cacheblend takes more than --most of the dense read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch

from scbench.engines.load import load
from scbench.engines.tiny import tiny
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.methods.retrieval.blended_chunks import Chunked
from scbench.play.blending import Blending

METHODS = [
    "cacheblend[ratio=0]",
    "cacheblend",
    "cacheblend[deviation=v,filtering=once]",
    "cacheblend[ratio=1/2]",
    "cacheblend[ratio=1]",
    "cacheblend[ratio=0,stored=reordered]",
    "cacheblend[stored=reordered]",
]


def seconds(work: Callable[[], object], repeats: int) -> float:
    found = []
    for _ in range(repeats + 1):  # the first warms up
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found[1:])


def losses(ours: Snapshot, dense: Snapshot) -> tuple[float, float]:
    """Relative distance of all values, and KL of the next token from the dense read's."""
    pairs = [
        (ours.view(layer).v_HSD.float(), dense.view(layer).v_HSD.float()) for layer in dense.layers
    ]
    gap, size = (
        sum(float((a - b).square().sum()) for a, b in pairs),
        sum(float(b.square().sum()) for _, b in pairs),
    )
    p, q = dense.logits_V.log_softmax(-1), ours.logits_V.log_softmax(-1)
    return (gap / size) ** 0.5, float((p.exp() * (p - q)).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="smollm2-135m", help="as for `scbench run`, or tiny")
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--most",
        type=float,
        default=0.5,
        help="of the dense read's CPU seconds, for plain cacheblend",
    )
    given = parser.parse_args()
    engine = tiny() if given.model == "tiny" else load(given.model, device="cpu")
    text = "".join(
        f"Fox number {at} lives in house {at * 7 % 97}.\nIt likes fruit {at * 13 % 41}.\n"
        for at in range(given.tokens // 8)
    )
    ids = engine.tokenizer.encode(text).ids[: given.tokens]
    dense, dense_s = engine.read(ids), seconds(lambda: engine.read(ids), given.repeats)
    print(f"{'method':40} {'CPU s':>7} {'of dense':>8} {'FLOPs':>7} {'values off':>10} {'KL':>8}")
    print(f"{'dense':40} {dense_s:7.2f} {1:8.2f} {1:7.3f} {0:10.4f} {0:8.4f}", flush=True)
    blending, found = Blending(engine), dict[str, dict[str, float]]()
    for spelling in METHODS:
        stage = parse(spelling).retrieval
        assert isinstance(stage, Chunked)
        made, took = (
            blending.read(ids, stage),
            seconds(lambda stage=stage: blending.read(ids, stage), given.repeats),
        )  # type: ignore[misc]
        off, kl = losses(made.snapshot, dense)
        found[spelling] = {
            "of_dense": round(took / dense_s, 3),
            "flops": round(made.flops / made.dense_flops, 3),
            "values_off": off,
            "kl": kl,
        }
        print(
            f"{spelling:40} {took:7.2f} {took / dense_s:8.2f} {made.flops / made.dense_flops:7.3f} "
            f"{off:10.4f} {kl:8.4f}",
            flush=True,
        )
    print(
        json.dumps(
            {
                "model": engine.facts.name,
                "tokens": len(ids),
                "threads": torch.get_num_threads(),
                "dense_s": dense_s,
                "found": found,
            }
        )
    )
    return int(found["cacheblend"]["of_dense"] > given.most)


if __name__ == "__main__":
    sys.exit(main())
