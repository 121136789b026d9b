"""The identity of a cell: a digest over everything that can move one of its numbers, so that
changed settings never meet old answers.

Where in doubt a thing belongs in: a key that differs without need costs a rerun, a key that agrees
without right costs the truth.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from itertools import product
from pathlib import Path

from scbench.errors import BadConfig, BadRecord
from scbench.files import sealed, unsealed, write_atomically
from scbench.reading import read_json
from scbench.types import Cell, Form, Mode, Protocol

PLAN = "plan.json"
SHORT = 16  # hex digits of a digest where it only points to a line of facts


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringModel:
    """Which model answers, and how it is computed. Digests are SHA-256; "" where a thing does not
    exist (an endpoint's weights).
    """

    name: str
    weights_digest: str
    tokenizer_digest: str
    template_digest: str
    generation_digest: str = ""  # of the generation settings that come with the weights
    end_ids: tuple[int, ...] = ()
    dtype: str
    device: str  # its kind: "cpu", "cuda NVIDIA H200"
    engine: str  # engine, its version and those of the packages that do its arithmetic
    settings: Mapping[str, object] = field(
        default_factory=dict
    )  # what else moves a number: attention kernel, chunk length, ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodFacts:
    """A method as a key sees it: how it is shown, every parameter, and the code behind it.

    `sources` has the digests of a stranger's files and of ours; `data` those of the files that
    its parameters name (patterns, gates).
    """

    shown: str
    parameters: str  # the repr of the frozen Method
    sources: Mapping[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBy:
    """What made an answer, beside session, mode and protocol, which the record itself names."""

    model: AnsweringModel
    method: MethodFacts
    code: Mapping[str, str]  # our modules that a play runs through -> digest

    @property
    def digest(self) -> str:
        return digest(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A session as planning sees it; its text may be gone by then."""

    task: str
    length_tokens: int  # asked for, not counted
    seed: str  # "<suite seed>:<session index>"
    turns: int
    digest: str
    form: Form = Form.FULL
    task_digest: str = ""  # of the source of a task that is not the paper's


def canonical_json(value: object) -> str:
    """One spelling for equal values: sorted keys, no spaces, dataclasses as objects that name their
    class under "".

    1 and 1.0 stay apart: for a budget one may mean a token and the other everything. Raises
    BadConfig for what has no one spelling (NaN, infinity, sets, bytes, arbitrary objects), naming
    where it stands.
    """
    text = json.dumps(
        _plain(value, "value"),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise BadConfig(
            f"a text with a lone surrogate has no UTF-8 spelling: "
            f"{text[max(err.start - 20, 0) : err.end + 20]!r}"
        ) from err
    return text


def digest(value: object) -> str:
    """SHA-256 of `canonical_json`, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def cell_key(
    *,
    session_digest: str,
    mode: Mode,
    made: str,
    protocol: Protocol,
    turns: int,
    form: Form = Form.FULL,
    task_digest: str = "",
    sample: int = 0,
) -> str:
    """The resume key of a cell, 64 hex digits.

    `session_digest` stands for task, length, seed and every character shown and every gold, so
    that code of a task counts by what it makes; `made` is `MadeBy.digest`. A paper default in
    `protocol` (None) is resolved for `mode`, so that spelling the default out changes nothing.
    The words around questions are our code for the paper's tasks; `task_digest` stands for those
    of any other. The first sample has the key that cells had before there were any. Scoring is
    not in it: `scoring_digest` is.
    """
    parts = {
        "session": session_digest,
        "mode": mode,
        "made": made,
        "protocol": replace(protocol, compress_after=protocol.compresses_after(mode)),
        "turns": turns,
        "form": form,
    }
    if task_digest:
        parts["task"] = task_digest
    if sample:
        parts["sample"] = sample
    return digest(parts)


def cells(
    session: SessionFacts,
    *,
    modes: Iterable[Mode],
    made_by: Mapping[str, str],
    model: str,
    protocol: Protocol,
    samples: int = 1,
) -> Iterator[Cell]:
    """The grid of one session: every mode, method and sample; `made_by` is method as shown ->
    digest."""
    for mode, (method, made), sample in product(modes, made_by.items(), range(samples)):
        key = cell_key(
            session_digest=session.digest,
            mode=mode,
            made=made,
            protocol=protocol,
            turns=session.turns,
            form=session.form,
            task_digest=session.task_digest,
            sample=sample,
        )
        yield Cell(
            task=session.task,
            length_tokens=session.length_tokens,
            seed=session.seed,
            mode=mode,
            model=model,
            method=method,
            protocol=protocol,
            turns=session.turns,
            session_digest=session.digest,
            key=key,
            form=session.form,
            sample=sample,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Which cells a run means: what tables show, and what of it was made by older code."""

    keys: frozenset[str] = frozenset()
    old: Mapping[str, str] = field(default_factory=dict)  # key -> why it differs (--keep-old)


def keep_plan(folder: str | Path, keys: Iterable[str], old: Mapping[str, str]) -> None:
    """Note in `plan.json` which cells the run means; `journal.current` reads the records by it."""
    text = json.dumps({"format": 2, "keys": sorted(keys), "old": dict(old)}, indent=0)
    write_atomically(Path(folder) / PLAN, sealed(text.encode()) + b"\n")


def read_plan(folder: str | Path) -> Planned:
    """What `keep_plan` noted; nothing if there is no plan. Raises BadRecord for a damaged file."""
    path = Path(folder) / PLAN
    try:
        text, has_crc = unsealed(path.read_bytes(), repr(str(path)))
        held = read_json(text, repr(str(path)))
        if set(held) - {"format", "keys", "old"} or ("format" in held) is not has_crc:
            raise ValueError(f"it has {', '.join(held)}")
        old = held.get("old", {})
        if not all(isinstance(word, str) for word in (*held["keys"], *old, *old.values())):
            raise ValueError("a key is not text")
        return Planned(keys=frozenset(held["keys"]), old=old)
    except FileNotFoundError:
        return Planned()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, BadRecord) as err:
        why = str(err)
    raise BadRecord(f"{str(path)!r} is not a plan ({why}); remove it, the next run writes it again")


def _plain(value: object, where: str) -> object:
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, where)
    if type(value) is float and math.isfinite(value):
        return value + 0.0  # -0.0 and 0.0 are equal, so they get one spelling
    if is_dataclass(value) and not isinstance(value, type):
        named = {
            f.name: _plain(getattr(value, f.name), f"{where}.{f.name}")
            for f in fields(value)
            if not (f.metadata.get("left_out_at_default") and getattr(value, f.name) == f.default)
        }
        return {"": type(value).__name__, **named}
    if isinstance(value, Mapping):
        if stray := [key for key in value if type(key) is not str]:
            raise BadConfig(f"{where} has the key {stray[0]!r}; only texts can be keys")
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise BadConfig(
        f"{where} is {value!r:.100} of type {type(value).__name__}, which has no canonical "
        "spelling; allowed are None, booleans, integers, finite floats, text, enums, sequences, "
        "mappings and dataclasses of these"
    )
