"""Clocks and memory peaks of a piece of work, measured by the device that does it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, ParamSpec, TypeVar

import torch

T = TypeVar("T")
P = ParamSpec("P")


class Measured(NamedTuple, Generic[T]):
    """What a call returned, its seconds, and the most memory it had beyond what was held before
    (None where the system cannot tell).
    """

    value: T
    seconds: float
    peak_bytes: int | None


def measured(device: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Measured[T]:
    """`work(*args, **kwargs)`, run once between two device synchronisations."""
    peak = _Peak(device)
    _synchronise(device)
    start = time.perf_counter()
    value = work(*args, **kwargs)
    _synchronise(device)
    return Measured(value, time.perf_counter() - start, peak.read())


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


class _Peak:
    """Peak memory since it was made: the allocator's own count on CUDA, the kernel's high-water
    mark of the process on Linux.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.base: int | None = None
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(device)
            self.base = torch.cuda.memory_allocated(device)
        else:
            _give_back_free_memory()
            try:
                Path("/proc/self/clear_refs").write_text("5")
                self.base = _status("VmRSS")
            except OSError:
                self.base = None

    def read(self) -> int | None:
        if self.base is None:
            return None
        if self.device.startswith("cuda"):
            return max(0, torch.cuda.max_memory_allocated(self.device) - self.base)
        top = _status("VmHWM")
        return None if top is None else max(0, top - self.base)


def _give_back_free_memory() -> None:
    """Memory that was freed but is still the process's would be used again unseen; glibc can return
    it, others keep it.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows wants a name
        return


def _status(field: str) -> int | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None
