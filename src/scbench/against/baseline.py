"""A baseline in one small file: the items of a run and what made them, for a repository's CI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from scbench.against.likeness import Likeness, plain
from scbench.errors import BadRecord
from scbench.files import sealed, unsealed, write_atomically
from scbench.reading import MOST_BYTES, read_json
from scbench.stats.frame import SETTING
from scbench.stats.two_runs import ITEM, PLACE

KIND = "scbench baseline"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a run answered, item by item (`stats.two_runs.ITEM`), and what it was made with."""

    items: pl.DataFrame
    likeness: Likeness


def write_baseline(path: Path, one: Baseline) -> None:
    """Write it as JSON that ends in a checksum: a line an item. Raises CannotWrite."""
    head = {
        "kind": KIND,
        "format": FORMAT,
        "made_with": plain(one.likeness),
        "columns": one.items.columns,
    }
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in one.items.iter_rows())
    text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    write_atomically(path, sealed(f'{text},\n "rows": [\n  {rows}\n ]\n}}'.encode()) + b"\n")


def read_baseline(path: Path) -> Baseline:
    """What `write_baseline` wrote. Raises BadRecord for anything else."""
    where = repr(str(path))
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BadRecord(f"{where} has {size:,} bytes; at most {MOST_BYTES:,} are read")
        text, has_crc = unsealed(path.read_bytes(), where)
        held = read_json(text, where)
        if not has_crc or held["kind"] != KIND or held["format"] != FORMAT:
            raise ValueError("it does not say that it is one, in a format this version reads")
        return Baseline(items=_items(held), likeness=_likeness(held["made_with"]))
    except OSError as err:
        why = err.strerror or str(err)
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as err:
        why = f"{type(err).__name__}: {err}"
    raise BadRecord(
        f"{where} is no baseline ({why}); give the folder of a run, or what `scbench gate RUN "
        "--write-baseline FILE` wrote"
    )


def _items(held: Mapping[str, Any]) -> pl.DataFrame:
    if held["columns"] != list(ITEM):
        raise ValueError(f"its columns are not {', '.join(ITEM)}")
    items = pl.DataFrame(held["rows"], schema=ITEM, orient="row")
    if items.filter(pl.col("strict").is_between(0.0, 1.0).not_()).height:
        raise ValueError("a score lies outside 0..1")
    if items.select(SETTING + PLACE).is_duplicated().any():
        raise ValueError("an item stands there twice")
    return items


def _likeness(held: Mapping[str, Any]) -> Likeness:
    if set(held) != {field.name for field in fields(Likeness)}:
        raise ValueError("made_with has other fields than this version writes")
    return Likeness(**{name: tuple(map(str, texts)) for name, texts in held.items()})
