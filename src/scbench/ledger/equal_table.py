"""What `--equal-bytes` decided, as values and as `equal-bytes.json` in the run's folder. Read by
reports, so no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from scbench.errors import BadRecord
from scbench.files import cannot_write, sealed, unsealed, write_atomically
from scbench.reading import read_json
from scbench.types import Equal

NAME = "equal-bytes.json"
MET, BELOW, OUT, REFERENCE = "met", "below", "left out", "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One method that was asked for. `held_bytes` are those of `played`, or, left out, the least it
    can hold (None: nobody could measure it).
    """

    asked: str
    played: str | None
    # met: under the target by less than a token; below: by more; left out: nothing under it;
    # reference: dense
    verdict: str
    held_bytes: int | None
    why: str = ""
    spelling: str = ""  # of `played`, as `parse` reads it: files with their paths


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualBytes:
    """All methods at one length, on one sample. `key` covers everything the solution depends on."""

    key: str
    share: str
    length_tokens: int
    context_tokens: int  # of the sample
    reference_bytes: int  # what dense holds, or loads, counted in the accounting dtype
    dense_bytes: int  # the dense cache as this machine holds it
    token_bytes: int  # one token in all layers and KV heads, as it counts
    rows: tuple[Fitted, ...]
    model: str = ""
    what: str = "context"  # types.Equal: what is equal

    @property
    def target_bytes(self) -> int:
        return target(self.share, self.reference_bytes)

    @property
    def methods(self) -> tuple[str, ...]:
        """Spellings to play, each once."""
        rows = [row for row in self.rows if row.played is not None]
        return tuple(dict.fromkeys(row.spelling or str(row.played) for row in rows))

    @property
    def gaps(self) -> list[str]:
        """A line for each method that is left out."""
        at = f"{self.length_tokens:,} tokens" if self.length_tokens else "their own lengths"
        what = "loaded bytes" if self.what == Equal.LOADED else "bytes"
        return [
            f"equal {what} at {at}: {row.asked} is left out: {row.why}"
            for row in self.rows
            if row.verdict == OUT
        ]


def target(share: str, reference_bytes: int) -> int:
    """Whole bytes that a share allows."""
    return int(Fraction(share) * reference_bytes)


def write(folder: Path, found: Iterable[EqualBytes]) -> None:
    """Keep what the last command decided. Raises CannotWrite."""
    whole = {"format": 2, "tables": [asdict(one) for one in found]}
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    write_atomically(folder / NAME, sealed(text.encode()) + b"\n")


def forget(folder: Path) -> None:
    """The last command decided nothing. Raises CannotWrite."""
    path = folder / NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise cannot_write(err, path) from err


def read(folder: Path) -> list[EqualBytes]:
    """What the last command decided; empty where there was nothing to decide. Raises BadRecord for
    a damaged file.
    """
    path = folder / NAME
    where = repr(str(path))
    if not path.exists():
        return []
    try:
        text, has_crc = unsealed(path.read_bytes(), where)
        held = read_json(text, where)
        if isinstance(held, dict) is not has_crc:
            raise ValueError("it has no checksum")
        return [_read(one) for one in (held["tables"] if has_crc else held)]
    except (OSError, ValueError, TypeError, KeyError, BadRecord) as err:
        raise BadRecord(
            f"{where} is damaged ({err}); remove it, the next run writes it again"
        ) from err


def _read(one: dict[str, Any]) -> EqualBytes:
    return EqualBytes(**{**one, "rows": tuple(Fitted(**row) for row in one["rows"])})
