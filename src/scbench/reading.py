"""The one door for JSON from outside: limits of size, depth and numbers before anything is kept.

A leaf like `types` and `errors`. `msgspec` refuses what is no JSON, NaN, lone surrogates and
numbers beyond a double; this adds what a hostile or broken file could still do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from scbench.errors import BadRecord

MOST_BYTES = 1 << 30  # of one file or line; the longest published row has some 40 MiB
MOST_DEPTH = 64  # of arrays and objects in each other; ours have at most 8
LEAST_INT, MOST_INT = -(1 << 63), (1 << 63) - 1  # what tables and other languages can hold
# A text without its closing quote reaches to the end: else each quote in it would be tried anew.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_DIGITS = re.compile(rb"[0-9]{19,}")


def read_json(
    text: bytes, where: str, *, most_bytes: int = MOST_BYTES, lenient: bool = False
) -> Any:
    """The value of a JSON text. Raises BadRecord, which names `where` and the limit.

    `lenient` is for files that others wrote and read with Python's own reader (configurations of
    models, answers of other programs): NaN, Infinity, lone surrogates and whole numbers beyond 64
    bits are taken there; the limits of size and depth hold.
    """
    check(text, where, most_bytes=most_bytes)
    try:
        value = json.loads(text.decode("utf-8")) if lenient else msgspec.json.decode(text)
    except (ValueError, RecursionError) as err:
        raise BadRecord(f"{where} is not JSON ({err})") from err
    if not lenient and _DIGITS.search(text):
        _check_numbers(value, where)
    return value


def read_json_file(path: Path, *, most_bytes: int = MOST_BYTES, lenient: bool = False) -> Any:
    """The value of a JSON file. Raises BadRecord, OSError if the file cannot be opened."""
    where = repr(str(path))
    if (size := path.stat().st_size) > most_bytes:
        raise BadRecord(f"{where} has {size:,} bytes; at most {most_bytes:,} are read")
    return read_json(path.read_bytes(), where, most_bytes=most_bytes, lenient=lenient)


def check(text: bytes, where: str, *, most_bytes: int = MOST_BYTES) -> None:
    """Raise BadRecord for a text beyond the limits of size and depth; it need not be JSON."""
    if len(text) > most_bytes:
        raise BadRecord(f"{where} has {len(text):,} bytes; at most {most_bytes:,} are read")
    # Counting all brackets, those in texts too, is quick and settles all but odd cases.
    if text.count(b"[") + text.count(b"{") <= MOST_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(_STRING.sub(b"", text)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise BadRecord(f"{where} is nested deeper than {MOST_DEPTH} levels")


def _check_numbers(value: object, where: str) -> None:
    if type(value) is int and not LEAST_INT <= value <= MOST_INT:
        raise BadRecord(f"{where} holds the whole number {value}, beyond 64 bits")
    if isinstance(value, dict):
        for item in value.values():
            _check_numbers(item, where)
    elif isinstance(value, list):
        for item in value:
            _check_numbers(item, where)
