"""Head gates in a file: one number per KV head, bound to the model they were made for.

`scbench search-gates` writes an object with `gates` (a list per attention layer of one number per
KV head), `model` (its name), `digest` (of the model, as the engine knows it:
CacheShape.model_digest) and `made` (how). A bare list of lists, such as a table of published gates
turned into JSON, is read too; nothing binds that to a model but its shape.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from scbench.errors import BadConfig, BadRecord, Mismatch
from scbench.kv import CacheShape
from scbench.reading import read_json_file

MOST_BYTES = 64 << 20  # of a file; one of our own has some 20 KiB
MAKE = "`scbench search-gates MODEL --out FILE`"
FORM = (
    "a gates file is JSON, one list per attention layer with one number per KV head, as "
    + MAKE
    + " writes it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadGates:
    """`rows`: per attention layer a gate per KV head; `model` and `digest` are "" where nothing
    says whose they are.
    """

    rows: tuple[tuple[float, ...], ...]
    model: str = ""
    digest: str = ""
    made: Mapping[str, object] = field(default_factory=dict)

    def check(self, shape: CacheShape, what: str) -> None:
        """Raise Mismatch unless these are gates of the model with this shape."""
        heads = [layer.kv_heads for layer in shape.attending]
        of_model = f" (it was made for {self.model})" if self.model else ""
        if [len(row) for row in self.rows] != heads:
            told = " or ".join(map(str, dict.fromkeys(heads))) or "no"
            raise Mismatch(
                f"{what}: the file must have {len(heads)} lists of {told} gates for this "
                f"model{of_model}; make one with {MAKE}"
            )
        if self.digest and shape.model_digest and self.digest != shape.model_digest:
            raise Mismatch(
                f"{what}: the file has the gates of another model{of_model}: its digest is "
                f"{self.digest[:12]}, that of this model {shape.model_digest[:12]}; make this "
                f"model's own with {MAKE}"
            )

    def text(self) -> str:
        """The file, one layer a line."""
        rows = ",\n  ".join(json.dumps([round(gate, 4) for gate in row]) for row in self.rows)
        head = {
            "model": self.model,
            "digest": self.digest,
            "layers": len(self.rows),
            "heads": len(self.rows[0]),
            "made": self.made,
        }
        return json.dumps(head, indent=1)[:-2] + f',\n "gates": [\n  {rows}\n ]\n}}\n'


def read(path: str) -> HeadGates:
    """The gates in a JSON file. Raises BadConfig if there is none, or it is not one."""
    try:
        file = Path(path).expanduser()
        return _read(str(file), file.stat().st_mtime_ns, file.stat().st_size)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, BadRecord) as err:
        raise BadConfig(f"duo-attention[gates={path}]: {err}; {FORM}") from err


def digest(path: str) -> str:
    """SHA-256 of what a file says."""
    return hashlib.sha256(read(path).text().encode()).hexdigest()


@lru_cache(maxsize=16)
def _read(path: str, changed_ns: int, size_bytes: int) -> HeadGates:
    found = read_json_file(Path(path), most_bytes=MOST_BYTES)
    if isinstance(found, list):
        return HeadGates(rows=_rows(found))
    if not isinstance(found, dict):
        raise ValueError(f"it holds {found!r:.40}")
    if "gates" not in found:
        raise ValueError(f"it has no gates but {', '.join(map(repr, found)) or 'nothing'}")
    return HeadGates(
        rows=_rows(found["gates"]),
        model=str(found.get("model", "")),
        digest=str(found.get("digest", "")),
        made=dict(found.get("made", {})),
    )


def _rows(found: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    rows = tuple(tuple(float(gate) for gate in row) for row in found)
    if not rows or not all(rows):
        raise ValueError("a layer has no gates")
    if not all(math.isfinite(gate) for row in rows for gate in row):
        raise ValueError("a gate is not a finite number")
    return rows
