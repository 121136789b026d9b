"""`scbench ask`: one question of one text under several methods, answers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scbench.commands.said_table import said_table
from scbench.console import out, tell
from scbench.errors import BadConfig, ScbenchError

if TYPE_CHECKING:
    from scbench.front import Doc, View
    from scbench.front.said import Said
    from scbench.methods.method import Method

METHODS = "dense,snapkv[tau=1/4],kvzip[tau=1/4]"
PIPE_COLUMNS = 100  # at most, where no terminal has a width


def ask(
    context: Annotated[Path, typer.Option("--context", help="text file to ask about")],
    question: Annotated[str, typer.Option("--question", help="what to ask")],
    methods: Annotated[
        str, typer.Option("--methods", help="as of `scbench run`: dense,snapkv[tau=1/4],...")
    ] = METHODS,
    model: Annotated[
        str, typer.Option("--model", help="short name, folder or hub name")
    ] = "smollm2-135m",
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="of an answer, at most")] = 48,
    after: Annotated[
        str, typer.Option("--compress-after", help="context, or first-query")
    ] = "context",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda")] = "auto",
    dtype: Annotated[
        str, typer.Option("--dtype", help="auto, float32, bfloat16, float16")
    ] = "auto",
) -> None:
    """Ask one question of a text whose cache was dropped, coded or selected in several ways.

    The text is read once for all methods that read alike. Bytes count 16-bit numbers, as in a run.
    """
    from scbench import front
    from scbench.front.checks import checked_after, checked_max_tokens, checked_text
    from scbench.grid.words import typed_words
    from scbench.methods import parse

    checked_text(question, what="question")
    checked_max_tokens(max_tokens)
    checked_after(after, what="--compress-after")
    text = _text(context)
    spelled = typed_words({"methods": methods})["methods"]
    chosen = [parse(method) for method in spelled]
    if not chosen:
        raise BadConfig("--methods is empty; give one at least: dense,snapkv[tau=1/4]")
    refused: dict[Method, ScbenchError] = {}
    # All that is known without weights is told first: reading them takes its time.
    if scout := front.scouted(model, device=device, dtype=dtype):
        refused = scout.read(text).refusals(chosen, question, after=after, max_tokens=max_tokens)
    said: dict[Method, Said | ScbenchError] = dict(refused)
    fit = [method for method in chosen if method not in refused]
    doc: Doc | None = None
    if fit:
        doc = front.load(model, device=device, dtype=dtype).read(text, quiet=True).expect(*fit)
        said |= {
            method: _asked(doc.under(method, after=after), question, max_tokens) for method in fit
        }
    rows = [(str(method), said[method]) for method in chosen]
    _raise_if_alike([came_of for _, came_of in rows])
    columns = out.width if out.is_terminal else min(out.width, PIPE_COLUMNS)
    out.print(said_table(rows), width=columns)
    if doc is not None:
        _tell_reads(doc)
    if all(isinstance(came_of, ScbenchError) for _, came_of in rows):
        raise typer.Exit(1)


def _asked(view: View, question: str, max_tokens: int) -> Said | ScbenchError:
    try:
        return view.ask(question, max_tokens=max_tokens)
    except ScbenchError as error:
        return error


def _text(path: Path) -> str:
    """The file's text. Raises BadConfig where there is none, or no text in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"--context {str(path)!r}: {error}; it takes a text file in UTF-8"
        ) from error
    if not text.strip():
        raise BadConfig(f"--context {str(path)!r} is empty; it takes a file with text")
    return text


def _raise_if_alike(results: list[Said | ScbenchError]) -> None:
    """Raise what every method failed of: a text that is too long is one error, not a table."""
    errors = [error for error in results if isinstance(error, ScbenchError)]
    if len(errors) == len(results) and len({str(error) for error in errors}) == 1:
        raise errors[0]


def _tell_reads(doc: Doc) -> None:
    reads = doc.read_by
    if reads.times <= 1:
        tell("once, for all methods above", label="read", style="dim")
        return
    whys = ", and ".join(dict.fromkeys(reads.whys))
    tell(f"{reads.tokens:,} tokens, because {whys}", label=f"read {reads.times} times")
