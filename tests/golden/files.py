"""The recorded rows: gzipped JSON lines, a file for each part."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from golden.play import Row

DATA = Path(__file__).parent / "data"


def path_of(part: str) -> Path:
    return DATA / f"{part.replace(':', '-')}.jsonl.gz"


def read(part: str) -> list[Row]:
    with gzip.open(path_of(part), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(part: str, rows: list[Row]) -> None:
    DATA.mkdir(exist_ok=True)
    text = "".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows
    )
    path_of(part).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def plain(rows: list[Row]) -> list[Row]:
    """Rows as they come back from a file."""
    return [json.loads(json.dumps(row)) for row in rows]
