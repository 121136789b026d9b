"""`scbench lab`: train small matched models on the benchmark's own generators. Torch is imported
when a command runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scbench.console import say
from scbench.errors import BadConfig
from scbench.extras import require_local
from scbench.lab import train_options as options

if TYPE_CHECKING:
    from scbench.lab.training import Training

lab = typer.Typer(
    name="lab",
    help="Train small matched models (attention, Mamba-2, both) on the benchmark's own tasks.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@lab.callback()
def _lab() -> None:
    """Small matched models, so that architectures and methods meet on equal terms."""
    require_local("`scbench lab`")


@lab.command()
def train(
    ctx: typer.Context,
    arch: options.Arch,
    to: options.To,
    data: options.Data = None,
    course: options.Course = 1,
    start: options.Start = None,
    size: options.Size = "base",
    seed: options.Seed = 0,
    steps: options.Steps = None,
    step_tokens: options.StepTokens = 2048,
    lr: options.Rate = 0.01,
    adam_lr: options.AdamRate = 3e-3,
    weight_decay: options.WeightDecay = 0.01,
    warmup_steps: options.Warmup = 50,
    decay: options.Decay = "linear",
    schedule: options.Schedule = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    stop_after: options.StopAfter = None,
    threads: options.Threads = None,
    checkpoint_s: options.CheckpointSeconds = 300.0,
    quiet: options.Quiet = False,
) -> None:
    """Train one small model and leave a transformers checkpoint in OUT/model, which `scbench run
    --model OUT/model` takes.

    Kill it at any time; the same command goes on from the last checkpoint, on the CPU to the same
    weights bit for bit. Loss and accuracy of every task are in OUT/curves.jsonl, one line per 50
    steps. The loss is on answers only.

    Three matched models: the same --data and --seed for each. The shipped ones: `--stop-after
    6000`, then `--course 2 --start OUT/model --lr 0.005`.
    """
    from scbench.lab import tokens
    from scbench.lab.train import train as run

    folder = data or _written(to / "data", course)
    trained = run(
        folder,
        to,
        _training(ctx.params, folder),
        device=device,
        threads=threads,
        checkpoint_s=checkpoint_s,
        stop_after=stop_after,
        start=start,
        save_tokenizer=tokens.save,
        quiet=quiet,
    )
    say(f"model: {trained.model}")
    if not trained.finished:
        say(f"stopped at step {trained.steps} of {trained.of_steps}; the same command goes on")
        raise typer.Exit(130 if stop_after is None else 0)


def _training(words: Mapping[str, Any], data: Path) -> Training:
    """The options that decide the weights, under the tokenizer's vocabulary."""
    from scbench.lab import corpus, schedule, tokens
    from scbench.lab.training import Training

    ids, written = tokens.vocabulary(), data / corpus.SCHEDULE
    doses = words["schedule"] or (written if written.is_file() else None)
    given = {
        field.name: words[field.name]
        for field in fields(Training)
        if field.name in words and field.name != "start"
    }
    given["schedule"] = schedule.read(doses) if doses else schedule.EVERY_ROW_ONCE
    return Training(**given, vocab=len(ids), bos=ids[tokens.BOS], eos=ids[tokens.END])


def _written(folder: Path, course: int) -> Path:
    """The training data of a course in `folder`; whatever is missing is written first."""
    from scbench.lab import corpus

    if course not in corpus.COURSES:
        raise BadConfig(
            f"--course {course}: there are {', '.join(map(str, corpus.COURSES))}; or give data of "
            f"your own with --data"
        )
    say(f"writing training data to {folder} (what is there is kept)")
    corpus.write(folder, portions=corpus.COURSES[course], seed=course - 1)
    return folder


@lab.command()
def card(
    run: Annotated[
        list[Path],
        typer.Argument(
            help="the --out folders of the courses a model went through, the last one last"
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(help="folder of the finished model: weights, tokenizer, card.json, CARD.md"),
    ],
    name: Annotated[
        str | None, typer.Option(help="what it is called; default: the folder's name")
    ] = None,
    lengths: Annotated[
        str, typer.Option(help="contexts to measure at, in tokens")
    ] = "64,128,256,512",
    sessions: Annotated[
        int, typer.Option(help="held-out sessions a cell; the gate asks for 200")
    ] = 200,
    hardware: Annotated[
        str, typer.Option(help="what it was trained on, for the card")
    ] = "2 CPU cores",
) -> None:
    """Measure a trained model on held-out sessions and write its card: per task, length and mode,
    with intervals and the gate.
    """
    from datetime import UTC, datetime

    from transformers import AutoModelForCausalLM

    from scbench.lab import card as cards
    from scbench.lab import measure, scan
    from scbench.tasks import names
    from scbench.types import Form

    asked = _lengths(lengths)
    folder = cards.ship(run, to)
    model = scan.fast(AutoModelForCausalLM.from_pretrained(folder).eval())
    cells = []
    for cell in measure.cells(model, names(Form.TINY), asked, count=sessions):
        cells.append(cell)
        mark = "passes" if cell.passes else ""
        say(f"{cell.task} {cell.length_tokens} {cell.mode}: {100 * cell.exact:.1f} % {mark}")
    day = datetime.now(UTC).date().isoformat()
    cards.write(
        folder, model, cells, name=name or to.name, courses=run, date=day, hardware=hardware
    )
    say(f"card: {folder / cards.PAGE}")


def _lengths(words: str) -> list[int]:
    try:
        found = [int(word) for word in words.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise BadConfig(
            f"--lengths {words!r}: whole numbers of tokens joined by commas, for instance "
            f"64,128,256"
        )
    return found
