"""Training data: sessions of the tiny forms with gold history, as shards of token ids that every architecture reads in the same order.

Seeds are whole numbers below EVALUATION_SEEDS; what is evaluated has seeds from there on, so no session is ever in both.
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
MOST_TURNS: Mapping[str, int] = {
    "mf": 6,
    "choice_eng": 8,
    "vt": 12,
    "qa_chn": 16,
    "many_shot": 16,
    "summary": 16,
    "summary_with_needles": 16,
    "repoqa_and_kv": 16,
}
USUAL_MOST_TURNS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One phase: about `tokens` tokens of sessions with contexts log-uniform from `shortest_tokens` to `longest_tokens`."""

    tokens: int
    shortest_tokens: int
    longest_tokens: int
    weights: Mapping[str, int] | None = None  # sessions of each task; None: WEIGHTS
    turns: Mapping[str, int] | None = None  # at most, of each task; None: MOST_TURNS


WEIGHTS: Mapping[str, int] = {  # sessions of each task: more of what is learned late
    "kv": 4,
    "prefix_suffix": 5,
    "vt": 4,
    "repoqa": 2,
    "qa_eng": 3,
    "qa_chn": 3,
    "choice_eng": 5,
    "mf": 4,
    "many_shot": 3,
    "summary": 2,
    "summary_with_needles": 2,
    "repoqa_and_kv": 2,
}
PORTIONS = (  # ten facts first: among two or three, copying any of them is often right, and nothing is learned from being right
    Portion(tokens=1_100_000, shortest_tokens=32, longest_tokens=96),
    Portion(tokens=1_300_000, shortest_tokens=48, longest_tokens=256),
    Portion(tokens=1_700_000, shortest_tokens=64, longest_tokens=1024),
    Portion(tokens=2_200_000, shortest_tokens=128, longest_tokens=2048),
)
LATE_WEIGHTS: Mapping[
    str, int
] = {  # a letter of four teaches little, and the first largest number less: these two come late or not at all
    "kv": 2,
    "prefix_suffix": 3,
    "vt": 2,
    "repoqa": 4,
    "qa_eng": 2,
    "qa_chn": 4,
    "choice_eng": 12,
    "mf": 14,
    "many_shot": 3,
    "summary": 4,
    "summary_with_needles": 2,
    "repoqa_and_kv": 2,
}
LATE_TURNS = {
    **MOST_TURNS,
    "mf": 3,
}  # earlier answers give the later ones away, and the first is what is to be learned
LATE_PORTIONS = (
    Portion(
        tokens=600_000,
        shortest_tokens=48,
        longest_tokens=256,
        weights=LATE_WEIGHTS,
        turns=LATE_TURNS,
    ),
    Portion(
        tokens=500_000,
        shortest_tokens=256,
        longest_tokens=2048,
        weights=LATE_WEIGHTS,
        turns=LATE_TURNS,
    ),
)
COURSES = {
    1: PORTIONS,
    2: LATE_PORTIONS,
}  # the second goes on from the first (`--start`); its sessions are others
EPOCHS = 2  # every row is shown twice: drawing sessions costs more than learning from one again
SCHEDULE = "schedule.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One session as a stream: `<bos> context <ask> q <ans> a <end> ...`. `loss` marks what is to be predicted: answers and their ends."""

    ids: tuple[int, ...]
    loss: tuple[int, ...]


def row(session: Session) -> Row:
    """Rendered exactly as the benchmark renders a multi-turn session with gold history, up to the end of the last answer."""
    tokens = tokenizer()
    turns = session.turns
    last = Conversation(session, tokens, Protocol(), Mode.MULTI_TURN).prompt(len(turns) - 1).ids
    ids = last + tokens.encode(f" {turns[-1].gold} {END}").ids
    answers, ends = (tokens.raw.convert_tokens_to_ids(token) for token in (ANS, END))
    loss, inside = [], False
    for token in ids:
        loss.append(int(inside))
        inside = token == answers or (inside and token != ends)
    return Row(tuple(ids), tuple(loss))


def session_of(
    kind: Task, seed: int, length_tokens: int, most_turns: Mapping[str, int] = MOST_TURNS
) -> Session:
    """A session of about as many turns as the length holds: many questions a context are much to learn from one reading."""
    turns = most_turns.get(kind.name, USUAL_MOST_TURNS)
    while True:
        try:
            return kind.make(seed=str(seed), target=length_tokens, turns=turns, count=Count())
        except TooSmall as error:
            turns, length_tokens = (
                (turns * 4 // 5, length_tokens) if turns > 1 else (1, error.minimum)
            )


def sample(seed: int, portion: Portion) -> tuple[int, int, Row]:
    """(task index, context length, row) of a training seed."""
    draw = Draw("lab", "corpus", str(seed))
    known = names()
    weights = portion.weights or WEIGHTS
    tickets = [index for index, name in enumerate(known) for _ in range(weights[name])]
    index = draw.choice(tickets)
    low, high = math.log(portion.shortest_tokens), math.log(portion.longest_tokens)
    length_tokens = round(math.exp(low + (high - low) * draw.unit()))
    session = session_of(
        task(known[index], Form.TINY), seed, length_tokens, portion.turns or MOST_TURNS
    )
    return index, length_tokens, row(session)


def shard(path: Path, portion: Portion, first_seed: int, tokens: int) -> int:
    """Write rows of seeds first_seed, first_seed + 1, ... until there are `tokens`; returns how many tokens there are."""
    rows: list[tuple[int, int, Row]] = []
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
    """Write `phase-0/shard-00000.npz`, ..., and how often they are shown (schedule.json); shards that are there already are kept. `seed` moves the block of seeds (raises BadConfig beyond 1).

    A shard owns more seeds than it has rows, each of at least LEAST_TOKENS, so no two shards share a session.
    """
    if seed not in (0, 1):
        raise BadConfig(
            f"data seed {seed}: choose 0 or 1; each owns half of the training seeds, all below {EVALUATION_SEEDS:,}"
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
            f"{len(jobs)} shards need {len(jobs) * seeds_of_shard:,} seeds, a data seed owns {own:,}; ask for fewer tokens"
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
    "Portion",
    "Row",
    "row",
    "sample",
    "session_of",
    "write",
]
