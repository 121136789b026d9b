"""The user's cache folder: what scbench can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Where scbench keeps what it can make again: converted weights, remembered digests."""
    chosen = os.environ.get("SCBENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scbench"
