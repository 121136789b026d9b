"""The files of published rows: where they lie, how they come from the hub, what each line holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scbench.errors import BadRecord, BadRow, MissingExtra, Unknown
from scbench.reading import read_json
from scbench.tasks.contract import Task

OFFICIAL = "official"
HUB = "microsoft/SCBench"
Row = Mapping[str, Any]


def places(config: str) -> tuple[str, ...]:
    """Where a config's rows may lie in a folder, best first."""
    return (
        f"{config}/test-00000-of-00001.parquet",
        f"{config}.parquet",
        f"data/{config}.jsonl",
        f"{config}.jsonl",
    )


def found_in(kind: Task, source: Path) -> Path:
    if source.is_file():
        if source.suffix not in (".jsonl", ".parquet"):
            raise Unknown(
                f"{source} is neither .jsonl nor .parquet, so it cannot be read as published rows"
            )
        return source
    found = [source / place for place in places(kind.config) if (source / place).is_file()]
    if not found:
        raise Unknown(
            f"{source} has no published rows of {kind.name}; looked for "
            f"{', '.join(places(kind.config))}. "
            f'Give a folder that has one of these, or "{OFFICIAL}" to download them'
        )
    return found[0]


def downloaded(kind: Task) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as err:
        raise MissingExtra(
            "published data are downloaded by the package huggingface_hub, which is not installed; "
            "run: pip install huggingface_hub"
        ) from err
    name = places(kind.config)[0]
    try:
        return Path(hf_hub_download(repo_id=HUB, repo_type="dataset", filename=name))
    except Exception as err:  # the hub's own tree of errors, and those of its transport
        raise Unknown(
            f"{name} of {HUB} is not in the local cache and could not be downloaded "
            f"({type(err).__name__}: {str(err).splitlines()[0]}). With a network: huggingface-cli "
            f"download {HUB} --repo-type dataset --include '{kind.config}/*' --local-dir FOLDER; "
            f"then give FOLDER as data"
        ) from err


def rows_of(path: Path) -> Iterator[Row | BadRow]:
    """Every row of the file, or why one cannot be read. Raises BadRow for a file that cannot."""
    if path.suffix == ".jsonl":
        yield from _lines(path)
        return
    import polars

    # A damaged file can make the reader written in Rust panic, which is no Exception in Python.
    panics = (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError)
    rows = 0
    try:
        for row in polars.read_parquet(path).iter_rows(named=True):
            yield row
            rows += 1
    except panics as err:
        why = (str(err).splitlines() or [type(err).__name__])[0]
        raise BadRow(
            f"{path} cannot be read as parquet after {rows} rows: {why}; is it whole, and no "
            "git-lfs pointer?"
        ) from err


def _lines(path: Path) -> Iterator[Row | BadRow]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _row(line, f"{path} line {number}")


def _row(line: bytes, where: str) -> Row | BadRow:
    try:
        row = read_json(line, where)
    except BadRecord as err:
        return BadRow(str(err))
    if not isinstance(row, dict):
        kind = type(row).__name__
        return BadRow(f"{where} must be an object with 'context' and 'multi_turns', it is {kind}")
    return row


def sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as err:
        raise BadRow(f"{path} cannot be read: {err.strerror}") from err
