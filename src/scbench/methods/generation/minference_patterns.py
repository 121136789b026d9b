"""Which sparse pattern each query head has: a table found offline, kept as JSON in the format of
the published per-model files.

A file is a list with one object per attention layer; an object maps a query head's number to [type,
first, second, score]:

    ["vertical_and_slash", columns, offsets, score]
    ["stream_llm", sinks, band, score]
    ["block_sparse", key blocks per query block, 0, score]

Published files (github.com/microsoft/MInference, minference/configs) are read as they are. `score`
is the attention kept when the table was made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from scbench.errors import BadConfig, BadRecord
from scbench.reading import read_json_file

VERTICAL_SLASH, STREAM, BLOCKS = "vertical_and_slash", "stream_llm", "block_sparse"
KINDS = (VERTICAL_SLASH, STREAM, BLOCKS)
BLOCK_TOKENS = 64
MOST_BYTES = 64 << 20  # of a file; published ones have some 50 KiB


@dataclass(frozen=True, slots=True)
class HeadPattern:
    """One query head's pattern. `first` and `second`: columns and offsets, sinks and band, or key
    blocks per query block and nothing.
    """

    kind: str
    first: int
    second: int
    score: float = 0.0

    @property
    def keys(self) -> int:
        """Keys a row is meant to see."""
        return self.first * BLOCK_TOKENS if self.kind == BLOCKS else self.first + self.second

    def scaled(self, factor: Fraction) -> HeadPattern:
        """The same kind with sizes times `factor`, at least 4 and 16 (one block: the row's own)."""
        first, second = (
            int(self.first * factor + Fraction(1, 2)),
            int(self.second * factor + Fraction(1, 2)),
        )
        if self.kind == BLOCKS:
            return HeadPattern(self.kind, max(1, first), 0, self.score)
        return HeadPattern(self.kind, max(4, first), max(16, second), self.score)


Table: TypeAlias = Sequence[
    Mapping[int, HeadPattern]
]  # one mapping per attention layer; a head that is not listed has the default


def read(path: str) -> Table:
    """The table in a JSON file. Raises BadConfig if there is none, or it is not one, naming layer
    and head.
    """
    try:
        file = Path(path).expanduser()
    except RuntimeError as err:  # "~name" of nobody
        raise BadConfig(f"there is no pattern file {path!r}: {err}") from err
    if not file.is_file():
        raise BadConfig(
            f"there is no pattern file {path!r}; make one with `scbench search-patterns MODEL "
            f"--out FILE`"
        )
    return _read(str(file), file.stat().st_mtime_ns)


def digest(path: str) -> str:
    """SHA-256 of the file."""
    return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()


def written(table: Table) -> str:
    """A table as the text of a JSON file, one layer a line."""
    lines = [
        json.dumps({str(head): [p.kind, p.first, p.second, p.score] for head, p in layer.items()})
        for layer in table
    ]
    return "[" + ",\n ".join(lines) + "]\n"


@lru_cache(maxsize=16)
def _read(path: str, changed_ns: int) -> Table:
    try:
        layers = read_json_file(Path(path), most_bytes=MOST_BYTES)
    except (OSError, BadRecord) as err:
        raise BadConfig(f"the pattern file {path!r} cannot be read: {err}") from err
    if (
        not isinstance(layers, list)
        or not layers
        or not all(isinstance(layer, dict) for layer in layers)
    ):
        raise BadConfig(
            f"the pattern file {path!r} must be a list with one object per attention layer"
        )
    return tuple(
        {
            _head(head, path, at): _pattern(
                entry, f"the pattern file {path!r}, layer {at}, head {head}"
            )
            for head, entry in layer.items()
        }
        for at, layer in enumerate(layers)
    )


def _head(text: str, path: str, layer: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise BadConfig(
            f"the pattern file {path!r}, layer {layer}: {text!r} is not the number of a query head"
        )
    return int(text)


def _pattern(entry: Any, where: str) -> HeadPattern:
    if not isinstance(entry, list) or len(entry) < 3 or entry[0] not in KINDS:
        raise BadConfig(
            f"{where}: {entry!r} is not [type, first, second, score] with a type of "
            f"{', '.join(KINDS)}"
        )
    kind, first, second = entry[:3]
    if not (
        isinstance(first, int)
        and isinstance(second, int)
        and first >= (kind == BLOCKS)
        and second >= 0
    ):
        raise BadConfig(
            f"{where}: sizes {first!r} and {second!r} are not counts of keys (or of blocks, at "
            f"least 1)"
        )
    score = entry[3] if len(entry) > 3 else 0.0
    if not isinstance(score, int | float):
        raise BadConfig(f"{where}: its score {score!r} is not a number")
    return HeadPattern(kind, first, second, float(score))
