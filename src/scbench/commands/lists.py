"""`scbench list`: tasks, methods, models, modes, and pairs that cannot be joined."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from scbench.console import out, plain, say
from scbench.errors import BadConfig, Unknown
from scbench.modes import Mode

KINDS = ("tasks", "methods", "models", "modes", "pairs")


def list_(
    what: Annotated[str, typer.Argument(help="tasks, methods, models, modes or pairs")] = "methods",
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown",
            help="as the tables of docs/methods.md, docs/models.md and docs/pairs.md",
        ),
    ] = False,
) -> None:
    """List tasks, methods (stage, category, parameters, paper), models, modes, or pairs of stages
    that cannot be joined."""
    if what not in KINDS:
        raise Unknown(f"there is no list of {what!r}; there are {', '.join(KINDS)}")
    if markdown:
        if what in ("tasks", "modes"):
            raise BadConfig(
                "--markdown makes the tables of docs/methods.md, docs/models.md and docs/pairs.md; "
                f"{what} have none"
            )
        from scbench.engines import models
        from scbench.methods import listing, pairs

        tables = {"models": models, "methods": listing, "pairs": pairs}
        print(tables[what].markdown(), end="")
        return
    shown = {"tasks": _tasks, "methods": _methods, "models": _models, "modes": _modes}
    shown |= {"pairs": _pairs}
    shown[what]()


def _tasks() -> None:
    from scbench.grid.task_places import package_names
    from scbench.tasks import card, has_tiny, names

    table = Table("task", "in tables", "ability", "turns", "sub-tasks", "chance", "tiny form")
    for name in names():
        found = card(name)
        words = ", ".join(found.parts), f"{found.chance:.3g}", "yes" if has_tiny(name) else "no"
        table.add_row(name, found.title, found.ability, str(found.turns), *words)
    out.print(table)
    for name in package_names():
        say(f"{name}: of an installed package")
    say(
        "A task of your own: --tasks path/to/file.py:TASK, or path/to/data.jsonl "
        "(docs/add-a-task.md)"
    )


def _methods() -> None:
    from scbench.methods.listing import cards

    for card in cards():
        parameters = ", ".join(f"{name}={default}" for name, default in card.parameters.items())
        head = Text.assemble(plain(card.name, "bold"), f"  {card.stage} · {card.category}")
        out.print(head + plain(f"  {card.paper}" if card.paper else "", "dim"))
        if card.about:
            say(f"    {card.about}")
        for title, text in (("parameters", parameters), ("presets", ", ".join(card.presets))):
            if text:
                say(f"    {title}: {text}")
    say(
        "Compose stages with +, set parameters in brackets: "
        "a-shape+snapkv[tau=1/16]+quest[preset=code]"
    )


def _modes() -> None:
    for mode in Mode:
        out.print(plain(mode, "bold") + plain(f"  {mode.about}"))
    say("Of your own: one file and one entry (docs/add-a-pattern.md).")


def _pairs() -> None:
    from scbench.methods.pairs import ANY_NEED, TABLE, WORDS

    for row in TABLE:
        out.print(plain(row.a, "bold") + plain(" + ") + plain(row.b, "bold"))
        say(f"    {row.told('the first', 'the second', ANY_NEED)}")
    say("What the words mean:")
    for word, meaning in WORDS.items():
        say(f"    {word}: {meaning}")


def _models() -> None:
    from scbench.api import MODELS
    from scbench.engines.models import HEADER, LLMS, row

    for llm in LLMS:
        words = dict(zip(HEADER, row(llm), strict=True))
        out.print(plain(words.pop("short name"), "bold") + plain(f"  {words.pop('hub name')}"))
        note, told = words.pop("note"), [f"{what}: {value}" for what, value in words.items()]
        for line in (" · ".join(told[:4]), " · ".join(told[4:]), note):
            if line:
                say(f"    {line}")
    for name, about in MODELS.items():
        if name not in {llm.name for llm in LLMS}:
            out.print(plain(name, "bold") + plain(f"  {about}"))
    say(
        "Weights, K and V in bf16; GPUs: weights and the full cache of one 128K context, a tenth "
        "added. The local engine uses one."
    )
    say("Any other --model is a folder with a transformers checkpoint, or a hub name.")
