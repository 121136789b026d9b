"""`scbench check-model`: a tokenizer and its template held against the laws, without weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from scbench.console import out, plain, say

COLOURS = {"holds": "green", "idle": "dim", "broken": "red", "refused": "yellow"}


def check_model(
    model: Annotated[
        str, typer.Argument(metavar="FOLDER|HUB", help="a model's folder, hub name or short name")
    ],
    is_plain: Annotated[
        bool, typer.Option("--plain", help="without the chat template, as --plain runs")
    ] = False,
    think: Annotated[str, typer.Option("--think", help="thoughts: auto, on, off")] = "auto",
    template_arg: Annotated[
        str,
        typer.Option(
            "--template-arg", help="told to the template: enable_thinking=false; default: nothing"
        ),
    ] = "",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="run code that the folder brings")
    ] = False,
) -> None:
    """Hold a model's tokenizer and chat template against the laws of what goes in and out: its ids
    are the text, later prompts extend earlier ones, documents control nothing, answers end.

    Reads no weights. Ends with 1 where a law is broken or a run would refuse.
    """
    from scbench.engines.tokenizers import load_tokenizer
    from scbench.exam.gate_laws import examine_gate
    from scbench.grid.words import one_of, template_args
    from scbench.prompts.opening import opening_of
    from scbench.prompts.template_check import odd_opening
    from scbench.prompts.thinking import arguments_of, marks_of
    from scbench.types import Answering, Protocol, Think

    tokenizer = load_tokenizer(model, trust_remote_code=trust_remote_code)
    answering = Answering(
        think=one_of(Think, think, "think"), template_args=template_args(template_arg)
    )
    protocol = Protocol(chat_template=False if is_plain else None, answering=answering)
    has_template = tokenizer.has_chat_template and not is_plain
    arguments = arguments_of(tokenizer, answering)
    ends = tokenizer.raw.convert_ids_to_tokens(sorted(tokenizer.end_ids))
    told = {
        "template": "its own chat template" if has_template else "none: plain text",
        "answers end at": ", ".join(map(repr, [*ends, *filter(None, [tokenizer.turn_end])])),
        "marks of thoughts": " ".join(marks_of(tokenizer) or ["none known"]),
        "before an answer": opening_of(tokenizer, arguments).strip() if has_template else "",
        "control words": f"{len(tokenizer.control)}",
    }
    for name, value in told.items():
        if value:
            say(f"{name}: {value}")
    notes = list(tokenizer.notes)
    if opening := odd_opening(tokenizer, protocol):
        notes.append(
            f"the template writes {opening!r} before an answer, which is no mark of a thought that "
            "is known: all that follows is taken for the answer"
        )
    for note in notes:
        say(f"note: {note}")
    found = examine_gate(tokenizer, protocol)
    table = Table("law", "verdict", "why")
    for one in found:
        table.add_row(one.law, plain(one.verdict, COLOURS[one.verdict]), plain(one.why))
    out.print(table)
    if any(one.verdict in ("broken", "refused") for one in found):
        raise typer.Exit(1)
