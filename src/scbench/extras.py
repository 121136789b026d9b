"""What an extra of the package brings, and what to type where it is not installed.

pip install scbench             report, score, list, plan, make-data: no torch
pip install 'scbench[local]'    all that runs a model
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

from scbench.errors import MissingExtra
from scbench.system import command_line

# What every model is run with; the rest of the extra is asked for by what needs it.
LOCAL = ("torch", "transformers", "safetensors")
# Brackets mean files to a Unix shell, and single quotes mean nothing to that of Windows.
INSTALL = command_line(["pip", "install", "scbench[local]"])
P = ParamSpec("P")
R = TypeVar("R")


def lacking() -> tuple[str, ...]:
    """The packages of `LOCAL` that are not installed. Imports none of them."""
    return tuple(name for name in LOCAL if find_spec(name) is None)


def require_local(what: str) -> None:
    """Raise MissingExtra, with the line to type, where models cannot be run."""
    if not (names := lacking()):
        return
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    verb = "is" if len(names) == 1 else "are"
    raise MissingExtra(f"{what} needs {listed}, which {verb} not installed; run: {INSTALL}")


def needs_local(act: Callable[P, R], name: str = "") -> Callable[P, R]:
    """A command that runs a model: with its words read, and before anything else, it asks for
    what models are run with."""

    @wraps(act)
    def command(*args: P.args, **words: P.kwargs) -> R:
        require_local(f"`scbench {name or act.__name__.replace('_', '-')}`")
        return act(*args, **words)

    return command
