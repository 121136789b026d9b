"""Parts of the grid to rows of numbers, through the package's public door."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import scbench
from golden.grid import Part
from golden.models import engine
from golden.watch import Watch, watched

TIE = 1e-3  # two best logits closer than this are a near tie
COSTS = (
    "held_bytes",
    "shared_bytes",
    "loaded_bytes",
    "moved_bytes",
    "logical_tokens",
    "stored_tokens",
    "hit_tokens",
    "hit_disk_tokens",
    "read_tokens",
)
Row = dict[str, Any]


def play(part: Part, noise: int = 0) -> list[Row]:
    """One row for every turn of every method."""
    model = engine(part.model, noise)
    with tempfile.TemporaryDirectory() as folder, watched(model) as watch, quiet():
        result = scbench.run(
            engine=model,
            model=part.model,
            tasks=list(part.tasks),
            methods=list(part.methods),
            length=part.length,
            sessions=1,
            turns=part.turns,
            seed="golden",
            cost_sessions=0,
            accounting="store",
            out=folder,
            quiet=True,
            **part.more,
        )
        assert result.outcome is not None
        assert not result.outcome.gaps, result.outcome.gaps
        assert not result.outcome.does_not_apply, result.outcome.does_not_apply
        rows = [row_of(part, record, watch) for record in result.records()]
    return sorted(rows, key=lambda row: row["at"])


def row_of(part: Part, record: Any, watch: Watch) -> Row:
    """The numbers of one record. `tie` is the first step whose two best logits nearly tie."""
    at = f"{record.task} {record.mode} turn {record.turn}"
    row: Row = {"part": part.name, "method": record.method, "at": at}
    if record.failure is not None:
        return {**row, "failure": record.failure.kind}
    ids = tuple(record.answer.ids)
    steps = range(len(ids) + 1)
    over = record.cost.shared_bytes
    margins = (watch.margin(record.prompt_tokens, ids, step, over) for step in steps)
    tie = next((step for step, margin in enumerate(margins) if margin < TIE), None)
    cost: Mapping[str, Any] = {name: getattr(record.cost, name) for name in COSTS}
    return {
        **row,
        "tokens": [*ids, str(record.answer.finish)],
        "tie": tie,
        "strict": record.strict.value,
        "official": record.official.value,
        "prompt_tokens": record.prompt_tokens,
        "evidence_kept": record.evidence_kept,
        "evidence_held": record.evidence_held,
        "evidence_loaded": record.evidence_loaded,
        **cost,
        **(
            {}
            if part.more.get("history") == "model"
            else {"shown": watch.shown(record.prompt_tokens)}
        ),
    }


@contextlib.contextmanager
def quiet() -> Any:
    """No progress bars of other packages, no warnings of theirs."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
