"""How far readers and golds agree, task by task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from readers import READERS
from scbench.tasks import task
from scbench.tasks.contract import Bytes
from scbench.types import Session, Turn

TASKS = (
    "kv",
    "prefix_suffix",
    "vt",
    "repoqa",
    "qa_eng",
    "qa_chn",
    "choice_eng",
    "mf",
    "many_shot",
    "summary",
    "summary_with_needles",
    "repoqa_and_kv",
)
LENGTHS = (2_000, 12_000, 48_000)  # bytes: the compact shape, and two of the large one


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A turn whose gold its reader does not find."""

    seed: str
    part: str
    ask: str
    gold: str
    read: str | None


def sessions(name: str, *, target: int, count: int, first: int = 0) -> Iterator[Session]:
    """`count` sessions of a task, of so many bytes."""
    made = task(name)
    for i in range(first, first + count):
        yield made.make(seed=f"gold:{i}", target=target, turns=made.turns, count=Bytes())


def question(turn: Turn) -> str:
    """All that a person sees of a turn beside the context."""
    options = [
        f"{letter}. {text}" for letter, text in zip("ABCD", turn.wanted.options, strict=False)
    ]
    return turn.ask if turn.task != "choice_eng" else "\n".join([turn.ask, *options])


def gold(turn: Turn) -> str:
    """As its reader would say it."""
    if turn.task == "summary":
        return ", ".join(turn.wanted.facts)
    return turn.wanted.golds[0] if turn.task == "repoqa" else turn.gold


def disagreements(sessions: Iterable[Session]) -> tuple[int, list[Disagreement]]:
    """Turns in all, and those whose gold is not what the reader found."""
    turns, found = 0, list[Disagreement]()
    for session in sessions:
        for turn in session.turns:
            turns += 1
            read = READERS[turn.task](session.context, question(turn))
            if read != gold(turn):
                seed = str(session.recipe["seed"])
                found.append(
                    Disagreement(
                        seed=seed, part=turn.task, ask=question(turn), gold=gold(turn), read=read
                    )
                )
    return turns, found
