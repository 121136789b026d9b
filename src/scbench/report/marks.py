"""Signs beside numbers, and what each means: gaps, fewer tasks, cuts, notes of the records."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from scbench.stats import Average, ScoreCell
from scbench.types import (
    BEYOND_TRAINED,
    KEPT_OLD,
    LOOPS,
    NOT_BINDING,
    THOUGHT_CLOSED,
    THOUGHT_OPEN,
    USES_GOLD,
)

PARTIAL, SIGNIFICANT, LACKS, LOST, WEAK = "†", "*", "§", "¶", "◦"
NOTED = {  # note of a record -> its sign, and what it says of a number that it enters
    KEPT_OLD: ("‖", f"made by older code, and kept by --keep-old ({KEPT_OLD})"),
    USES_GOLD: ("⌂", f"a ceiling: it was told what the gold answers rest on ({USES_GOLD})"),
    BEYOND_TRAINED: ("◇", f"beyond the length the model was trained for ({BEYOND_TRAINED})"),
    NOT_BINDING: ("⊇", f"budget not binding: it covers the whole context ({NOT_BINDING})"),
    THOUGHT_CLOSED: ("…", f"thoughts that were closed after --think-tokens ({THOUGHT_CLOSED})"),
    THOUGHT_OPEN: ("∅", f"ended inside a thought, without an answer ({THOUGHT_OPEN})"),
    LOOPS: ("↻", f"answers that say one thing over and over to their limit ({LOOPS})"),
}
WORDS = {PARTIAL: "fewer_tasks", LACKS: "gaps", LOST: "truncated", WEAK: "not_measurable"} | {
    sign: note for note, (sign, _) in NOTED.items()
}


def of_cell(cell: ScoreCell) -> str:
    marks = LACKS if cell.has_gaps else ""
    marks += LOST if cell.truncated_turns else ""
    marks += WEAK if not cell.is_measurable else ""
    return marks + of_notes(cell.noted)


def of_average(average: Average) -> str:
    marks = PARTIAL if average.missing and not average.strict.is_gap else ""
    return marks + (LACKS if average.has_gaps else "") + of_notes(average.noted)


def of_notes(noted: Collection[str]) -> str:
    return "".join(sign for note, (sign, _) in NOTED.items() if note in noted)


def in_words(marks: str) -> str:
    """For files that programs read: `gaps kept_old`."""
    return " ".join(WORDS[mark] for mark in marks)


def count(scored: int, planned: int) -> str:
    """How many turns a number is over: `n 20`, or `n 16 of 20` where some are missing."""
    return f"n {scored}" if scored >= planned else f"n {scored} of {planned}"


def note_lines(used: str, noted: Mapping[str, int], turns: int) -> list[str]:
    """A footnote for each note whose sign is used; `noted` counts the turns that have it."""
    return [
        f"{sign} {what}: {noted[note]:,} of {turns:,} turns."
        if note in noted
        else f"{sign} {what}."
        for note, (sign, what) in NOTED.items()
        if sign in used
    ]
