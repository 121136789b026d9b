"""`--history kept`: later turns go on from the KV of the model's own answers."""

from __future__ import annotations

from typing import Any

import pytest
from test_session import play, session, texts

from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig
from scbench.play.patterns import pattern_of
from scbench.types import History, Mode, Protocol, Record


def kept(history: History, *methods: str, engine: Any = None) -> list[Record]:
    return play(
        methods,
        modes=[Mode.MULTI_TURN],
        protocol=Protocol(history=history),
        engine=engine or ToyEngine(),
        of=session(),
    )


def test_dense_answers_as_if_its_answers_were_read_again() -> None:
    assert texts(kept(History.KEPT, "dense")) == texts(kept(History.MODEL, "dense"))


def test_what_was_said_stays_as_it_was_said() -> None:
    """Rendered anew, each earlier answer has the blank before it that the model did not say."""
    again, left = (kept(history, "dense") for history in (History.MODEL, History.KEPT))
    more = [one.prompt_tokens - other.prompt_tokens for one, other in zip(again, left, strict=True)]
    assert more == [0, 1, 2]


@pytest.mark.parametrize("method", ["snapkv[tau=1/2]", "kivi[bits=4]", "quest[tau=1/2]", "tier"])
def test_methods_carry_their_state_on(method: str) -> None:
    records = kept(History.KEPT, method, engine=tiny("gqa"))
    assert [record.turn for record in records] == [0, 1, 2]
    assert all(record.answer is not None for record in records), [
        record.failure for record in records
    ]


def test_it_is_of_conversations() -> None:
    with pytest.raises(BadConfig, match="multi-turn"):
        pattern_of(Mode.BRANCH, Protocol(history=History.KEPT))
    assert pattern_of(Mode.MULTI_REQUEST, Protocol(history=History.KEPT)).waits is False
