"""Turns that were answered several times count once, by their mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factory import record

from scbench.errors import BadRecord
from scbench.report.markdown import markdown
from scbench.stats import summarise
from scbench.stats.frame import frame
from scbench.types import Answer, Finish, GoldScore, Record


def drawn(values: list[float | None], *, turn: int = 0, session: int = 0) -> list[Record]:
    """The samples of one turn; None is a turn that failed."""
    samples = []
    for sample, value in enumerate(values):
        failure = "out-of-memory" if value is None else None
        one = record(
            turn=turn, session=session, value=value, failure=failure, key=f"{session} {sample}"
        )
        samples.append(replace(one, sample=sample))
    return samples


def test_a_turn_is_one_row_with_the_mean_of_its_samples() -> None:
    table = frame([*drawn([1.0, 0.0, 0.0, 1.0]), *drawn([1.0] * 4, turn=1)])
    assert table["strict"].to_list() == [0.5, 1.0]
    assert table["samples"].to_list() == [4, 4]
    assert table["key"].to_list() == ["0 0", "0 0"]
    assert "sample" not in table.columns


def test_a_turn_with_a_gap_among_its_samples_is_a_gap() -> None:
    table = frame(drawn([1.0, None, 1.0]))
    assert table["strict"].to_list() == [None]
    assert table["gap"].to_list() == ["failed: out-of-memory"]
    assert table["failure"].to_list() == ["out-of-memory"]


def test_samples_that_say_the_same_narrow_no_interval() -> None:
    once = [one for session in range(8) for one in drawn([float(session % 2)], session=session)]
    often = [
        one for session in range(8) for one in drawn([float(session % 2)] * 5, session=session)
    ]
    (a,), (b,) = (summarise(records).cells for records in (once, often))
    assert (a.strict.low, a.strict.high, a.strict.n) == (b.strict.low, b.strict.high, b.strict.n)
    assert (a.samples, b.samples) == (1, 5)


def test_what_was_cut_and_what_was_noted_is_a_share_of_the_answers() -> None:
    whole, cut = drawn([1.0, 0.0])
    cut = replace(
        cut, answer=Answer(ids=(1,), text="y", finish=Finish.LENGTH), notes=("answer-loops",)
    )
    (row,) = frame([whole, cut]).to_dicts()
    assert row["cut"] == 0.5
    assert row["notes"] == "answer-loops"
    assert row["answer"].count("/") == 1
    (cell,) = summarise([whole, cut]).cells
    assert cell.sides["cut"] == 0.5


def test_what_only_the_first_sample_was_told_of_the_gold_is_that_of_the_turn() -> None:
    first, second = drawn([1.0, 0.0])
    gold = GoldScore(tokens=4, nll=0.5, kl_to_dense=0.25, top1_agreement=0.75)
    (row,) = frame([replace(first, gold=gold), second]).to_dicts()
    assert (row["gold_tokens"], row["gold_nll"], row["gold_kl"]) == (4, 0.5, 0.25)


def test_two_cells_that_claim_one_sample_are_refused() -> None:
    one, other = record(key="aaa"), record(key="bbb")
    with pytest.raises(BadRecord, match="share their turn"):
        frame([replace(one, sample=1), replace(other, sample=1)])


def test_a_report_says_that_a_score_is_a_mean_of_samples() -> None:
    records = [one for session in range(3) for one in drawn([1.0, 0.0], session=session)]
    assert "mean of its 2 samples" in markdown(summarise(records))
    assert "samples;" not in markdown(summarise([record(session=n) for n in range(3)]))
