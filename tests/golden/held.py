"""What every method holds of one fixed context: positions per layer and KV head, bytes, logits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from golden.grid import HELD
from golden.models import engine
from golden.play import Row
from scbench.engines.contract import Feed
from scbench.methods import parse
from scbench.methods.fork import fork

CONTEXT_TOKENS = 256
VOTES = 1e-5  # two votes at the boundary closer than this are a near tie ...
SHARE = 1e-4  # ... and, where votes are small, this share of them
PROBES = 8  # logits that are kept, at fixed ids
THEN = (
    (11, 5, 17, 29, 3, 41, 7),
    (13,),
    (2,),
    (31,),
    (19,),
    (23,),
)  # what is appended, piece by piece


def held(model: str, methods: Sequence[str] = (), noise: int = 0) -> list[Row]:
    """A row for every method that acts on a cache which was read in one piece."""
    local, rows = engine(model, noise), list[Row]()
    words = local.facts.shape
    vocabulary = 250 if model.startswith("tiny-") else 100
    ids = [(7919 * (at + 1) + at // 7) % vocabulary + 1 for at in range(CONTEXT_TOKENS)]
    chosen = [parse(text) for text in methods or HELD[model]]
    chosen = [
        m
        for m in chosen
        if not (
            m.retrieval.traits.is_pooled
            or m.retrieval.traits.is_blended
            or m.generation.traits.is_rewriting
        )
    ]
    together: dict[Any, list[Any]] = {}
    for method in chosen:
        together.setdefault(method.generation, []).append(method)
    for generation, group in together.items():
        needs = frozenset().union(*(method.needs for method in group))
        try:
            for method in group:
                method.check(shape=words, tokens=CONTEXT_TOKENS)
            # A reading that comes with its eviction is left out: that eviction alone is held here.
            is_chosen = any(generation is stage for stage in group[0].chosen)
            pattern = generation if is_chosen else None
            snapshot = local.read(ids, pattern=pattern, needs=needs)
        except Exception as error:
            rows += [failure(model, method, error) for method in group]
            continue
        for method in group:
            try:
                rows.append(row_of(model, local, snapshot, method))
            except Exception as error:
                rows.append(failure(model, method, error))
        snapshot.release()
    return sorted(rows, key=lambda row: str(row["method"]))


def failure(model: str, method: Any, error: Exception) -> Row:
    return {
        "part": f"held:{model}",
        "method": str(method),
        "at": "context",
        "failure": type(error).__name__,
    }


@torch.inference_mode()
def row_of(model: str, local: Any, snapshot: Any, method: Any) -> Row:
    stream = fork(snapshot, method)
    heads = range(local.facts.shape.kv_heads)
    kept = positions(stream, heads)
    row = {
        "part": f"held:{model}",
        "method": str(method),
        "at": "context",
        "kept": kept,
        "near": near(snapshot, stream, method, heads),
        "held_bytes": stream.held_bytes(),
        "shared_bytes": stream.shared_bytes(),
    }
    rows_V = [local.advance([Feed(stream, piece)])[0] for piece in THEN]
    at = torch.linspace(1, snapshot.logits_V.numel() - 1, PROBES).long()
    return {
        **row,
        "kept_later": positions(stream, heads),
        "held_bytes_later": stream.held_bytes(),
        "loaded_bytes": stream.loaded_bytes,
        "moved_bytes": stream.moved_bytes,
        "logits": [round(float(x), 5) for logits_V in rows_V for x in logits_V[at]],
    }


def positions(stream: Any, heads: Iterable[int]) -> dict[str, str]:
    """'layer.head' -> runs of positions, such as 0-3,17,40-63."""
    return {
        f"{layer}.{head}": spelled(stream.positions(layer, head).tolist())
        for layer in stream.layers
        for head in heads
    }


def spelled(positions: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for at in positions:
        if runs and runs[-1][1] == at - 1:
            runs[-1][1] = at
        else:
            runs.append([at, at])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def unspelled(text: str) -> set[int]:
    found: set[int] = set()
    for run in filter(None, text.split(",")):
        first, _, last = run.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def near(snapshot: Any, stream: Any, method: Any, heads: Iterable[int]) -> dict[str, str]:
    """'layer.head' -> slots whose vote nearly ties with the last that was kept."""
    eviction, found = method.eviction, dict[str, str]()
    if eviction is None:
        return found
    for layer in stream.layers:
        view = snapshot.view(layer)
        try:
            ranks_HS = getattr(eviction, "inner", eviction).rank(view).float()
        except (NotImplementedError, AssertionError):
            return {}
        for head in heads:
            row_S, slots = ranks_HS[head], len(stream.positions(layer, head))
            if 0 < slots < len(row_S):
                order = row_S.sort(descending=True).values
                last, first = float(order[slots - 1]), float(order[slots])
                if abs(last - first) < min(VOTES, SHARE * abs(last)):
                    close = (row_S - last).abs() < min(VOTES, SHARE * abs(last))
                    found[f"{layer}.{head}"] = spelled(close.nonzero()[:, 0].tolist())
    return found


def apart_slots(near: dict[str, str], was: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """`near` with the slots in which two sets of positions differ."""
    found = dict(near)
    for head in was:
        more = unspelled(was[head]) ^ unspelled(now[head])
        if more:
            found[head] = spelled(sorted(more | unspelled(near.get(head, ""))))
    return found
