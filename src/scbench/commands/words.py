"""A command that takes every word of a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import typer

Option: TypeAlias = tuple[str, Any, str, str, str]  # setting, kind, flag, panel, help


def with_options(
    act: Callable[[dict[str, Any]], None], options: Sequence[Option]
) -> Callable[..., None]:
    """A command with all `options`, which hands on those the user gave, under the names of the
    settings."""

    def command(**words: Any) -> None:
        act({name: value for name, value in words.items() if value is not None})

    command.__name__ = act.__name__
    command.__doc__ = act.__doc__
    command.__annotations__ = {name: hint | None for name, hint, *_ in options}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(None, flag, help=about, rich_help_panel=panel),
            annotation=hint | None,
        )
        for name, hint, flag, panel, about in options
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
