"""The gate: exact answers counted as greedy decoding would give them, with an interval, by turn and
depth, and without the context.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from scbench.lab import measure, scan, shapes, tokens
from scbench.lab.measure import Judged, MeasuredCell, cell, wilson
from scbench.prompts import Conversation
from scbench.types import PAPER_MODES, Mode, Protocol

CELL = MeasuredCell(
    task="kv",
    length_tokens=256,
    mode="multi-turn",
    sessions=200,
    answers=1000,
    exact=0.95,
    low=0.93,
    high=0.96,
    by_turn=(0.95,) * 5,
    by_depth=(0.95,) * 10,
    blind=0.0,
    chance=0.0,
)


def test_the_gate_wants_accuracy_blindness_and_every_depth() -> None:
    assert CELL.passes
    assert not replace(CELL, exact=0.89).passes
    assert not replace(CELL, blind=0.06).passes
    assert replace(CELL, blind=0.29, chance=0.25).passes
    assert not replace(CELL, by_depth=(0.95,) * 9 + (0.79,)).passes


def test_the_interval_is_wilsons() -> None:
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
@pytest.mark.parametrize("mode", PAPER_MODES)
def test_an_answer_counts_exactly_when_greedy_decoding_gives_it(
    arch: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A random model answers nothing right; so the golds are replaced by what it says, and then all
    must count, and one letter more must not.
    """
    ids = tokens.vocabulary()
    model = scan.fast(
        shapes.build(
            arch, vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END]
        ).eval()
    )
    session = measure.sessions("qa_eng", 128, 1)[0]
    assert not any(one.right for one in measure._judge(model, [session], (mode,))[mode])
    talk = Conversation(
        replace(session, turns=session.turns[:1]), tokens.tokenizer(), Protocol(), mode
    )
    said = greedy(model, list(talk.prompt(0).ids))
    rows = measure._rights(
        model,
        [
            measure.CorpusRow(
                (*talk.prompt(0).ids, *said), (0,) * len(talk.prompt(0).ids) + (1,) * len(said)
            )
        ],
        None,
        0,
    )
    assert rows == [[True]]
    wrong = (*said[:-1], (said[-1] + 1) % len(ids))
    rows = measure._rights(
        model,
        [
            measure.CorpusRow(
                (*talk.prompt(0).ids, *wrong), (0,) * len(talk.prompt(0).ids) + (1,) * len(said)
            )
        ],
        None,
        0,
    )
    assert rows == [[False]]


def greedy(model: torch.nn.Module, prompt: list[int], steps: int = 4) -> tuple[int, ...]:
    said: list[int] = []
    for _ in range(steps):
        with torch.inference_mode():
            said.append(int(model(input_ids=torch.tensor([prompt + said])).logits[0, -1].argmax()))
    return tuple(said)


def test_both_modes_judge_every_turn_once() -> None:
    ids = tokens.vocabulary()
    model = shapes.build(
        "transformer", vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END]
    ).eval()
    asked = measure.sessions("mf", 64, 3)
    for mode in PAPER_MODES:
        judged = measure._judge(model, asked, (mode,))[mode]
        assert sorted(one.turn for one in judged) == sorted([*range(5)] * 3)
        assert all(isinstance(one, Judged) and one.depth is None for one in judged)
    found = cell(model, "mf", 64, Mode.MULTI_TURN, count=4)
    assert (found.answers, len(found.by_turn), found.by_depth) == (20, 5, ())


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
def test_what_follows_a_context_is_read_as_if_the_context_stood_before_it(arch: str) -> None:
    """Two questions on two sessions after one reading; and the reading is left as it was."""
    ids = tokens.vocabulary()
    model = scan.fast(
        shapes.build(
            arch, vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END]
        ).eval()
    )
    rows = [measure.row(session) for session in measure.sessions("qa_eng", 96, 2)]
    size = measure._shared(rows[0])
    assert size == measure._shared(rows[1]) == 97
    cache = measure._read(model, [one.ids[:size] for one in rows])
    with torch.inference_mode():
        for one in (rows[0], rows[1], rows[0]):
            tails = torch.tensor([one.ids[size:]] * 2)
            after = measure._hidden(model, tails, deepcopy(cache), size)
            for at, before in enumerate(rows):
                whole = measure._hidden(
                    model, torch.tensor([[*before.ids[:size], *one.ids[size:]]]), None, 0
                )
                torch.testing.assert_close(after[at], whole[0, size:], atol=2e-4, rtol=1e-3)


def test_a_session_of_fewer_turns_than_its_neighbours_is_judged_on_its_own() -> None:
    ids = tokens.vocabulary()
    model = shapes.build(
        "transformer", vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END]
    ).eval()
    one, two = measure.sessions("kv", 96, 2)
    short = replace(two, turns=two.turns[:2])
    for mode in PAPER_MODES:
        assert sorted(
            found.turn for found in measure._judge(model, [one, short], (mode,))[mode]
        ) == [0, 0, 1, 1, 2, 3, 4]
