"""The source a stage's answers depend on: its own module, and those of the stage folders it uses."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

FOLDERS = tuple(
    f"scbench.methods.{stage}." for stage in ("generation", "compression", "retrieval", "loading")
)


def modules_behind(name: str) -> list[str]:
    """`name` and the modules of `FOLDERS` whose functions or classes it imports, directly or through each other, in order of name.

    What lies below (kernels, stores, the contract) has versions of its own.
    """
    found, waiting = set[str](), [name]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        for value in vars(sys.modules[module]).values():
            origin = (
                value.__name__
                if isinstance(value, ModuleType)
                else getattr(value, "__module__", None)
            )
            if isinstance(origin, str) and origin.startswith(FOLDERS):
                waiting.append(origin)
    return sorted(found)


def source_behind(name: str) -> str:
    """The text of all of them."""
    return "".join(inspect.getsource(sys.modules[module]) for module in modules_behind(name))
