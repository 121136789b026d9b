"""Exceptions to failures: named by what went wrong, kept as plain data, freed at once.

A kept exception holds its traceback, this the frames, and these the tensors of the forward that
failed: a retry would then find the memory still taken, and so would the next model.
"""

from __future__ import annotations

import errno
import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from scbench.errors import (
    Mismatch,
    NotFinite,
    OutOfDevice,
    ReuseBroken,
    ScbenchError,
    TooLong,
    UsageError,
)
from scbench.files import write_atomically
from scbench.types import Failure

# What a method may raise and is its own failure. KeyboardInterrupt is the user's.
FAULTS = (Exception, SystemExit, GeneratorExit)
FOLDER = "failures"  # of a run: full tracebacks
OUT_OF_MEMORY, CRASHED = "out-of-memory", "crashed"
KINDS: Mapping[type[BaseException], str] = {  # the first that fits
    TooLong: "too-long",
    Mismatch: "refused",
    OutOfDevice: OUT_OF_MEMORY,
    NotFinite: "not-finite",
    ReuseBroken: "changed-shared-cache",
    UsageError: "refused",
    ScbenchError: "failed",
}
_MEMORY_WORDS = (
    "allocate memory",
    "out of memory",
    "outofmemory",
    "cannot allocate",
    "not enough memory",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is left of an exception: its failure, and the traceback as text."""

    failure: Failure
    trace: str


def fault_of(error: BaseException) -> Fault:
    """The failure an exception stands for. The exception itself is not kept."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # Python's own words for it name our generator, not the method
    kind = _kind(error)
    why = str(error)
    if kind == CRASHED:
        last = traceback.extract_tb(error.__traceback__)[-1:]
        name = Path(last[0].filename).name if last else ""
        where = f" at {name}:{last[0].lineno} in {last[0].name}" if last else ""
        why = f"{type(error).__name__}: {error}{where}"
    elif kind == OUT_OF_MEMORY and not isinstance(error, ScbenchError):
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no memory'}"
    fault = Fault(Failure(kind=kind, why=why), "".join(traceback.format_exception(error)))
    _free(error)
    return fault


def _free(error: BaseException) -> None:
    """Empty the frames that ended with an exception: one whose frame names it is a cycle, and
    would hold what the frame held until somebody collects garbage."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def _kind(error: BaseException) -> str:
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    for kind, word in KINDS.items():
        if isinstance(error, kind):
            return word
    return CRASHED


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, whatever class says so: Python, PyTorch's allocators, the system."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfDevice):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    is_plain = isinstance(error, RuntimeError) and not isinstance(error, ScbenchError)
    text = str(error).lower()
    return is_plain and any(word in text for word in _MEMORY_WORDS)


def keeper(folder: Path) -> Callable[[str], str]:
    """A function that keeps a traceback once in `folder`, and returns its path there."""

    def keep(trace: str) -> str:
        name = f"{FOLDER}/{hashlib.sha256(trace.encode(errors='replace')).hexdigest()[:16]}.txt"
        path = folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, trace.encode(errors="backslashreplace"))
        return name

    return keep
