"""`scbench --version`: what a report of a fault should begin with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

import scbench
from scbench.console import say
from scbench.extras import INSTALL, LOCAL, lacking


def lines() -> tuple[str, ...]:
    """The package, the interpreter, what models are run with, the machine. Imports none of it."""
    told = [f"{name} {version_of(name)}" for name in LOCAL if name not in lacking()]
    if absent := lacking():
        told.append(f"without {', '.join(absent)} (to run models: {INSTALL})")
    return (
        f"scbench {scbench.__version__}",
        f"{platform.python_implementation()} {platform.python_version()}",
        ", ".join(told),
        f"{platform.system()} {platform.release()} on {platform.machine()}",
    )


def version_of(package: str) -> str:
    """As installed, or that nothing says."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of no known version"


def _show(is_asked: bool) -> None:
    if is_asked:
        for line in lines():
            say(line)
        raise typer.Exit


def root(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show,
            is_eager=True,
            help="the versions of scbench, of Python and of what models are run with",
        ),
    ] = False,
) -> None:
    """Measure what happens to a long-context LLM when its KV cache is shared, compressed, fetched
    and reused."""
