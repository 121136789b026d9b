"""Playing a part of the golden run, comparing it with what was recorded, recording it."""

from __future__ import annotations

from collections.abc import Sequence

from golden import answers, files
from golden.compare import Move, compare, key
from golden.grid import HELD, PART
from golden.held import apart_slots, held
from golden.play import Row, play
from scbench.errors import ScbenchError

OF_ANSWERS = {"scores": answers.scored, "sessions": answers.made}
NAMES = (*OF_ANSWERS, *(f"held:{model}" for model in HELD), *PART)
NOISES = (1, 2)  # seeds of the noise under which a number must stand still to be compared
WIDER = 4  # a logit that noise moves may move this much more


def rows_of(
    name: str, *, methods: Sequence[str] = (), tasks: Sequence[str] = (), noise: int = 0
) -> list[Row]:
    """The numbers of a part, or of some methods and tasks of it, as this code makes them."""
    if name in OF_ANSWERS:
        rows = OF_ANSWERS[name]()
    elif name.startswith("held:"):
        rows = held(name.removeprefix("held:"), methods, noise)
    else:
        rows = play(PART[name].narrowed(methods=tuple(methods), tasks=tuple(tasks)), noise)
    return files.plain(rows)


def check(name: str, *, methods: Sequence[str] = (), tasks: Sequence[str] = ()) -> list[Move]:
    """What moved in a part since it was recorded."""
    try:
        new = rows_of(name, methods=methods, tasks=tasks)
    except ScbenchError as error:  # refused where it used to play
        return [Move(name, "all", "the run", "error", "none", str(error))]
    return compare(files.read(name), new, narrowed=bool(methods or tasks))


def record(name: str) -> tuple[int, int, int]:
    """Write a part anew; rows, near ties, and numbers that are too loose to compare."""
    rows = rows_of(name)
    found = {key(row): row for row in rows}
    for seed in () if name in OF_ANSWERS or name.startswith("toy") else NOISES:
        noisy = {key(row): row for row in rows_of(name, noise=seed)}
        for move in compare(rows, list(noisy.values())):
            row = found[move.part, move.method, move.at]
            loosen(row, move)
    files.write(name, rows)
    ties = sum(row.get("tie") is not None or bool(row.get("near")) for row in rows)
    return len(rows), ties, sum(len(row.get("loose", ())) for row in rows)


def loosen(row: Row, move: Move) -> None:
    """Leave out what the noise moved: the rest of an answer, some slots, or a field; widen
    logits.
    """
    if move.field == "tokens":
        pairs = enumerate(zip(move.old, move.new, strict=False))
        step = next((at for at, (a, b) in pairs if a != b), min(len(move.old), len(move.new)))
        row["tie"] = step if row["tie"] is None else min(row["tie"], step)
    elif move.field == "kept":
        row["near"] = apart_slots(row["near"], move.old, move.new)
    elif move.field == "logits":
        most = max(abs(a - b) for a, b in zip(move.old, move.new, strict=True))
        row["within"] = max(row.get("within", 0.0), round(WIDER * most, 5))
    elif move.field not in row.setdefault("loose", []):
        row["loose"].append(move.field)
