"""Training data: rendered as the benchmark renders, loss on answers alone, the same for ever, and
never what is evaluated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scbench.errors import BadConfig
from scbench.lab import corpus, tokens
from scbench.lab.batches import Course
from scbench.lab.corpus import EVALUATION_SEEDS, Portion
from scbench.tasks import names, task
from scbench.types import Form

SMALL = Portion(tokens=3_000, shortest_tokens=16, longest_tokens=64)


@pytest.mark.parametrize("name", names(Form.TINY))
def test_the_loss_is_on_the_answers_and_their_ends_and_on_nothing_else(name: str) -> None:
    session = task(name, Form.TINY).make(seed="7", target=200, turns=3, count=tokens.Count())
    row = corpus.row(session)
    found = tokens.tokenizer()
    said = [token if flag else -1 for token, flag in zip(row.ids, row.loss, strict=True)]
    end = tokens.vocabulary()[tokens.END]
    answers: list[list[int]] = [[]]
    for token in said:
        if token == end:
            answers.append([])
        elif token >= 0:
            answers[-1].append(token)
    assert [found.decode(answer).strip() for answer in answers[:-1]] == [
        turn.gold for turn in session.turns
    ]
    assert answers[-1] == []
    assert row.ids[-1] == end


@pytest.mark.slow
def test_shards_are_the_same_whenever_they_are_written_and_their_sessions_differ(
    tmp_path: Path,
) -> None:
    for folder in ("one", "two"):
        corpus.write(tmp_path / folder, portions=(SMALL, SMALL), processes=1, shard_tokens=1_500)
    assert (
        Course(tmp_path / "one", seed=0, step_tokens=512).digest()
        == Course(tmp_path / "two", seed=0, step_tokens=512).digest()
    )
    rows = []
    for path in sorted((tmp_path / "one").glob("phase-*/*.npz")):
        shard = np.load(path)
        rows += [
            tuple(shard["ids"][a:b])
            for a, b in zip(shard["starts"], shard["starts"][1:], strict=False)
        ]
    assert len(set(rows)) == len(rows) > 60


def test_training_seeds_end_where_evaluation_begins(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="seeds"):
        corpus.write(
            tmp_path, portions=(Portion(tokens=40_000_000, shortest_tokens=16, longest_tokens=64),)
        )
    with pytest.raises(BadConfig, match="choose 0 or 1"):
        corpus.write(tmp_path, portions=(SMALL,), seed=2)
    assert EVALUATION_SEEDS == 1_000_000


@pytest.mark.slow
def test_every_portion_holds_every_task_as_often_as_its_weight(tmp_path: Path) -> None:
    kinds = [corpus.sample(seed, SMALL)[0] for seed in range(1_500)]
    shares = np.bincount(kinds, minlength=12) / len(kinds)
    weights = corpus.weights(SMALL.course)
    wanted = np.array([weights[name] for name in names(Form.TINY)]) / sum(weights.values())
    assert np.abs(shares - wanted).max() < 0.03


@pytest.mark.slow
def test_a_portion_with_weights_of_its_own_holds_tasks_in_these_shares() -> None:
    own = Portion(
        tokens=3_000,
        shortest_tokens=32,
        longest_tokens=64,
        weights={**dict.fromkeys(names(Form.TINY), 0), "mf": 3, "vt": 1},
    )
    kinds = np.array([corpus.sample(seed, own)[0] for seed in range(400)])
    assert set(kinds) == {names(Form.TINY).index("mf"), names(Form.TINY).index("vt")}
    assert 0.68 < float((kinds == names(Form.TINY).index("mf")).mean()) < 0.82


def test_the_two_courses_share_no_seed_and_weigh_every_task() -> None:
    for number, portions in corpus.COURSES.items():
        weights = corpus.weights(number)
        assert set(weights) == set(names(Form.TINY))
        assert all(weight > 0 for weight in weights.values())
        assert {portion.course for portion in portions} == {number}


def test_the_second_course_asks_less_of_what_gives_itself_away() -> None:
    kind = task("mf", Form.TINY)
    assert len(corpus.session_of(kind, 7, 200).turns) == 6
    assert len(corpus.session_of(kind, 7, 200, 2).turns) == 3
