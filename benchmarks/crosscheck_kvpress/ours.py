"""One side of the cross-check: makes the models and the ids, and writes what our methods keep. Runs
in scbench's environment.

    python benchmarks/crosscheck_kvpress/ours.py FOLDER [--tokens 603] [--kvpress-site FOLDER] [--without-smollm2]

Writes plan.json, a folder per model, and ours.safetensors: per case the kept slots as a mask
(layers, KV heads, tokens), the same under the rule of kvpress, and the scores of the latter.
`--kvpress-site` is a site-packages folder with kvpress, for the rows of the adapter.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from cases import SHARES, Case, cases
from rules import RULES
from safetensors.torch import save_file
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from scbench.engines.load import load
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import MissingExtra, Unknown
from scbench.kv import LayerView
from scbench.methods import parse
from scbench.methods.contract import COLUMN_SUMS, QUERY_MOMENTS, WINDOW

TINY = ("mha", "gqa", "mqa", "qwen2", "qwen3", "mistral", "phi3")
TEXT = Path(__file__).parents[2] / "LICENSE"


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("folder", type=Path)
    words.add_argument(
        "--tokens",
        type=int,
        default=603,
        help="no multiple of 8, so that budgets have to be rounded",
    )
    words.add_argument("--kvpress-site", type=Path)
    words.add_argument("--without-smollm2", action="store_true")
    given = words.parse_args()
    if given.kvpress_site:
        sys.path.append(
            str(given.kvpress_site)
        )  # behind our own packages: only what is missing here is found there
    disable_progress_bar()
    plan: dict[str, Any] = {"tokens": given.tokens, "models": [], "cases": []}
    tensors: dict[str, Tensor] = {}
    for engine, ids in models(given.tokens, smollm2=not given.without_smollm2):
        name, folder = engine.facts.name, given.folder / engine.facts.name
        engine.model.save_pretrained(folder)
        plan["models"].append({"name": name, "ids": ids})
        snapshot = engine.read(ids, needs=(WINDOW, COLUMN_SUMS, QUERY_MOMENTS))
        views = [snapshot.view(layer) for layer in snapshot.layers]
        tensors[f"{name}/keys"] = views[-1].k_HSD.contiguous()
        for share in SHARES:
            for case in cases(given.tokens, share, adapter=given.kvpress_site is not None):
                key = f"{name}/{len(plan['cases'])}"
                plan["cases"].append(
                    {"key": key, "model": name, "share": str(share), **asdict(case)}
                )
                tensors |= {
                    f"{key}/{word}": x for word, x in kept_by_us(case, engine, views).items()
                }
    (given.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    save_file(tensors, given.folder / "ours.safetensors")


def models(tokens: int, *, smollm2: bool) -> list[tuple[LocalEngine, list[int]]]:
    """Engines and what they read. The random ones read random ids; the biases of qwen2, at zero in
    a fresh model, and the key norms of qwen3, which give every key the same length, are drawn too.
    """
    draw, found = torch.Generator().manual_seed(1), []
    for kind in TINY:
        engine = tiny(kind)
        for word, x in engine.model.named_parameters():
            if word.endswith("_proj.bias"):
                x.data.normal_(0, 0.5, generator=draw)
            elif word.endswith("_norm.weight") and "self_attn" in word:
                x.data.uniform_(0.5, 1.5, generator=draw)
        found.append(
            (engine, torch.randint(1, engine.config.vocab_size, (tokens,), generator=draw).tolist())
        )
    if smollm2:
        try:
            engine = load("smollm2-135m")
        except (MissingExtra, Unknown) as err:
            print(f"left out: {err}", file=sys.stderr)
        else:
            found.append(
                (
                    engine,
                    list(engine.tokenizer.encode(TEXT.read_text(encoding="utf-8")).ids[:tokens]),
                )
            )
    return found


def kept_by_us(case: Case, engine: LocalEngine, views: list[LayerView]) -> dict[str, Tensor]:
    method = parse(case.ours)
    method.check(shape=engine.facts.shape, tokens=views[0].tokens)
    assert method.eviction is not None
    args: Any = case.press.get("press", case.press)
    by_rule = [RULES[case.rule](method.eviction, view, args["args"]) for view in views]
    return {
        "kept": masks([method.eviction.keep(view) for view in views], views),
        "by_rule": masks([kept for _, kept in by_rule], views),
        "scores": torch.stack([scores.float() for scores, _ in by_rule]),
    }


def masks(kept: list[list[Tensor]], views: list[LayerView]) -> Tensor:
    found = torch.zeros(len(views), *views[0].k_HSD.shape[:2], dtype=torch.bool)
    for layer, heads in enumerate(kept):
        for head, slots in enumerate(heads):
            found[layer, head, slots] = True
    return found


if __name__ == "__main__":
    main()
