"""`scbench make-data`: generated sessions in the published schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scbench.console import say, tell
from scbench.errors import BadConfig, ScbenchError
from scbench.extras import require_local
from scbench.types import Form


def make_data(
    to: Annotated[Path, typer.Option("--out", help="folder to write")],
    tasks: Annotated[str, typer.Option(help="task names joined by commas, or all")] = "all",
    length: Annotated[str, typer.Option(help="tokens: 4k, 131072")] = "4k",
    sessions: Annotated[int, typer.Option(help="sessions per task")] = 8,
    turns: Annotated[
        int | None, typer.Option(help="turns per session; default: each task's own number")
    ] = None,
    seed: Annotated[str, typer.Option(help="names the sessions")] = "0",
    counter: Annotated[
        str,
        typer.Option(
            help="words, bytes, lab (the lab models' tokenizer), or a model whose tokenizer counts"
        ),
    ] = "words",
    form: Annotated[
        str,
        typer.Option(
            help="full, or tiny: closed vocabulary, for models of some million parameters"
        ),
    ] = "full",
    file_format: Annotated[str, typer.Option("--format", help="jsonl or parquet")] = "jsonl",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="run code that the counter's folder brings")
    ] = False,
) -> None:
    """Write generated sessions in the published schema, so that other tools can use them."""
    from scbench.grid.progress import Progress
    from scbench.grid.settings import check_length
    from scbench.grid.task_places import task_at
    from scbench.grid.words import one_of, several, tokens
    from scbench.tasks import names, published

    written: Literal["jsonl", "parquet"] = "parquet" if file_format == "parquet" else "jsonl"
    if file_format != written:
        raise BadConfig(f"--format {file_format!r} does not exist; it is jsonl or parquet")
    shape: Form = one_of(Form, form, "form")
    if sessions < 1:
        raise BadConfig(f"--sessions {sessions}: at least 1")
    chosen = [task_at(name, shape) for name in (names(shape) if tasks == "all" else several(tasks))]
    count, target = _counter(counter, trust_remote_code), tokens(length)
    failures = list[str]()
    check_length(target, shape)
    with Progress(len(chosen) * sessions, what="make-data") as progress:
        for kind in chosen:
            progress.step(kind.name)
            seeds = (f"{seed}:{index}" for index in range(sessions))
            try:
                made = []
                for one in seeds:
                    made.append(
                        kind.make(seed=one, target=target, turns=turns or kind.turns, count=count)
                    )
                    progress.advance(1)
                path = published.write(kind, made, to, form=written)
                say(f"{kind.name}: {len(made)} sessions, {path}")
            except ScbenchError as error:
                failures.append(f"{kind.name}: {error}")
    for failure in failures:
        tell(failure, label="not made")
    if failures:
        raise typer.Exit(1)


def _counter(name: str, trust_remote_code: bool) -> Any:
    from scbench.tasks.contract import Bytes, Words

    if name not in ("words", "bytes"):
        require_local(f"--counter {name}")
    if name == "lab":
        from scbench.lab.tokens import Count

        return Count()
    if name in ("words", "bytes"):
        return Words() if name == "words" else Bytes()
    from scbench.engines.load import load_tokenizer
    from scbench.grid.suite import TokenCount

    tokenizer = load_tokenizer(name, trust_remote_code=trust_remote_code)
    for note in tokenizer.notes:
        tell(f"{name}: {note}", label="note")
    return TokenCount(tokenizer)
