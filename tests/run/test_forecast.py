"""What is left of a run, told from what its pieces took."""

from __future__ import annotations

import pytest

from scbench.grid.forecast import COST, WEIGHTS, Forecast, Work


def works(model: str, *, times: int = 4, guess_s: float = 1.0) -> list[Work]:
    return [
        Work(model=model, what=WEIGHTS, times=1, guess_s=0.1),
        Work(model=model, what="kv 256", times=times, guess_s=guess_s),
        Work(model=model, what="vt 256", times=times, guess_s=2 * guess_s),
        Work(model=model, what=f"{COST} 256", times=1, guess_s=guess_s),
    ]


def took(forecast: Forecast, model: str, what: str, start_s: float, seconds: float) -> float:
    forecast.begin(model, what, start_s)
    forecast.end(start_s + seconds)
    return start_s + seconds


def test_nothing_is_said_before_a_piece_is_done() -> None:
    assert Forecast(works("a")).left_s(3.0) is None


def test_what_a_kind_took_is_what_its_next_pieces_will_take() -> None:
    forecast = Forecast([Work(model="a", what="kv 256", times=4, guess_s=100.0)])
    took(forecast, "a", "kv 256", 0.0, 3.0)
    assert forecast.left_s(3.0) == pytest.approx(9.0)


def test_kinds_not_seen_are_guessed_in_the_proportion_of_those_seen() -> None:
    forecast = Forecast(works("a"))
    took(forecast, "a", "kv 256", 0.0, 5.0)  # five times the guess
    left_s = forecast.left_s(5.0)
    assert left_s == pytest.approx(3 * 5 + 4 * 10 + 5 * 1.0 + 0.1)


def test_a_second_model_is_told_from_the_first_and_then_from_itself() -> None:
    forecast = Forecast([*works("a", times=2), *works("b", times=2, guess_s=10.0)])
    now_s = 0.0
    for what in (WEIGHTS, "kv 256", f"{COST} 256", "vt 256", "kv 256", "vt 256"):
        seconds = {WEIGHTS: 0.2, "kv 256": 2.0, "vt 256": 4.0}.get(what, 2.0)
        now_s = took(forecast, "a", what, now_s, seconds)
    assert forecast.left_s(now_s) == pytest.approx(0.2 + 2 * 20 + 2 * 40 + 20)
    now_s = took(forecast, "b", "kv 256", now_s, 1.0)  # far less than was guessed
    assert forecast.left_s(now_s) == pytest.approx(1.0 + 2 * 2.0 + 20 + 0.2)


def test_the_time_left_runs_down_within_a_piece_and_never_below_nothing() -> None:
    forecast = Forecast([Work(model="a", what="kv 256", times=3, guess_s=1.0)])
    took(forecast, "a", "kv 256", 0.0, 10.0)
    forecast.begin("a", "kv 256", 10.0)
    assert forecast.left_s(14.0) == pytest.approx(16.0)
    assert forecast.left_s(60.0) == pytest.approx(10.0 + 5.0)  # a tenth of fifty is still to come


def test_what_was_there_already_tells_nothing_of_what_is_to_be_done() -> None:
    forecast = Forecast([Work(model="a", what="kv 256", times=4, guess_s=1.0)])
    forecast.begin("a", "kv 256", 0.0)
    forecast.end(0.001, worked=False)
    assert forecast.left_s(0.001) is None
    took(forecast, "a", "kv 256", 0.001, 8.0)
    assert forecast.left_s(8.001) == pytest.approx(16.0)


def test_weights_that_were_slow_to_read_make_nothing_else_slow() -> None:
    works = [
        Work(model="m", what=WEIGHTS, times=1, guess_s=1.0),
        Work(model="m", what="kv 256", times=4, guess_s=10.0),
    ]
    forecast = Forecast(works)
    forecast.begin("m", WEIGHTS, 0.0)
    forecast.end(60.0)
    assert forecast.left_s(60.0) == 40.0
