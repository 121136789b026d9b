"""Rows of token shards, in the order every architecture sees them.

A shard is an .npz: `ids` uint16 [tokens], `loss` uint8 [tokens] (1 where that token is to be
predicted), `starts` int64 [rows + 1], `task` uint8 [rows] (index into
`scbench.tasks.names(Form.TINY)`), `length` uint16 [rows] (tokens of context asked for). The order
depends on the shards, the schedule, the seed and the size of a step, and on nothing else.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from scbench.errors import BadConfig, DataError
from scbench.lab.schedule import EVERY_ROW_ONCE, Phase, Schedule
from scbench.tasks import names
from scbench.types import Form

POOL_ROWS = (
    512  # rows sorted by size together: few enough to keep the order random, enough to pad little
)
MEMBERS = ("ids", "loss", "starts", "task", "length")
Ints: TypeAlias = Any  # an int64 array; numpy is untyped in this house


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's rows, padded right. `at` are the flat places [flagged] in ids[:, :-1] whose next
    token is to be predicted.
    """

    ids: Tensor  # int64 [rows, width]
    at: Tensor  # int64 [flagged]
    wanted: Tensor  # int64 [flagged], the tokens to predict
    answer: Tensor  # int64 [flagged], which answer of the batch each belongs to, from 0
    task: Tensor  # int64 [answers], index into tasks.names(Form.TINY)
    tokens: int  # without padding

    def to(self, device: torch.device) -> Batch:
        ids, at, wanted, answer, task = (
            one.to(device) for one in (self.ids, self.at, self.wanted, self.answer, self.task)
        )
        return Batch(ids, at, wanted, answer, task, self.tokens)


@dataclass(frozen=True)
class Shards:
    """The shards of one phase as one row of rows; tokens are read when they are first needed."""

    paths: tuple[Path, ...]

    def _joined(self, member: str) -> Any:
        return np.concatenate([_member(path, member) for path in self.paths])

    @cached_property
    def starts(self) -> Ints:
        found: list[Ints] = [np.zeros(1, np.int64)]
        offset = 0
        for path in self.paths:
            starts: Ints = _member(path, "starts").astype(np.int64)
            found.append(starts[1:] + offset)
            offset += int(starts[-1])
        return np.concatenate(found)

    @cached_property
    def task(self) -> Ints:
        return self._joined("task").astype(np.int64)

    @cached_property
    def length_tokens(self) -> Ints:
        return self._joined("length").astype(np.int64)

    @property
    def row_tokens(self) -> Ints:
        return np.diff(self.starts)

    @cached_property
    def tokens(self) -> tuple[Any, Any]:
        return self._joined("ids").astype(np.uint16, copy=False), self._joined("loss").astype(
            np.uint8, copy=False
        )

    def batch(self, rows: Ints) -> Batch:
        """Collate these rows in this order."""
        ids, loss = self.tokens
        width = int(self.row_tokens[rows].max())
        padded: Any = np.zeros((len(rows), width), np.int64)
        flags: Any = np.zeros((len(rows), width), bool)
        for line, row in enumerate(rows):
            first, last = self.starts[row], self.starts[row + 1]
            padded[line, : last - first] = ids[first:last]
            flags[line, : last - first] = loss[first:last]
        flags[:, 0] = False  # nothing predicts the first token
        begins = flags.copy()
        begins[:, 1:] &= ~flags[:, :-1]
        place, column = np.nonzero(flags)
        if not len(place):
            raise DataError(
                f"{self.paths[0].parent}: a step of {len(rows)} rows has no token to predict; its "
                f"shards flag none in `loss`"
            )
        answer = np.cumsum(begins[place, column]) - 1
        return Batch(
            ids=torch.from_numpy(padded),
            at=torch.from_numpy(place * (width - 1) + column - 1),
            wanted=torch.from_numpy(padded[place, column]),
            answer=torch.from_numpy(answer),
            task=torch.from_numpy(self.task[rows][np.nonzero(begins)[0]]),
            tokens=int(self.row_tokens[rows].sum()),
        )


class Course:
    """All phases of a data folder, cut into steps. `course.batch(step)` for step in
    range(len(course)); one phase is in memory at a time.
    """

    def __init__(
        self, folder: Path, *, seed: int, step_tokens: int, schedule: Schedule = EVERY_ROW_ONCE
    ) -> None:
        self.folder = folder
        self.phases = [Shards(paths) for paths in _phases(folder)]
        if len(schedule.phases) > len(self.phases):
            raise BadConfig(
                f"the schedule has {len(schedule.phases)} phases, {folder} has {len(self.phases)}; "
                f"give as many as folders"
            )
        self.steps: list[tuple[int, Ints]] = []
        for number, shards in enumerate(self.phases):
            random = np.random.default_rng([seed, number])
            rows = _dose(shards, schedule.phase(number), random)
            self.steps += [
                (number, rows) for rows in _buckets(rows, shards.row_tokens, step_tokens, random)
            ]
        if not self.steps:
            raise DataError(
                f"{folder}: the schedule leaves no row; raise its longest_tokens, or write longer "
                f"data"
            )
        self.step_tokens = np.array(
            [int(self.phases[number].row_tokens[rows].sum()) for number, rows in self.steps]
        )
        self.step_slots = np.array(
            [
                int(self.phases[number].row_tokens[rows].max()) * len(rows)
                for number, rows in self.steps
            ]
        )

    def __len__(self) -> int:
        return len(self.steps)

    def padding_ratio(self, steps: int) -> float:
        """Padded slots among all slots of the first steps."""
        return 1.0 - float(self.step_tokens[:steps].sum()) / float(self.step_slots[:steps].sum())

    def highest_id(self) -> int:
        """What a vocabulary must exceed; reads all tokens once."""
        return max(
            int(_member(path, "ids").max()) for shards in self.phases for path in shards.paths
        )

    def phase(self, step: int) -> int:
        return self.steps[step][0]

    def batch(self, step: int) -> Batch:
        number, rows = self.steps[step]
        for other, shards in enumerate(self.phases):
            if other != number:
                vars(shards).pop("tokens", None)
        return self.phases[number].batch(rows)

    @property
    def longest_row_tokens(self) -> int:
        """The longest text that is shown: context, questions and answers."""
        return max(int(self.phases[number].row_tokens[rows].max()) for number, rows in self.steps)

    def digest(self) -> str:
        """Sixteen hex digits of what is shown in which order: the shards' checksums and every
        step's rows.
        """
        hashed = hashlib.sha256()
        for shards in self.phases:
            for path in shards.paths:
                with zipfile.ZipFile(path) as archive:
                    hashed.update(
                        repr(
                            [(one.filename, one.CRC, one.file_size) for one in archive.infolist()]
                        ).encode()
                    )
        for number, rows in self.steps:
            hashed.update(number.to_bytes(4, "little") + rows.tobytes() + b"|")
        return hashed.hexdigest()[:16]


def _phases(folder: Path) -> list[tuple[Path, ...]]:
    found: list[tuple[Path, ...]] = []
    while paths := tuple(sorted((folder / f"phase-{len(found)}").glob("shard-*.npz"))):
        found.append(paths)
    if not found:
        raise DataError(
            f"{folder} has no phase-0/shard-*.npz; write training data there first (`scbench lab "
            f"train` without --data does)"
        )
    return found


def _member(path: Path, member: str) -> Any:
    try:
        with np.load(path, allow_pickle=False) as shard:
            return shard[member]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a shard: {member} cannot be read ({error}); a shard holds "
            f"{', '.join(MEMBERS)}"
        ) from error


def _dose(shards: Shards, phase: Phase, random: np.random.Generator) -> Ints:
    """The rows of a phase in random order, with repeats where a task's share is larger than its
    rows.
    """
    known = names(Form.TINY)
    if stray := sorted({name for name, _ in phase.weights} - set(known)):
        raise BadConfig(f"weights name {', '.join(stray)}; the tasks are {', '.join(known)}")
    longest = phase.longest_tokens
    allowed = (
        np.arange(len(shards.task))
        if longest is None
        else np.nonzero(shards.length_tokens <= longest)[0]
    )
    if phase.tokens is None or not len(allowed):
        return random.permutation(allowed)
    of_task = {
        number: allowed[shards.task[allowed] == number]
        for number in np.unique(shards.task[allowed]).tolist()
    }
    given = {known.index(name): weight for name, weight in phase.weights}
    weights = {
        n: given.get(n, 0.0) if given else float(shards.row_tokens[rows].sum())
        for n, rows in of_task.items()
    }
    if missing := [
        known[number] for number, weight in given.items() if weight and number not in of_task
    ]:
        raise BadConfig(
            f"weights ask for {', '.join(missing)}, of which the phase has no row within its "
            f"longest_tokens"
        )
    total = sum(weights.values()) or 1.0
    drawn = [
        _share(rows, shards.row_tokens, phase.tokens * weights[n] / total, random)
        for n, rows in of_task.items()
        if weights[n]
    ]
    return random.permutation(np.concatenate(drawn)) if drawn else allowed[:0]


def _share(rows: Ints, row_tokens: Ints, tokens: float, random: np.random.Generator) -> Ints:
    drawn: list[Ints] = []
    while tokens > 0:
        order = random.permutation(rows)
        before = np.cumsum(row_tokens[order]) - row_tokens[order]
        drawn.append(order[before < tokens])
        tokens -= float(row_tokens[drawn[-1]].sum())
    return np.concatenate(drawn)


def _buckets(
    rows: Ints, row_tokens: Ints, step_tokens: int, random: np.random.Generator
) -> list[Ints]:
    """Cut rows into steps of at most `step_tokens` slots (one row may be longer): sorted by size
    inside a pool, steps shuffled inside it.

    The steps of a pool are taken from its longest rows down; the rows that no longer fill a step go
    into the next pool.
    """
    steps: list[Ints] = []
    rest = rows[:0]
    for first in range(0, len(rows), POOL_ROWS):
        pool = np.concatenate([rest, rows[first : first + POOL_ROWS]])
        pool = pool[np.argsort(-row_tokens[pool], kind="stable")]
        cut = _cut(pool, row_tokens, step_tokens)
        last = first + POOL_ROWS >= len(rows)
        rest = pool[:0] if last else cut.pop()
        steps += [cut[place] for place in random.permutation(len(cut))]
    return steps


def _cut(pool: Ints, row_tokens: Ints, step_tokens: int) -> list[Ints]:
    cut: list[Ints] = []
    first = 0
    while first < len(pool):
        count = max(1, step_tokens // int(row_tokens[pool[first]]))
        cut.append(pool[first : first + count])
        first += count
    return cut
