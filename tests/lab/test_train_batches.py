"""What a step holds, in which order steps come, and how doses and rates are met."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scbench.errors import BadConfig, DataError
from scbench.lab import schedule
from scbench.lab.batches import Course
from scbench.lab.schedule import Phase, Schedule, rate
from scbench.tasks import names
from scbench.types import Form

Corpus = Callable[..., Path]
ANS, END = 3, 4


def course(
    folder: Path, *, seed: int = 0, step_tokens: int = 512, doses: tuple[Phase, ...] = ()
) -> Course:
    return Course(folder, seed=seed, step_tokens=step_tokens, schedule=Schedule(phases=doses))


def test_every_row_is_shown_once_and_phases_come_in_order(corpus: Corpus) -> None:
    found = course(corpus(rows=1200, phases=2))
    for phase in (0, 1):
        rows = np.concatenate([rows for number, rows in found.steps if number == phase])
        assert sorted(rows.tolist()) == list(range(1200))
    numbers = [number for number, _ in found.steps]
    assert numbers == sorted(numbers)


def test_steps_hold_at_most_what_was_asked_and_little_padding(corpus: Corpus) -> None:
    found = course(corpus(rows=1200, longest_tokens=400), step_tokens=2048)
    assert int(found.step_slots.max()) <= 2048
    assert found.padding_ratio(len(found)) < 0.10
    assert int((found.step_slots < 1024).sum()) <= 1  # only the last of all is small


def test_a_row_longer_than_a_step_is_a_step_of_its_own(corpus: Corpus) -> None:
    found = course(corpus(rows=20, longest_tokens=200), step_tokens=8)
    assert all(len(rows) == 1 for _, rows in found.steps)


def test_the_order_is_a_matter_of_seed_step_and_data_alone(corpus: Corpus) -> None:
    data, other = corpus(rows=200), corpus(rows=200, seed=1, name="other")
    same = course(data).digest()
    assert course(data).digest() == same
    assert (
        len(
            {
                same,
                course(data, seed=1).digest(),
                course(data, step_tokens=256).digest(),
                course(other).digest(),
            }
        )
        == 4
    )


def test_flagged_places_are_those_before_the_tokens_to_predict(corpus: Corpus) -> None:
    found = course(corpus(rows=40))
    batch = found.batch(0)
    inputs, targets = batch.ids[:, :-1].flatten(), batch.ids[:, 1:].flatten()
    assert (targets[batch.at] == batch.wanted).all()
    assert set(inputs[batch.at][batch.wanted == END].tolist()).isdisjoint({ANS})
    assert (inputs[batch.at][batch.wanted != END] == ANS).all()
    rows = found.steps[0][1]
    assert batch.answer.bincount().tolist() == [2] * (3 * len(rows))
    assert batch.task.tolist() == np.repeat(found.phases[0].task[rows], 3).tolist()
    assert batch.tokens == int(found.step_tokens[0]) == int(found.phases[0].row_tokens[rows].sum())


def test_a_dose_meets_its_tokens_length_and_weights(corpus: Corpus) -> None:
    first, second, third = names(Form.TINY)[:3]
    dose = Phase(tokens=20_000, longest_tokens=30, weights=((first, 3.0), (second, 1.0)))
    found = course(corpus(rows=200), doses=(dose,))
    shards, tokens = found.phases[0], Counter[str]()
    for _, rows in found.steps:
        assert (shards.length_tokens[rows] <= 30).all()
        for row in rows.tolist():
            tokens[names(Form.TINY)[shards.task[row]]] += int(shards.row_tokens[row])
    assert tokens.keys() == {first, second}
    assert third not in tokens
    assert tokens[first] == pytest.approx(15_000, abs=100)
    assert tokens[second] == pytest.approx(5_000, abs=100)


@pytest.mark.parametrize(
    ("dose", "said"),
    [
        (Phase(tokens=100, weights=(("no_such_task", 1.0),)), "no_such_task"),
        (Phase(tokens=100, weights=((names(Form.TINY)[-1], 1.0),)), names(Form.TINY)[-1]),
    ],
)
def test_weights_that_the_data_cannot_meet_are_refused(
    corpus: Corpus, dose: Phase, said: str
) -> None:
    with pytest.raises(BadConfig, match=said):
        course(corpus(), doses=(dose,))


def test_more_doses_than_folders_are_refused(corpus: Corpus) -> None:
    with pytest.raises(BadConfig, match="2 phases"):
        course(corpus(), doses=(Phase(), Phase()))


def test_a_folder_without_shards_and_a_broken_shard_are_named(
    tmp_path: Path, corpus: Corpus
) -> None:
    with pytest.raises(DataError, match="phase-0"):
        course(tmp_path / "nothing")
    data = corpus()
    (data / "phase-0" / "shard-00001.npz").write_bytes(b"not a shard")
    with pytest.raises(DataError, match="shard-00001"):
        course(data)


def test_a_schedule_is_read_from_json_and_a_stray_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "schedule.json"
    file.write_text(
        json.dumps({"phases": [{"tokens": 5, "longest_tokens": 9, "weights": {"kv": 2}}, {}]})
    )
    assert schedule.read(file) == Schedule(
        phases=(Phase(tokens=5, longest_tokens=9, weights=(("kv", 2),)), Phase())
    )
    file.write_text(json.dumps({"phases": [{"token": 5}]}))
    with pytest.raises(BadConfig, match="no token; it takes longest_tokens"):
        schedule.read(file)


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_the_rate_warms_up_and_ends_at_its_floor(decay: str) -> None:
    rates = [
        rate(step, steps=100, warmup_steps=9, floor_ratio=0.1, decay=decay) for step in range(100)
    ]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == 1.0
    assert rates[99] == pytest.approx(0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
