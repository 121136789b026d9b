"""Compares the two sides of the cross-check: a table, method x model, and one JSON line. Exit code
1 for a difference nobody has explained.

    python benchmarks/crosscheck_kvpress/compare.py FOLDER

A cell is the share of kept slots in common, the least over the budgets: `=` if all are, else what
accounts for the rest: `rule` (kvpress's rule on our scores keeps exactly what kvpress keeps), `tie`
(it does but for slots whose scores are equal to 1 in 100,000), or `DIFFERS`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

TIE = 1e-5  # relative
ORDER = ("=", "tie", "rule", "rule, tie", "DIFFERS")


def main() -> None:
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    versions = json.loads((folder / "theirs.json").read_text(encoding="utf-8"))
    ours, theirs = load_file(folder / "ours.safetensors"), load_file(folder / "theirs.safetensors")
    models = [told["name"] for told in plan["models"]]
    apart = {
        name: float((ours[f"{name}/keys"] - theirs[f"{name}/keys"]).abs().max()) for name in models
    }
    rows: dict[tuple[str, str, str], dict[str, tuple[float, str]]] = {}
    for case in plan["cases"]:
        found = verdict(case, ours, theirs[f"{case['key']}/kept"])
        row = rows.setdefault((case["method"], case["setting"], case["rule"]), {})
        before = row.get(case["model"], (1.0, "="))
        row[case["model"]] = (min(before[0], found[0]), max(before[1], found[1], key=ORDER.index))
    show(plan, versions, models, rows, apart)
    bad = [key for key, row in rows.items() if any(word == "DIFFERS" for _, word in row.values())]
    far = [name for name in models if not apart[name] < 1e-3]
    line = {
        "benchmark": "crosscheck_kvpress",
        "versions": versions,
        "tokens": plan["tokens"],
        "budgets": sorted({case["share"] for case in plan["cases"]}),
        "cases": len(plan["cases"]),
        "exact": sum(word == "=" for row in rows.values() for _, word in row.values()),
        "cells": sum(map(len, rows.values())),
        "unexplained": [list(key) for key in bad],
        "keys_apart": {name: round(x, 7) for name, x in apart.items()},
        "rows": [
            {
                "method": method,
                "setting": setting,
                "rule": rule,
                **{name: [round(x, 4), word] for name, (x, word) in row.items()},
            }
            for (method, setting, rule), row in rows.items()
        ],
    }
    print(json.dumps(line))
    sys.exit(1 if bad or far else 0)


def verdict(case: dict[str, Any], ours: dict[str, Tensor], theirs: Tensor) -> tuple[float, str]:
    """The share of slots in common, and what accounts for the rest."""
    kept, by_rule, scores = (
        ours[f"{case['key']}/{word}"] for word in ("kept", "by_rule", "scores")
    )
    share = 2 * int((kept & theirs).sum()) / (int(kept.sum()) + int(theirs.sum()))
    if kept.equal(theirs):
        return share, "="
    ruled = "rule" if case["rule"] else ""
    if by_rule.equal(theirs):
        return share, ruled
    if only_ties(by_rule, theirs, scores, shared=case["shared_by_heads"]):
        return share, ", ".join(filter(None, (ruled, "tie")))
    return share, "DIFFERS"


def only_ties(mask: Tensor, other: Tensor, scores: Tensor, *, shared: bool) -> bool:
    """Whether two masks of as many slots differ only where scores are nearly equal, within each
    ranking.
    """
    triples = [x.flatten(1) if shared else x.flatten(0, 1) for x in (mask, other, scores)]
    for one, two, score in zip(*triples, strict=True):
        swapped = score[one != two]
        if int(one.sum()) != int(two.sum()) or not bool(swapped.isfinite().all()):
            return False
        if len(swapped) and float(swapped.max() - swapped.min()) > TIE * float(swapped.abs().max()):
            return False
    return True


def show(
    plan: dict[str, Any],
    versions: dict[str, str],
    models: list[str],
    rows: dict[tuple[str, str, str], dict[str, tuple[float, str]]],
    apart: dict[str, float],
) -> None:
    print(
        f"kvpress {versions['kvpress']} on transformers {versions['transformers']}; "
        f"{plan['tokens']} tokens, budgets 1/8, 1/4, 1/2"
    )
    titles = [f"{method}: {setting}" for method, setting, _ in rows]
    wide = max(map(len, titles))
    print(f"{'':{wide}} " + " ".join(f"{name.removeprefix('tiny-'):>15}" for name in models))
    for title, row in zip(titles, rows.values(), strict=True):
        cells = [
            "=" if word == "=" else f"{share:.3f} {word}"
            for share, word in (row[name] for name in models)
        ]
        print(f"{title:{wide}} " + " ".join(f"{cell:>15}" for cell in cells))
    print(
        f"{'keys of the last layer, largest difference':{wide}} "
        + " ".join(f"{apart[name]:>15.1e}" for name in models)
    )


if __name__ == "__main__":
    main()
