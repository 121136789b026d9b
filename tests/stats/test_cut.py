"""How many answers met their limit, and how many of them were loops, stands beside a cell."""

from __future__ import annotations

from dataclasses import replace

from factory import session

from scbench.play.turn import answer_notes, loops
from scbench.report.scores import SIDES
from scbench.stats import summarise
from scbench.stats.cells import CUT
from scbench.types import LOOPS, Answer, Finish, Record


def said(record: Record, finish: Finish) -> Record:
    return replace(record, answer=Answer(ids=(1,), text="x", finish=finish))


def test_a_cell_says_which_share_of_its_answers_was_cut() -> None:
    records = [
        said(one, Finish.LENGTH if number == 0 else Finish.END)
        for number in range(4)
        for one in session([1.0, 0.0], number=number)
    ]
    (cell,) = summarise(records, resamples=0).cells
    assert cell.sides[CUT] == 0.25
    assert SIDES[CUT] == "cut short"
    whole = [said(one, Finish.STOP) for one in records]
    assert CUT not in summarise(whole, resamples=0).cells[0].sides


def test_only_an_answer_that_was_cut_is_a_loop() -> None:
    ids = (9, *(4, 5, 6) * 12)
    assert loops(ids)
    assert not loops(ids[:18])
    assert not loops((*ids, 7))
    cut, ended = (Answer(ids=ids, text="", finish=finish) for finish in (Finish.LENGTH, Finish.END))
    assert answer_notes(cut, None) == (LOOPS,)
    assert answer_notes(ended, None) == ()
