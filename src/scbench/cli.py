"""The program `scbench`: its commands, put together. Errors are printed without traceback."""

from __future__ import annotations

import sys

import typer

from scbench.commands.analyze import analyze
from scbench.commands.ask import ask
from scbench.commands.check_data import check_data
from scbench.commands.check_model import check_model
from scbench.commands.choose import choose
from scbench.commands.compare import compare
from scbench.commands.data import make_data
from scbench.commands.doctor import doctor
from scbench.commands.export import export
from scbench.commands.findings import findings_
from scbench.commands.gate import gate
from scbench.commands.get_model import get_model
from scbench.commands.lists import list_
from scbench.commands.plan import PLAN_OPTIONS, plan
from scbench.commands.report import report
from scbench.commands.run import run
from scbench.commands.score import score
from scbench.commands.searches import search_gates, search_patterns
from scbench.commands.version import root
from scbench.commands.view import view
from scbench.commands.words import with_options
from scbench.console import take_any_sign, tell
from scbench.errors import CannotWrite, ScbenchError
from scbench.extras import needs_local
from scbench.lab.commands import lab
from scbench.options import OPTIONS

app = typer.Typer(
    name="scbench",
    epilog="Start with `scbench run` (no arguments, no network, minutes), then `scbench list "
    "methods` and `scbench run --help`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.callback()(root)
# In the order of the help: what people come for first.
app.command("run")(with_options(needs_local(run), OPTIONS))
app.command("plan")(with_options(plan, (*OPTIONS, *PLAN_OPTIONS)))
app.command("report")(report)
app.command("view")(view)
app.command("choose")(choose)
app.command("compare")(compare)
app.command("gate")(gate)
app.command("export")(export)
app.command("ask")(needs_local(ask))
app.command("analyze")(needs_local(analyze))
app.command("list")(list_)
app.command("doctor")(needs_local(doctor))
app.command("findings")(findings_)
app.command("get-model")(needs_local(get_model))
app.command("check-model")(needs_local(check_model))
app.command("score")(score)
app.command("make-data")(make_data)
app.command("check-data")(check_data)
app.command("search-patterns")(needs_local(search_patterns))
app.command("search-gates")(needs_local(search_gates))
app.add_typer(lab)


def main() -> None:
    """The program `scbench`; docs/protocol.md has its statuses."""
    take_any_sign()
    try:
        app()
    except ScbenchError as error:
        tell(error, label="error", style="red")
        sys.exit(1 if isinstance(error, CannotWrite) else 2)
    except BrokenPipeError:
        sys.exit(141)
