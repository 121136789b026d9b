"""`scbench ask`: one question of one text under several methods, answers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scbench.cli import app
from scbench.console import out, plain, tell
from scbench.errors import BadConfig, ScbenchError

if TYPE_CHECKING:
    from scbench.front import Doc, Said

METHODS = "dense,snapkv[tau=1/4],kvzip[tau=1/4]"


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
    from scbench.grid.words import typed_words
    from scbench.methods import parse

    text = _text(context)
    spelled = typed_words({"methods": methods})["methods"]
    chosen = [parse(method) for method in spelled]
    doc = front.load(model, device=device, dtype=dtype).read(text).expect(*chosen)
    rows: list[tuple[str, Said | None, str]] = []
    for method in chosen:
        try:
            said = doc.under(method, after=after).ask(question, max_tokens=max_tokens)
            rows.append((str(method), said, ""))
        except ScbenchError as error:
            rows.append((str(method), None, str(error)))
    out.print(_table(rows))
    _tell_reads(doc)
    if all(said is None for _, said, _ in rows):
        raise typer.Exit(1)


app.command()(ask)


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


def _table(rows: list[tuple[str, Said | None, str]]) -> Table:
    table = Table("method", "answer", "held", "loaded a step", "seconds", pad_edge=False)
    for method, said, why in rows:
        if said is None:
            table.add_row(plain(method), plain(why, style="yellow"), "", "", "")
            continue
        table.add_row(
            plain(method),
            plain(" ".join(said.text.split())),
            _share(said.held_bytes, said.dense_bytes),
            _share(said.loaded_bytes, said.dense_bytes),
            f"{said.seconds:.2f}",
        )
    return table


def _share(count: int | None, dense_bytes: int) -> str:
    """Bytes, and what part they are of dense's."""
    if count is None or not dense_bytes:
        return "–"
    return f"{count / (1 << 20):.1f} MiB, {100 * count / dense_bytes:.0f} %"


def _tell_reads(doc: Doc) -> None:
    times = "once" if doc.reads == 1 else f"{doc.reads} times"
    tell(f"{times}, for all methods above", label="read", style="dim")
