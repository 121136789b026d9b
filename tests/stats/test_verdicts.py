"""What a difference comes to, and when it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from factory import ALL_TASKS, run, session

from scbench.stats import OVERALL, Difference, Ruling, Standing, Summary, summarise
from scbench.stats.standing import Evidence, judge
from scbench.types import Answer, Finish, Mode, Record

MT = "multi-turn"


def answered(records: list[Record]) -> list[Record]:
    """With answers of their own: right ones are the same words, wrong ones each method's."""
    return [
        replace(
            one,
            answer=Answer(
                ids=(int(one.strict.value or 0.0), len(one.method)),
                text="right" if one.strict.value else one.method,
                finish=Finish.END,
            )
            if one.strict.value != 1.0
            else Answer(ids=(1,), text="right", finish=Finish.END),
        )
        for one in records
    ]


def world(
    sessions: int, tasks: tuple[str, ...] = ("kv",), **chances: Callable[[int], float]
) -> Summary:
    made = run(tasks=tasks, methods=chances, sessions=sessions, modes=[Mode.MULTI_TURN])
    return summarise(answered(made), resamples=0)


def judged(summary: Summary, method: str, name: str = "kv") -> Ruling:
    setting = summary.settings[0]
    found = summary.cell(setting, MT, method, name) or summary.average(setting, MT, method, name)
    assert found is not None
    assert found.difference is not None
    assert found.difference.judged is not None
    return found.difference.judged


def test_answers_that_are_the_same_tokens_are_said_to_be_the_same() -> None:
    summary = world(8, dense=lambda t: 0.97, x=lambda t: 0.97)
    assert judged(summary, "x").text == "same answers (32 of 32)"


def test_equal_scores_of_other_words_are_no_same_answers() -> None:
    rows = session([0.0, 1.0]) + session([0.0, 1.0], number=1)
    other = session([0.0, 1.0], method="x") + session([0.0, 1.0], number=1, method="x")
    summary = summarise(answered([*rows, *other]), resamples=0)
    assert judged(summary, "x").standing is not Standing.SAME


def test_a_large_loss_is_worse_in_eight_sessions_and_a_small_one_asks_for_more() -> None:
    summary = world(8, dense=lambda t: 0.99, bad=lambda t: 0.2, near=lambda t: 0.9)
    assert judged(summary, "bad").standing is Standing.WORSE
    near = judged(summary, "near")
    assert near.standing is Standing.TOO_FEW
    assert near.more_sessions > 8
    assert f"({near.more_sessions:,} more)" in near.text


def test_the_sessions_that_are_missing_bring_the_verdict() -> None:
    few = world(16, dense=lambda t: 0.99, x=lambda t: 0.88)
    more = judged(few, "x").more_sessions
    assert judged(few, "x").standing is Standing.TOO_FEW
    told = [
        judged(_again(16 + more, seed), "x").is_decided
        for seed in range(6)
    ]  # fmt: skip
    assert sum(told) >= 4  # four times in five


def _again(sessions: int, seed: int) -> Summary:
    chances = {"dense": lambda t: 0.99, "x": lambda t: 0.88}
    made = run(
        tasks=("kv",), methods=chances, sessions=sessions, seed=seed, modes=[Mode.MULTI_TURN]
    )
    return summarise(answered(made), resamples=0)


def test_a_better_method_is_better() -> None:
    assert judged(world(12, dense=lambda t: 0.3, x=lambda t: 0.98), "x").standing is Standing.BETTER


def test_a_baseline_near_chance_leaves_no_headroom() -> None:
    summary = world(12, dense=lambda t: 0.1, x=lambda t: 0.05)
    assert judged(summary, "x").standing is Standing.NO_HEADROOM


def test_a_cell_that_the_card_does_not_count_has_no_headroom() -> None:
    made = run(tasks=("kv",), methods={"dense": lambda t: 0.9, "x": lambda t: 0.85}, sessions=6)
    summary = summarise(answered(made), solves=lambda *cell: False, resamples=0)
    assert judged(summary, "x").standing is Standing.NO_HEADROOM


def test_equivalence_is_told_over_all_tasks_before_it_is_told_on_one() -> None:
    few = world(12, ALL_TASKS, dense=lambda t: 0.97, x=lambda t: 0.968, y=lambda t: 0.5)
    assert judged(few, "x", OVERALL).text == "equivalent within 5"
    assert all(
        judged(few, "x", task).standing in (Standing.SAME, Standing.TOO_FEW) for task in ALL_TASKS
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"same_turns": 24}, "same answers (24 of 24)"),
        ({"p_differs": 0.01, "value": -0.2}, "worse"),
        ({"p_differs": 0.01, "value": -0.02, "p_within": 0.001}, "worse, within 5"),
        ({"p_differs": 0.01, "value": 0.2}, "better"),
        ({"headroom": 0.1, "p_within": 0.001}, "no headroom"),
        ({"headroom": None}, "no headroom"),
        ({"p_within": 0.01}, "equivalent within 5"),
        (
            {"error": None, "sessions": 1, "p_differs": None, "p_within": None},
            "too few sessions (7 more)",
        ),
    ],
)  # fmt: skip
def test_the_first_true_word_is_the_verdict(
    changes: dict[str, float | None], expected: str
) -> None:
    seen = Evidence(
        value=-0.03,
        error=0.05,
        sessions=8,
        p_differs=0.5,
        p_within=0.5,
        same_turns=20,
        turns=24,
        headroom=0.9,
        alpha=0.01,
    )
    assert judge(replace(seen, **changes)).text == expected  # type: ignore[arg-type]


def test_two_lossy_methods_are_compared_with_each_other() -> None:
    summary = world(12, ALL_TASKS, dense=lambda t: 0.97, a=lambda t: 0.9, b=lambda t: 0.4)
    found = summary.compare(summary.settings[0], MT, "b", "a")
    back = summary.compare(summary.settings[0], MT, "a", "b")
    assert found is not None
    assert found.judged is not None
    assert back is not None
    assert back.judged is not None
    assert found.judged.standing is Standing.WORSE
    assert back.judged.standing is Standing.BETTER
    assert found.value == pytest.approx(-float(back.value or 0.0))
    assert summary.compare(summary.settings[0], MT, "a", "nobody") is None


def differences(summary: Summary) -> list[Difference]:
    every = [*summary.cells, *summary.averages]
    return [one.difference for one in every if one.difference is not None]


def test_limits_that_hold_for_a_family_are_wider_than_one_comparisons() -> None:
    summary = world(6, ("kv", "vt"), dense=lambda t: 0.9, x=lambda t: 0.6, y=lambda t: 0.8)
    for one in differences(summary):
        if one.joint_low is None or one.joint_high is None:
            continue
        assert one.joint_low <= one.estimate.low  # type: ignore[operator]
        assert one.joint_high >= one.estimate.high  # type: ignore[operator]
        assert one.p_holm >= one.p  # type: ignore[operator]


def test_a_family_is_all_tasks_methods_and_modes_of_a_setting() -> None:
    made = run(tasks=("kv", "vt"), methods={name: (lambda t: 0.9) for name in ("dense", "x", "y")})
    summary = summarise(made, resamples=0)
    cell = summary.cell(summary.settings[0], MT, "x", "kv")
    average = summary.average(summary.settings[0], MT, "x", OVERALL)
    assert cell is not None
    assert cell.difference is not None
    assert average is not None
    assert average.difference is not None
    assert cell.difference.family == 2 * 2 * 2  # tasks, methods, modes
    assert average.difference.family == 2 * 2  # methods, modes


@pytest.mark.slow
def test_where_nothing_differs_hardly_any_run_says_that_something_does() -> None:
    """The family-wise error: 8 methods, 3 tasks, all as good as dense, other turns wrong."""
    rng, wrong = np.random.Generator(np.random.PCG64(3)), 0
    for _ in range(20):
        rows = [
            one
            for task in ("kv", "vt", "repoqa")
            for method in ("dense", *"abcdefgh")
            for number in range(6)
            for one in session(
                (rng.random(3) < 0.85).astype(float).tolist(),
                task=task,
                method=method,
                number=number,
            )
        ]
        found = summarise(answered(rows), resamples=0)
        wrong += any(one.is_significant for one in differences(found))
    assert wrong <= 4  # two or three families of 5 % each


def test_sessions_of_one_seed_are_one_cluster_where_tasks_share_their_questions() -> None:
    shared = [one for task in ("qa_eng", "qa_chn", "choice_eng") for n in range(4)
              for one in session([1.0, 0.0], task=task, number=n)]  # fmt: skip
    apart = [one for task in ("kv", "vt", "prefix_suffix") for n in range(4)
             for one in session([1.0, 0.0], task=task, number=n)]  # fmt: skip
    for rows, clusters in ((shared, 4), (apart, 12)):
        name = "Retr.Semantic" if rows is shared else "Retr.String"
        summary = summarise(rows, resamples=0)
        found = summary.average(summary.settings[0], MT, "dense", name)
        assert found is not None
        assert found.strict.sessions == clusters


def test_chances_are_those_of_the_tasks() -> None:
    from scbench.stats import PAPER_BOOK
    from scbench.task_cards import PAPER
    from scbench.tasks import task
    from scbench.types import Form

    for name, card in PAPER.items():
        for form in Form:
            chances = [PAPER_BOOK.chance_of(str(form), name, part) for part in card.parts]
            mean = sum(chances) / len(chances)
            assert mean == pytest.approx(task(name, form).chance)


def test_a_digest_of_an_answer_is_the_same_only_for_the_same_tokens() -> None:
    summary = world(4, dense=lambda t: 0.5, x=lambda t: 0.5)
    digests = set(summary.turns["answer"].to_list())
    assert len(digests) > 1
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in digests)
