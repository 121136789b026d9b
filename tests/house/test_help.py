"""`--help` says every default, and the program says its version."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import scbench
from scbench.cli import app
from scbench.commands.version import lines
from scbench.grid.settings import Settings
from scbench.options import OPTIONS

PROGRAM: Any = typer.main.get_command(app)


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command under this one, itself too."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {word}")


def silent(command: Any) -> list[str]:
    """Options whose help does not say what holds where they are not given. A switch is off."""
    return [
        option.opts[0]
        for option in command.params
        if option.param_type_name == "option"
        and not option.required
        and not (option.is_flag and not option.secondary_opts)
        and "default" not in (option.help or "")
        and (option.default in (None, "") or not option.show_default)
    ]


@pytest.mark.parametrize(("name", "command"), list(commands(PROGRAM, "scbench")))
def test_every_default_stands_in_the_help(name: str, command: Any) -> None:
    assert silent(command) == []


def test_a_default_that_is_not_said_is_seen() -> None:
    other = typer.Typer()

    @other.command()
    def act(
        told: str = typer.Option("x"),
        kept: str = typer.Option(None, help="default: none"),
        lost: str = typer.Option(None, help="what"),
        hidden: int = typer.Option(3, show_default=False),
        is_on: bool = typer.Option(False, "--is-on"),
    ) -> None: ...

    assert silent(typer.main.get_command(other)) == ["--lost", "--hidden"]


def test_the_help_of_a_run_has_the_defaults_of_its_settings() -> None:
    told = {name: about for name, _, _, _, about in OPTIONS}
    for name in ("lanes", "think_tokens", "cost_repeats", "seed", "truncate", "accounting"):
        assert told[name].endswith(f"; default: {default(name)}")
    assert told["agreement"].endswith("; default: --agreement")
    assert told["modes"].endswith("; default: multi-turn, multi-request")


def default(name: str) -> Any:
    """Of a setting, of a class whose slots hide it."""
    return Settings.__dataclass_fields__[name].default


def test_the_help_on_the_terminal_shows_them() -> None:
    shown = CliRunner().invoke(app, ["ask", "--help"], env={"COLUMNS": "200"}).output
    assert "default: 48" in shown


def test_the_version_names_package_python_and_machine() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.splitlines() == list(lines())
    assert done.output.startswith(f"scbench {scbench.__version__}\n")
    assert platform.python_version() in done.output
    assert "torch" in done.output


def test_shells_are_told_how_to_complete() -> None:
    words = {"_SCBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "scbench pl", "COMP_CWORD": "1"}
    done = CliRunner().invoke(app, [], prog_name="scbench", env=words)
    assert done.output.split() == ["plan"]
