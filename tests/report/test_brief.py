"""The end of a run: 25 lines of 80 columns, whatever ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from factory import ALL_TASKS, run, session

from scbench.report.brief import MOST_LINES, WIDTH, _width, brief_lines
from scbench.report.headline import common_bracket, headline
from scbench.report.sentence import sentence
from scbench.stats import Summary, summarise
from scbench.types import Answer, Finish, GoldScore, Mode, Record

PAGE = Path("runs/last/index.html")
Chances = Mapping[str, Callable[[int], float]]
WORLD: Chances = {
    "dense": lambda t: 0.97,
    "kvzip[tau=1/4]": lambda t: 0.96,
    "snapkv[tau=1/4]": lambda t: 0.5,
    "exact-topk[tau=1/4]": lambda t: 0.97,
    "kivi[bits=2]": lambda t: 0.85,
}
BOTH = (Mode.MULTI_TURN, Mode.MULTI_REQUEST)


def made(
    chances: Chances = WORLD,
    *,
    sessions: int = 8,
    modes: tuple[Mode, ...] = (Mode.MULTI_TURN,),
    models: tuple[str, ...] = ("toy",),
    tasks: tuple[str, ...] = ALL_TASKS,
) -> list[Record]:
    """Right answers are the same words, wrong ones each method's own."""
    found = run(
        tasks=tasks, methods=chances, sessions=sessions, turns=3, modes=modes, models=models
    )
    return [
        replace(
            one,
            answer=Answer(
                ids=(1,), text="right" if one.strict.value == 1.0 else one.method, finish=Finish.END
            ),
        )
        for one in found
    ]


def costs(chances: Chances = WORLD, ratio: int = 4) -> list[dict[str, object]]:
    return [
        {
            "model": "toy",
            "method": method,
            "length_tokens": 1024,
            "held_accounted_bytes": 1000 if method == "dense" else 1000 // ratio,
            "dense_bytes": 1000,
            "tpot_s": 0.0213,
        }
        for method in chances
    ]


@pytest.fixture(scope="module")
def small() -> Summary:
    return summarise(made(), costs(), resamples=0)


def fits(lines: list[str]) -> bool:
    return len(lines) <= MOST_LINES and max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    ("methods", "models", "modes", "name"),
    [
        (0, 1, 1, "m{}"),
        (2, 4, 2, "m{}"),
        (12, 2, 2, "a-very-long-name-of-a-method-number-{}[tau=1/4]"),
        (30, 1, 1, "x{}[a=1]"),
    ],
)
def test_whatever_ran_ends_in_25_lines_of_80_columns(
    methods: int, models: int, modes: int, name: str
) -> None:
    chances: dict[str, Callable[[int], float]] = {"dense": lambda t: 0.9}
    for one in range(methods):
        chances[name.format(one)] = lambda t, one=one: 0.9 - one / 40  # type: ignore[misc]
    records = made(
        chances,
        sessions=2,
        modes=BOTH[:modes],
        models=tuple(f"model{one}" for one in range(models)),
        tasks=("kv",),
    )
    lines = brief_lines(summarise(records, resamples=0), page=PAGE)
    assert fits(lines), "\n".join(lines)
    assert lines[-1].startswith(f"page: {PAGE}")
    assert any(line.startswith("dense") for line in lines)


def test_rows_are_the_baseline_then_best_first_and_gaps_last(small: Summary) -> None:
    lines = brief_lines(small)
    names = [line.split()[0] for line in lines[2:7]]
    assert names == ["dense", "exact-topk", "kvzip", "kivi[bits=2]", "snapkv"]
    lacking = [one for one in made() if not (one.method.startswith("exact") and one.turn == 2)]
    rows = brief_lines(summarise(lacking, resamples=0))
    assert rows[6].startswith("exact-topk §")
    assert any("have no score" in line and line.startswith("§") for line in rows)


def test_the_sentence_names_losses_equals_and_a_pair_of_lossy_methods(small: Summary) -> None:
    words = sentence(small, headline(small, small.settings[0]))
    assert words.startswith("At about a quarter of the bytes, against dense:")
    assert "snapkv" in words
    assert "surely" in words
    assert "exact-topk, kvzip surely within 5 points" in words
    assert "points below" in words


def test_bytes_that_are_unlike_are_not_called_a_quarter() -> None:
    rows = [{**row, "held_accounted_bytes": 100 * (1 + n)} for n, row in enumerate(costs())]
    summary = summarise(made(), rows, resamples=0)
    words = sentence(summary, headline(summary, summary.settings[0]))
    assert words.startswith("Against dense:")


def test_where_dense_cannot_do_the_tasks_agreement_tells() -> None:
    distance = {"dense": 0.0, "kvzip[tau=1/4]": 0.004, "snapkv[tau=1/4]": 1.2}
    chances: Chances = {name: (lambda t: 0.03) for name in distance}
    records = [
        replace(
            one,
            gold=GoldScore(
                tokens=8,
                nll=1.0 + distance[one.method],
                kl_to_dense=distance[one.method] * (1.0 + one.turn / 4),
                top1_agreement=1.0 - min(1.0, distance[one.method] / 2),
            ),
        )
        for one in made(chances, sessions=6, tasks=("kv", "vt"))
    ]
    summary = summarise(records, resamples=0)
    words = sentence(summary, headline(summary, summary.settings[0]))
    assert words.startswith("Scores tell nothing here")
    assert "kvzip (0.005) surely below 0.05" in words
    assert "snapkv (1.500) surely above" in words
    lines = brief_lines(summary)
    assert any("0.005≈" in line and line.startswith("kvzip") for line in lines)
    assert any("1.500≠" in line and line.startswith("snapkv") for line in lines)
    assert fits(lines)


def test_one_task_outside_the_paper_has_its_own_score() -> None:
    rows = [
        one
        for n in range(3)
        for name in ("dense", "x")
        for one in session([1.0, 0.0], task="mine", number=n, method=name)
    ]
    lines = brief_lines(summarise(rows, resamples=0))
    assert "mine, 3 sessions" in lines[0]
    assert lines[2].split()[:2] == ["dense", "50.0"]


def test_tables_with_most_verdicts_come_first_and_the_others_are_counted() -> None:
    tasks = ("kv", "vt")
    sure = made(sessions=10, models=("sure",), tasks=tasks)
    none = {name: (lambda t: 0.02) for name in WORLD}
    blind = made(none, sessions=2, models=("a", "b", "c", "d"), tasks=tasks)
    lines = brief_lines(summarise([*sure, *blind], resamples=0), page=PAGE)
    assert lines[0].startswith("sure")
    assert any("more tables are in the page" in line for line in lines)
    assert fits(lines)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["a[tau=1/4]", "b[tau=1/4]", "c"], "[tau=1/4]"),
        (["a[tau=1/4]", "b[bits=2]"], ""),
        (["a", "b"], ""),
        (["a[x=1]+b[y=2]", "c[y=2]", "d[y=2]"], "[y=2]"),
    ],
)
def test_a_setting_that_most_methods_share_is_said_once(methods: list[str], expected: str) -> None:
    assert common_bracket(methods) == expected


def test_no_records_say_so() -> None:
    assert brief_lines(summarise([])) == ["no records, nothing to report"]


@pytest.mark.parametrize("modes", [BOTH[:1], BOTH])
def test_rows_of_names_that_are_cut_can_be_told_apart(modes: tuple[Mode, ...]) -> None:
    """Long spellings that begin alike, and ones that end alike."""
    shares = (4, 8, 16, 32)
    names = [f"snapkv[preset=longbench,tau=1/{share}]+kivi[bits=4]" for share in shares[:2]]
    names += [f"a-very-long-name-of-a-class-of-mine[tau=1/{share}]" for share in shares]
    chances = {"dense": lambda t: 0.97, **dict.fromkeys(names, lambda t: 0.5)}
    lines = brief_lines(
        summarise(made(chances, sessions=2, modes=modes, tasks=("kv", "vt")), resamples=0)
    )
    rows = lines[3 : 3 + len(names)]  # after the title, the header and dense
    width = WIDTH - _width(len(modes))
    assert all(row.startswith(("sna", "a-v")) for row in rows)
    assert len({row[:width] for row in rows}) == len(rows)
    assert fits(lines)


def test_a_score_below_chance_is_explained_where_it_stands() -> None:
    chances = {"dense": lambda t: 0.97, "snapkv[tau=1/4]": lambda t: 0.0}
    below = brief_lines(summarise(made(chances, tasks=("choice_eng",)), resamples=0))
    assert any("corrected for chance" in line for line in below)
    above = brief_lines(summarise(made(tasks=("kv",)), resamples=0))
    assert not any("corrected for chance" in line for line in above)


def test_one_session_is_no_plural() -> None:
    lines = brief_lines(summarise(made(sessions=1), resamples=0))
    assert "1 session" in lines[0]
    assert "1 sessions" not in lines[0]


def test_of_many_losses_the_least_and_the_largest_are_named() -> None:
    chances: Chances = {
        "dense": lambda t: 1.0,
        "a": lambda t: 0.5,
        "b": lambda t: 0.1,
        "c": lambda t: 0.4,
        "d": lambda t: 0.2,
    }
    summary = summarise(made(chances, sessions=24, tasks=("kv", "vt")), resamples=0)
    one = headline(summary, summary.settings[0])
    turned = replace(one, lines=(one.lines[0], *sorted(one.lines[1:], key=lambda x: x.name)))
    words = sentence(summary, turned)
    assert words.split(" lose ")[1].split(" points")[0].endswith("(b)")
    assert "(a) to " in words


def test_a_model_that_answers_nothing_has_no_methods_with_the_same_answers() -> None:
    rows = [
        one
        for n in range(6)
        for name in ("dense", "x")
        for one in session([0.0, 0.0], task="kv", number=n, method=name)
    ]
    summary = summarise(rows, resamples=0)
    words = sentence(summary, headline(summary, summary.settings[0]))
    assert words.startswith("Scores tell nothing here (dense is too near to chance).")


def test_a_method_that_never_answered_is_not_blamed_on_chance() -> None:
    rows = [
        one
        for n in range(6)
        for name, value in (("dense", 1.0), ("bad", None))
        for one in session([value, value], task="kv", number=n, method=name)
    ]
    summary = summarise(rows, resamples=0)
    words = sentence(summary, headline(summary, summary.settings[0]))
    assert words.startswith("Nobody but dense has a score here.")
