"""Strict rule of Retr.MultiHop: set F1 over the variable names the answer gives."""

from __future__ import annotations

import re

from scbench.scoring.rules import STRICT
from scbench.types import Score, Wanted

_NAME = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]*(?![A-Za-z0-9_])")


def multihop(prediction: str, wanted: Wanted) -> Score:
    """2 * hits / (candidates + golds); candidates are capital names as long as some gold name. Side
    value: `exact` set equality.
    """
    golds = set(wanted.golds)
    lengths = {len(name) for name in golds}
    found = {name for name in _NAME.findall(prediction) if len(name) in lengths}
    hits = len(found & golds)
    value = 2 * hits / (len(found) + len(golds)) if hits else 0.0
    read = " ".join(sorted(found))[:200]
    return Score(
        value=value,
        rule=STRICT,
        read=read,
        why=f"{hits} of {len(golds)} names",
        side={"exact": float(found == golds)},
    )
