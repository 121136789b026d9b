"""What the report tests are made of: four methods, their stages, what they cost, and a manifest
with traps.
"""

from __future__ import annotations

from pathlib import Path

from scbench.grid.settings import Settings
from scbench.ledger.manifest import manifest

STAGES = {
    "dense": ("reference", "full attention"),
    "a-shape": ("generation", "sparse attention"),
    "snapkv[tau=1/32]": ("compression", "KV dropping"),
    "quest": ("loading", "KV loading"),
}
CHANCES = {
    "dense": lambda t: 0.93,
    "quest": lambda t: 0.85,
    "a-shape": lambda t: 0.6,
    "snapkv[tau=1/32]": lambda t: 0.8 - 0.2 * t,
}
TASKS = ("kv", "vt", "qa_chn", "summary", "summary_with_needles", "repoqa_and_kv")
HELD = {"dense": 10_000_000, "snapkv[tau=1/32]": 320_000}
COSTS = [
    {
        "model": "toy",
        "method": method,
        "length_tokens": 1024,
        "prefill_s": [0.51, 0.5, 0.53],
        "tpot_s": 0.021,
        "held_bytes": HELD.get(method, 10_000_000),
        "dense_bytes": 10_000_000,
        "peak_bytes": 3 * 2**30,
        "estimated": ["peak_bytes"],
    }
    for method in CHANCES
]
FOLDER = Path("my runs") / "one"
SETTINGS = Settings(models=("toy",), tasks=("kv",), methods=tuple(CHANCES), out=FOLDER)
ARGV = ["/usr/bin/scbench", "run", "--tasks", "kv", "--methods", "snapkv[tau=1/32],quest"]
COMMAND = "scbench run --tasks kv --methods 'snapkv[tau=1/32],quest'"
MANIFEST = {
    "format": 2,
    "id": "2026-01-01-0123abcd",
    "runs": [manifest(SETTINGS, given=("tasks", "methods"), argv=ARGV)],
}
MANIFEST["runs"][-1]["models"].append({"name": "</script><b>x", "gpu": None})  # type: ignore[index]
