"""The identity of a cell: a digest over everything that can move one of its numbers, so that changed settings never meet old answers.

Where in doubt a thing belongs in: a key that differs without need costs a rerun, a key that agrees without right costs the truth.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import scbench
from scbench.errors import BadConfig, BadRecord
from scbench.files import write_atomically
from scbench.types import Cell, Form, Mode, Protocol

PLAN = "plan.json"
VERSION = scbench.__version__
# Raise a room's number in the change that lets the same cell come out with another number. Tasks and scoring rules have versions of their own.
CODE_VERSIONS: Mapping[str, int] = MappingProxyType(
    {"prompts": 1, "kv": 1, "kernels": 1, "methods": 1, "engines": 1, "scoring": 1, "run": 1},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Which model answers, and how it is computed. Digests are SHA-256; "" where a thing does not exist (an endpoint's weights)."""

    name: str
    weights_digest: str
    tokenizer_digest: str
    template_digest: str
    dtype: str
    device: str  # its kind: "cpu", "cuda NVIDIA H200"
    engine: str  # engine, its version and those of the packages that do its arithmetic
    settings: Mapping[str, object] = field(
        default_factory=dict
    )  # what else moves a number: attention kernel, chunk length, ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodFacts:
    """A method by its canonical spelling, and all its parameters after defaults (the frozen Method itself will do)."""

    spelling: str
    parameters: object


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFacts:
    """Which code makes, reads and grades the turns."""

    task_version: int
    rules: tuple[str, ...] = ()  # the scoring rules that apply, such as "strict/1"
    scbench: str = VERSION
    rooms: Mapping[str, int] = field(default_factory=lambda: CODE_VERSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A session as planning sees it; its text may be gone by then."""

    task: str
    length_tokens: int  # asked for, not counted
    seed: str  # "<suite seed>:<session index>"
    turns: int
    digest: str
    code: CodeFacts
    form: Form = Form.FULL


def canonical_json(value: object) -> str:
    """One spelling for equal values: sorted keys, no spaces, dataclasses as objects that name their class under "".

    1 and 1.0 stay apart: for a budget one may mean a token and the other everything. Raises BadConfig for what has no one spelling (NaN,
    infinity, sets, bytes, arbitrary objects), naming where it stands.
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
            f"a text with a lone surrogate has no UTF-8 spelling: {text[max(err.start - 20, 0) : err.end + 20]!r}"
        ) from err
    return text


def digest(value: object) -> str:
    """SHA-256 of `canonical_json`, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def cell_key(
    *,
    session_digest: str,
    mode: Mode,
    method: MethodFacts,
    model: ModelFacts,
    protocol: Protocol,
    turns: int,
    code: CodeFacts,
    form: Form = Form.FULL,
) -> str:
    """The resume key of a cell, 64 hex digits.

    `session_digest` stands for task, length, seed and every character shown. A paper default in `protocol` (None) is resolved for `mode`,
    so that spelling the default out changes nothing.
    """
    return digest(
        {
            "session": session_digest,
            "mode": mode,
            "method": method,
            "model": model,
            "protocol": replace(protocol, compress_after=protocol.compresses_after(mode)),
            "turns": turns,
            "code": code,
            **(
                {} if form is Form.FULL else {"form": form}
            ),  # left out of full forms, so that their keys stay what they were
        }
    )


def cells(
    sessions: Iterable[SessionFacts],
    *,
    modes: Iterable[Mode],
    methods: Iterable[MethodFacts],
    model: ModelFacts,
    protocol: Protocol,
    max_turns: int | None = None,
) -> Iterator[Cell]:
    """The grid, session by session, as the runner plays it (DESIGN section 4): a session is read once for all its cells.

    Lazy in `sessions`. A cell that comes up twice, say from a method named twice, is planned once. Raises BadConfig for `max_turns` below 1.
    """
    if max_turns is not None and max_turns < 1:
        raise BadConfig(f"max turns is a whole number from 1, not {max_turns}")
    modes, methods, planned = tuple(modes), tuple(methods), set[str]()
    for session in sessions:
        turns = session.turns if max_turns is None else min(max_turns, session.turns)
        for mode in modes:
            for method in methods:
                cell = _cell(session, mode, method, model, protocol, turns)
                if cell.key not in planned:
                    planned.add(cell.key)
                    yield cell


def _cell(
    session: SessionFacts,
    mode: Mode,
    method: MethodFacts,
    model: ModelFacts,
    protocol: Protocol,
    turns: int,
) -> Cell:
    return Cell(
        task=session.task,
        length_tokens=session.length_tokens,
        seed=session.seed,
        mode=mode,
        model=model.name,
        method=method.spelling,
        protocol=protocol,
        turns=turns,
        session_digest=session.digest,
        key=cell_key(
            session_digest=session.digest,
            mode=mode,
            method=method,
            model=model,
            protocol=protocol,
            turns=turns,
            code=session.code,
            form=session.form,
        ),
        form=session.form,
    )


def keep_plan(folder: str | Path, planned: Iterable[Cell]) -> None:
    """Note in `plan.json` which cells the last command on this folder meant; `journal.current` reads the records by it."""
    text = json.dumps({"keys": sorted(cell.key for cell in planned)}, indent=0)
    write_atomically(Path(folder) / PLAN, text.encode() + b"\n")


def read_plan(folder: str | Path) -> frozenset[str]:
    """The keys that `keep_plan` noted; empty if none were. Raises BadRecord for a damaged file."""
    path = Path(folder) / PLAN
    try:
        keys = json.loads(path.read_bytes())["keys"]
        if all(isinstance(key, str) for key in keys):
            return frozenset(keys)
        why = "a key is not text"
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as err:
        why = repr(err)
    raise BadRecord(f"{str(path)!r} is not a plan ({why}); remove it, the next run writes it again")


def _plain(value: object, where: str) -> object:
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, where)
    if type(value) is float and math.isfinite(value):
        return value + 0.0  # -0.0 and 0.0 are equal, so they get one spelling
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: _plain(getattr(value, f.name), f"{where}.{f.name}") for f in fields(value)}
        return {"": type(value).__name__, **named}
    if isinstance(value, Mapping):
        if stray := [key for key in value if type(key) is not str]:
            raise BadConfig(f"{where} has the key {stray[0]!r}; only texts can be keys")
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise BadConfig(
        f"{where} is {value!r:.100} of type {type(value).__name__}, which has no canonical spelling; "
        "allowed are None, booleans, integers, finite floats, text, enums, sequences, mappings and dataclasses of these"
    )
