"""The commands that run no grid: list, report, score, make-data, doctor, search-patterns, search-gates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from scbench import ask_command, choose_command, lab_commands, plan_command  # noqa: F401  (they register)
from scbench.cli import _show, app
from scbench.console import out, plain, say, tell
from scbench.errors import BadConfig, ScbenchError, Unknown
from scbench.lab.commands import lab
from scbench.types import Form

KINDS = ("tasks", "methods", "models", "pairs")

app.add_typer(lab)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="tasks, methods, models or pairs")] = "methods",
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown",
            help="as the tables of docs/methods.md, docs/models.md and docs/pairs.md",
        ),
    ] = False,
) -> None:
    """List tasks, methods (stage, category, parameters, paper), models, or pairs of stages that
    cannot be joined."""
    if what not in KINDS:
        raise Unknown(f"there is no list of {what!r}; there are {', '.join(KINDS)}")
    if markdown:
        if what == "tasks":
            raise BadConfig(
                "--markdown makes the tables of docs/methods.md, docs/models.md and docs/pairs.md; "
                "tasks have none"
            )
        from scbench.engines import models
        from scbench.methods import listing, pairs

        tables = {"models": models, "methods": listing, "pairs": pairs}
        print(tables[what].markdown(), end="")
        return
    {"tasks": _tasks, "methods": _methods, "models": _models, "pairs": _pairs}[what]()


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


def _pairs() -> None:
    from scbench.methods.pairs import TABLE, WORDS

    for row in TABLE:
        out.print(plain(row.a, "bold") + plain(" + ") + plain(row.b, "bold"))
        say(f"    {row.told('the first', 'the second', '...')}")
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
        "Weights, K and V in bf16; GPUs: weights and the full cache of one 128K context, a tenth added. The local engine uses one."
    )
    say("Any other --model is a folder with a transformers checkpoint, or a hub name.")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="folder of a run (its --out)")],
    to: Annotated[
        Path | None, typer.Option("--to", help="where to write; default: into the run's folder")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="print every table")] = False,
) -> None:
    """Make the tables and the page of a run again, from its journal alone (no torch, no model)."""
    from scbench.api import open_run

    result = open_run(folder)
    written = result.report(to)
    for path in written.values():
        say(path)
    _show(result, is_full=full)


@app.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines with task, prediction, gold, ...; or the published runner's prediction_*.jsonl"
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="where to write the lines with scores; default: FILE with .scored.jsonl"
        ),
    ] = None,
) -> None:
    """Score answers made anywhere, by the strict and the published rules."""
    from scbench import scoring
    from scbench.files import write_atomically

    if not file.is_file():
        raise Unknown(
            f"there is no file {str(file)!r}; give a file of JSON lines (see `scbench score --help`)"
        )
    lines = scoring.score_file(file)
    target = to or file.with_suffix(".scored.jsonl")
    write_atomically(target, b"".join(map(scoring.written, lines)))
    table = Table("task", "mode", "rule", "mean", "n", "gaps")
    for mean in scoring.means(lines):
        gaps = ", ".join(f"{count} {why}" for why, count in mean.gaps.items())
        table.add_row(
            plain(f"{mean.task}: {mean.subtask}" if mean.subtask else mean.task),
            plain(mean.mode),
            plain(mean.rule),
            "–" if mean.mean is None else f"{100 * mean.mean:.1f}",
            str(mean.n),
            plain(gaps),
        )
    out.print(table)
    say(f"written: {target}")


@app.command("make-data")
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
    count, target, failures = _counter(counter), tokens(length), list[str]()
    check_length(target, shape)
    with Progress(len(chosen) * sessions, what="make-data") as progress:
        for kind in chosen:
            progress.step(kind.name)
            try:
                made = []
                for index in range(sessions):
                    made.append(
                        kind.make(
                            seed=f"{seed}:{index}",
                            target=target,
                            turns=turns or kind.turns,
                            count=count,
                        )
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


def _counter(name: str) -> Any:
    from scbench.tasks.contract import Bytes, Words

    if name == "lab":
        from scbench.lab.tokens import Count

        return Count()
    if name in ("words", "bytes"):
        return Words() if name == "words" else Bytes()
    from scbench.engines.load import load_tokenizer
    from scbench.grid.suite import TokenCount

    return TokenCount(load_tokenizer(name))


@app.command()
def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="METHOD|TASK",
            help="a method: its spelling, path/to/file.py:ClassName, or an installed package's "
            "name; or a task: its name, path/to/file.py:TASK, or path/to/data.jsonl",
        ),
    ],
    verbose: Annotated[
        bool, typer.Option("--verbose", help="also show the laws that hold")
    ] = False,
) -> None:
    """Examine a method, every law on tiny random models with MHA, GQA and MQA; or a task, without
    a model. Says which law fails and how."""
    from scbench.grid.task_places import is_task

    head, rows = _examined_task(what) if is_task(what) else _examined_method(what)
    table = Table("law", "model", "verdict", "why")
    colour = {"holds": "green", "idle": "dim", "broken": "red"}
    for law, model, verdict, why in rows:
        if verbose or verdict != "holds":
            table.add_row(law, model, plain(verdict, colour[verdict]), plain(why))
    if table.row_count:
        out.print(table)
    counts = {word: sum(row[2] == word for row in rows) for word in colour}
    say(f"{head}: {counts['holds']} hold, {counts['broken']} broken, {counts['idle']} do not apply")
    if counts["broken"]:
        raise typer.Exit(1)


Examined = tuple[str, list[tuple[str, str, str, str]]]  # of what; law, model, verdict, why


def _examined_method(spelling: str) -> Examined:
    from scbench.grid.doctor import doctor as examine

    method, findings = examine(spelling)
    return str(method), [(one.law, one.model, one.verdict, one.why) for one in findings]


def _examined_task(written: str) -> Examined:
    from scbench.grid.task_laws import examine_task
    from scbench.grid.task_places import task_at

    found = task_at(written)
    findings = examine_task(found)
    return found.written, [(one.law, "–", one.verdict, one.why) for one in findings]


@app.command("search-patterns")
def search_patterns(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2-135m, a folder, a hub name, or a short name from `scbench list models`"
        ),
    ],
    to: Annotated[
        Path, typer.Option("--out", help="JSON file to write, for minference\\[table=FILE]")
    ],
    length: Annotated[
        str, typer.Option(help="tokens of the sample text, a generated Retr.KV context: 4k, 32k")
    ] = "4k",
    budget: Annotated[
        int | None, typer.Option(help="keys a row of every candidate; default: 1/32 of the tokens")
    ] = None,
) -> None:
    """Find which sparse pattern keeps most of each head's attention (MInference's offline search)."""
    from collections import Counter

    from scbench.engines import load
    from scbench.files import write_atomically
    from scbench.grid.patterns import search_patterns as search
    from scbench.grid.suite import TokenCount
    from scbench.grid.words import tokens
    from scbench.methods.generation.minference_patterns import written
    from scbench.tasks import task

    engine = load.load(model)
    session = task("kv").make(
        seed="patterns:0", target=tokens(length), turns=1, count=TokenCount(engine.tokenizer)
    )
    table = search(engine, engine.tokenizer.encode(session.context).ids, budget_tokens=budget)
    write_atomically(to, written(table).encode())
    found = [pattern for layer in table for pattern in layer.values()]
    for (kind, first, second), heads in Counter(
        (p.kind, p.first, p.second) for p in found
    ).most_common():
        scores = [p.score for p in found if (p.kind, p.first, p.second) == (kind, first, second)]
        say(
            f"{heads} heads: {kind} {first}, {second}, keeping {sum(scores) / heads:.3f} of their attention"
        )
    say(f"{len(found)} heads; use it with --methods 'minference[table={to}]'")


@app.command("search-gates")
def search_gates(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2-135m, a folder, a hub name, or a short name from `scbench list models`"
        ),
    ],
    to: Annotated[
        Path, typer.Option("--out", help="JSON file to write, for duo-attention\\[gates=FILE]")
    ],
    length: Annotated[str, typer.Option(help="tokens of a synthetic session: 2k, 8k")] = "2k",
    steps: Annotated[
        int, typer.Option(help="of the optimiser, one session each; the paper takes 2000")
    ] = 200,
    lr: Annotated[float, typer.Option(help="the optimiser's highest rate")] = 0.02,
    sessions: Annotated[int, typer.Option(help="different sessions, taken in turn")] = 8,
) -> None:
    """Find by gradient which KV heads of a model must see everything (DuoAttention's retrieval heads)."""
    from scbench.engines import load
    from scbench.files import write_atomically
    from scbench.grid.gates import search_gates as search
    from scbench.grid.words import tokens

    engine = load.load(model)
    every = max(1, steps // 10)

    def told(step: int, objective: float) -> None:
        if step % every == 0:
            tell(f"step {step} of {steps}: {objective:.4f}")

    gates, found = search(
        engine, length_tokens=tokens(length), steps=steps, rate=lr, sessions=sessions, on_step=told
    )
    write_atomically(to, gates.text().encode())
    every_gate = [gate for row in gates.rows for gate in row]
    full = sum(gate >= 0.5 for gate in every_gate)
    say(
        f"objective {found.objective[0]:.4f} to {found.objective[1]:.4f}, distance from full attention {found.distance[1]:.4f}; {full} of "
        f"{len(every_gate)} heads have a gate of 0.5 or more"
    )
    say(f"use it with --methods 'duo-attention[preset=paper,gates={to}]'")
