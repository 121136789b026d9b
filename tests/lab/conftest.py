"""A corpus of word pairs: `<bos> k v k v ... <ask> k <ans> v <end> ...`, in the format of the lab's
shards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

BOS, ASK, ANS, END, FIRST_KEY, FIRST_VALUE, VOCAB = 1, 2, 3, 4, 8, 24, 40
Corpus = Callable[..., Path]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """`corpus(rows=..., phases=..., longest_tokens=...)` writes shards (two a phase) and returns
    their folder.
    """

    def write(
        *,
        rows: int = 60,
        phases: int = 1,
        longest_tokens: int = 48,
        seed: int = 0,
        name: str = "data",
    ) -> Path:
        for phase in range(phases):
            for shard in range(2):
                path = tmp_path / name / f"phase-{phase}" / f"shard-{shard:05d}.npz"
                path.parent.mkdir(parents=True, exist_ok=True)
                _shard(path, rows // 2, longest_tokens, np.random.default_rng([seed, phase, shard]))
        return tmp_path / name

    return write


def _shard(path: Path, rows: int, longest_tokens: int, random: np.random.Generator) -> None:
    ids: list[int] = []
    loss: list[int] = []
    starts, task, length = [0], [], []
    for _ in range(rows):
        context_tokens = int(np.exp(random.uniform(np.log(16), np.log(longest_tokens))))
        keys = random.permutation(np.arange(FIRST_KEY, FIRST_VALUE))
        values = random.integers(FIRST_VALUE, VOCAB, len(keys))
        context = [int(x) for pair in zip(keys, values, strict=True) for x in pair][
            : context_tokens - 1
        ]
        ids += [BOS, *context, *([0] * (context_tokens - 1 - len(context)))]
        loss += [0] * context_tokens
        for _ in range(3):
            asked = int(random.integers(min(context_tokens // 4, len(keys))))
            ids += [ASK, int(keys[asked]), ANS, int(values[asked]), END]
            loss += [0, 0, 0, 1, 1]
        starts.append(len(ids))
        task.append(int(random.integers(3)))
        length.append(context_tokens)
    np.savez(
        path,
        ids=np.array(ids, np.uint16),
        loss=np.array(loss, np.uint8),
        starts=np.array(starts, np.int64),
        task=np.array(task, np.uint8),
        length=np.array(length, np.uint16),
    )
