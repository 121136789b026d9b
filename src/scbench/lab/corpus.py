"""Training data: sessions of the tiny forms with gold history, as shards of token ids that every
architecture reads in the same order.

Seeds are whole numbers below EVALUATION_SEEDS; what is evaluated has seeds from there on, so no
session is ever in both.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scbench.errors import BadConfig, TooSmall
from scbench.lab.tokens import ANS, END, NAME, Count, tokenizer
from scbench.prompts import Conversation
from scbench.tasks import names, task
from scbench.tasks.contract import Task
from scbench.tasks.draw import Draw
from scbench.types import Form, Mode, Protocol, Session

EVALUATION_SEEDS = 1_000_000
LEAST_TOKENS = 32  # of a context


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One phase: about `tokens` tokens of sessions with contexts log-uniform from `shortest_tokens`
    to `longest_tokens`.
    """

    tokens: int
    shortest_tokens: int
    longest_tokens: int
    weights: Mapping[str, int] | None = None  # sessions of each task; None: those of `course`
    course: int = 1  # whose weights and numbers of turns it takes (`tasks.contract.Practice`)


def weights(course: int) -> dict[str, int]:
    """Sessions of each tiny task in a course: more of what is learned late."""
    practices = {name: task(name, Form.TINY).practice for name in names(Form.TINY)}
    return {
        name: practice.weights[course - 1] if practice is not None else 0
        for name, practice in practices.items()
    }


# ten facts first: among two or three, copying any of them is often right, and nothing is learned
# from being right
PORTIONS = (
    Portion(tokens=1_100_000, shortest_tokens=32, longest_tokens=96),
    Portion(tokens=1_300_000, shortest_tokens=48, longest_tokens=256),
    Portion(tokens=1_700_000, shortest_tokens=64, longest_tokens=1024),
    Portion(tokens=2_200_000, shortest_tokens=128, longest_tokens=2048),
)
LATE_PORTIONS = (
    Portion(
        tokens=600_000,
        shortest_tokens=48,
        longest_tokens=256,
        course=2,
    ),
    Portion(
        tokens=500_000,
        shortest_tokens=256,
        longest_tokens=2048,
        course=2,
    ),
)
COURSES = {
    1: PORTIONS,
    2: LATE_PORTIONS,
}  # the second goes on from the first (`--start`); its sessions are others
EPOCHS = 2  # every row is shown twice: drawing sessions costs more than learning from one again
SCHEDULE = "schedule.json"


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """One session as a stream: `<bos> context <ask> q <ans> a <end> ...`. `loss` marks what is to
    be predicted: answers and their ends.
    """

    ids: tuple[int, ...]
    loss: tuple[int, ...]


def row(session: Session) -> CorpusRow:
    """Rendered exactly as the benchmark renders a multi-turn session with gold history, up to the
    end of the last answer.
    """
    tokens = tokenizer()
    turns = session.turns
    last = Conversation(session, tokens, Protocol(), Mode.MULTI_TURN).prompt(len(turns) - 1).ids
    ids = last + tokens.encode(f" {turns[-1].gold} {END}").ids
    answers, ends = (tokens.raw.convert_tokens_to_ids(token) for token in (ANS, END))
    loss, inside = [], False
    for token in ids:
        loss.append(int(inside))
        inside = token == answers or (inside and token != ends)
    return CorpusRow(tuple(ids), tuple(loss))


def session_of(kind: Task, seed: int, length_tokens: int, course: int = 1) -> Session:
    """A session of about as many turns as the length holds: many questions a context are much to
    learn from one reading.
    """
    assert kind.practice is not None, f"{kind.name} is not practised"
    turns = kind.practice.most_turns[course - 1]
    while True:
        try:
            return kind.make(seed=str(seed), target=length_tokens, turns=turns, count=Count())
        except TooSmall as error:
            turns, length_tokens = (
                (turns * 4 // 5, length_tokens) if turns > 1 else (1, error.minimum)
            )


def sample(seed: int, portion: Portion) -> tuple[int, int, CorpusRow]:
    """(task index, context length, row) of a training seed."""
    draw = Draw("lab", "corpus", str(seed))
    known = names(Form.TINY)
    shares = portion.weights or weights(portion.course)
    tickets = [index for index, name in enumerate(known) for _ in range(shares[name])]
    index = draw.choice(tickets)
    low, high = math.log(portion.shortest_tokens), math.log(portion.longest_tokens)
    length_tokens = round(math.exp(low + (high - low) * draw.unit()))
    session = session_of(task(known[index], Form.TINY), seed, length_tokens, portion.course)
    return index, length_tokens, row(session)


def shard(path: Path, portion: Portion, first_seed: int, tokens: int) -> int:
    """Write rows of seeds first_seed, first_seed + 1, ... until there are `tokens`; returns how
    many tokens there are.
    """
    rows: list[tuple[int, int, CorpusRow]] = []
    held = 0
    while held < tokens:
        rows.append(sample(first_seed + len(rows), portion))
        held += len(rows[-1][2].ids)
    starts = np.cumsum([0, *(len(found.ids) for _, _, found in rows)])
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        ids=np.concatenate([np.array(found.ids, np.uint16) for _, _, found in rows]),
        loss=np.concatenate([np.array(found.loss, np.uint8) for _, _, found in rows]),
        starts=starts.astype(np.int64),
        task=np.array([index for index, _, _ in rows], np.uint8),
        length=np.array([length for _, length, _ in rows], np.uint16),
    )
    os.replace(part, path)
    return held


def write(
    folder: Path,
    *,
    portions: Sequence[Portion] = PORTIONS,
    seed: int = 0,
    processes: int = 2,
    shard_tokens: int = 250_000,
) -> list[Path]:
    """Write `phase-0/shard-00000.npz`, ..., and how often they are shown (schedule.json); shards
    that are there already are kept. `seed` moves the block of seeds (raises BadConfig beyond 1).

    A shard owns more seeds than it has rows, each of at least LEAST_TOKENS, so no two shards share
    a session.
    """
    if seed not in (0, 1):
        raise BadConfig(
            f"data seed {seed}: choose 0 or 1; each owns half of the training seeds, all below "
            f"{EVALUATION_SEEDS:,}"
        )
    own = EVALUATION_SEEDS // 2
    seeds_of_shard = shard_tokens // LEAST_TOKENS
    jobs: list[tuple[Path, Portion, int]] = []
    for number, portion in enumerate(portions):
        for index in range(-(-portion.tokens // shard_tokens)):
            path = folder / f"phase-{number}" / f"shard-{index:05d}.npz"
            jobs.append((path, portion, seed * own + len(jobs) * seeds_of_shard))
    if len(jobs) * seeds_of_shard > own:
        raise BadConfig(
            f"{len(jobs)} shards need {len(jobs) * seeds_of_shard:,} seeds, a data seed owns "
            f"{own:,}; ask for fewer tokens"
        )
    folder.mkdir(parents=True, exist_ok=True)
    doses = [{"tokens": portion.tokens * EPOCHS} for portion in portions]
    (folder / SCHEDULE).write_text(json.dumps({"phases": doses}) + "\n", encoding="utf-8")
    todo = [job for job in jobs if not job[0].exists()]
    for path, _, _ in todo:
        path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        done = [
            pool.submit(shard, path, portion, first, shard_tokens) for path, portion, first in todo
        ]
        for one in done:
            one.result()
    return [path for path, _, _ in jobs]


__all__ = [
    "COURSES",
    "EVALUATION_SEEDS",
    "NAME",
    "PORTIONS",
    "CorpusRow",
    "Portion",
    "row",
    "sample",
    "session_of",
    "write",
]
