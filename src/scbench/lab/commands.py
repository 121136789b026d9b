"""`scbench lab`: train small matched models on the benchmark's own generators. Torch is imported when a command runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from scbench.lab.train import Training

lab = typer.Typer(
    name="lab",
    help="Train small matched models (attention, Mamba-2, both) on the benchmark's own tasks.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
LEARNS, RUNS = "How it learns", "Where it runs"
out_ = Console()


@lab.callback()
def _lab() -> None:
    """Small matched models, so that architectures and methods meet on equal terms."""


@lab.command()
def train(
    ctx: typer.Context,
    arch: Annotated[str, typer.Option(help="transformer, mamba2 or hybrid; all see the same tokens in the same order")],
    to: Annotated[Path, typer.Option("--out", help="folder of the run; the same command resumes it")],
    data: Annotated[
        Path | None,
        typer.Option(help="folder with phase-0/shard-*.npz, ...; default: OUT/data, written first if it is not there"),
    ] = None,
    size: Annotated[str, typer.Option(help="size of the model: base, tiny")] = "base",
    seed: Annotated[int, typer.Option(help="of the first weights and of the order of the rows")] = 0,
    steps: Annotated[int | None, typer.Option(help="default: to the end of the data", rich_help_panel=LEARNS)] = None,
    step_tokens: Annotated[int, typer.Option(help="tokens of one step, padding included", rich_help_panel=LEARNS)] = 8192,
    lr: Annotated[float, typer.Option(help="rate of Muon (matrices inside blocks)", rich_help_panel=LEARNS)] = 0.02,
    adam_lr: Annotated[float, typer.Option(help="rate of AdamW (everything else)", rich_help_panel=LEARNS)] = 3e-3,
    weight_decay: Annotated[float, typer.Option(help="on matrices and embeddings", rich_help_panel=LEARNS)] = 0.01,
    warmup_steps: Annotated[int, typer.Option("--warmup", help="steps until the full rate", rich_help_panel=LEARNS)] = 100,
    decay: Annotated[str, typer.Option(help="to a tenth of the rate: cosine or linear", rich_help_panel=LEARNS)] = "cosine",
    schedule: Annotated[
        Path | None, typer.Option(help="JSON with doses per phase; default: every row once", rich_help_panel=LEARNS)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N", rich_help_panel=RUNS)] = "auto",
    precision: Annotated[
        str, typer.Option(help="of products: float32, bfloat16; auto is bfloat16 on a GPU", rich_help_panel=RUNS)
    ] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: torch's own", rich_help_panel=RUNS)] = None,
    checkpoint_s: Annotated[float, typer.Option(help="seconds between checkpoints", rich_help_panel=RUNS)] = 300.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress", rich_help_panel=RUNS)] = False,
) -> None:
    """Train one small model and leave a transformers checkpoint in OUT/model, which `scbench run --model OUT/model` takes.

    Kill it at any time; the same command goes on from the last checkpoint, on the CPU to the same weights bit for bit.
    Loss and accuracy of every task are in OUT/curves.jsonl, one line per 50 steps. The loss is on answers only.

    Three matched models: write the data once, then `--arch transformer`, `mamba2` and `hybrid` with the same --data and --seed.
    """
    from scbench.lab import tokens
    from scbench.lab.train import train as run

    folder = data or _written(to / "data")
    trained = run(
        folder,
        to,
        _training(ctx.params),
        device=device,
        threads=threads,
        checkpoint_s=checkpoint_s,
        save_tokenizer=tokens.save,
        quiet=quiet,
    )
    out_.print(f"model: {trained.model}", highlight=False, soft_wrap=True)
    if not trained.finished:
        out_.print(f"stopped at step {trained.steps} of {trained.of_steps}; the same command goes on", highlight=False)
        raise typer.Exit(130)


def _training(words: Mapping[str, Any]) -> Training:
    """The options that decide the weights, under the tokenizer's vocabulary."""
    from scbench.lab import schedule, tokens
    from scbench.lab.train import Training

    ids, doses = tokens.vocabulary(), words["schedule"]
    given = {field.name: words[field.name] for field in fields(Training) if field.name in words}
    given["schedule"] = schedule.read(doses) if doses else schedule.EVERY_ROW_ONCE
    return Training(**given, vocab=len(ids), bos=ids[tokens.BOS], eos=ids[tokens.END])


def _written(folder: Path) -> Path:
    """The training data in `folder`; whatever is missing is written first."""
    from scbench.lab import corpus

    out_.print(f"writing training data to {folder} (what is there is kept)", highlight=False, soft_wrap=True)
    corpus.write(folder)
    return folder
