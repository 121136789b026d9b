"""What the law tests share: counters, sessions kept for reuse, and small questions put to them."""

from __future__ import annotations

from functools import cache

import pytest
from solvers_strings import SOLVERS
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from scbench.scoring import grade
from scbench.task_cards import PAPER
from scbench.tasks import task
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.types import Role, Session, Turn

READ_ELSEWHERE = {  # P7 and P8, by a reader of the task's own text
    "repoqa": "test_repoqa.py",
    "qa_eng": "test_story_tasks.py",
    "qa_chn": "test_story_tasks.py",
    "choice_eng": "test_story_tasks.py",
    "summary": "test_summary.py",
    "summary_with_needles": "test_mixes.py",
    "repoqa_and_kv": "test_mixes.py",
}


class Thirds:
    """A third of the bytes: close to what sub-word tokenizers count, and quick."""

    name = "thirds"

    def __call__(self, text: str) -> int:
        return (len(text.encode()) + 2) // 3


class Trained:
    """A real sub-word tokenizer, trained here on a task's own text; its counts do not add up over
    pieces.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tokenizer = Tokenizer(models.BPE() if name == "bpe" else models.Unigram())
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        kind = trainers.BpeTrainer if name == "bpe" else trainers.UnigramTrainer
        texts = [
            task(one).make(seed="train", target=6_000, turns=2, count=Bytes()).context
            for one in ("vt", "many_shot", "kv", "qa_eng")
        ]
        self._tokenizer.train_from_iterator(
            texts, kind(vocab_size=1200, initial_alphabet=alphabet, show_progress=False)
        )

    def __call__(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)


@cache
def counter(name: str) -> Counter:
    return (
        {"words": Words, "bytes": Bytes, "thirds": Thirds}[name]()
        if name in ("words", "bytes", "thirds")
        else Trained(name)
    )


@cache
def make(
    name: str, seed: str = "1:0", target: int = 4096, turns: int = 0, count: str = "thirds"
) -> Session:
    return task(name).make(
        seed=seed, target=target, turns=turns or task(name).turns, count=counter(count)
    )


def few(name: str) -> list[Session]:
    """Compact and large sessions of several seeds."""
    return [make(name, f"1:{i}") for i in range(3)] + [
        make(name, f"1:{i}", target=2000, turns=3) for i in range(3)
    ]


def strict(turn: Turn, prediction: str) -> float:
    score = grade(turn.task, prediction, turn.wanted, rule="strict")
    assert score.value is not None, score
    return score.value


def text_of(session: Session, turn: Turn, role: Role) -> list[str]:
    return [session.context[span.start : span.stop] for span in turn.evidence if span.role is role]


ALL = pytest.mark.parametrize("name", PAPER)
SOLVED = pytest.mark.parametrize("name", sorted(SOLVERS))
