"""What every task's sessions and prompts are, as digests: moving words changes none.

`PYTHONPATH=src:tests python -m prompts.told` writes `data/told.json` anew; where that changes,
numbers do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from prompts.texts import tokenizer
from scbench.lab.tokens import Count
from scbench.lab.tokens import tokenizer as lab_tokenizer
from scbench.prompts import ByteTokenizer, Conversation, Tokenizer
from scbench.prompts.stops import BLANK_LINE
from scbench.task_cards import PAPER
from scbench.tasks import task
from scbench.tasks.contract import Bytes
from scbench.types import Form, History, Mode, PromptSet, Protocol, Session

KEPT = Path(__file__).parent / "data" / "told.json"
SHORT = 16


def sessions(name: str) -> dict[str, Session]:
    """A session of each form."""
    full = task(name)
    tiny = task(name, Form.TINY)
    return {
        "full": full.make(seed="7:0", target=4000, turns=4, count=Bytes()),
        "tiny": tiny.make(seed="7:0", target=160, turns=4, count=Count()),
    }


def told(name: str) -> dict[str, str]:
    """Where it is told -> a digest of all that a model is told there, turn by turn."""
    digests: dict[str, str] = {}
    for form, session in sessions(name).items():
        digests[f"{form} session"] = session.digest[:SHORT]
        for where, talk in _conversations(session, form):
            digests[f"{form} {where}"] = digest_of_told(talk)
    return digests


def _conversations(session: Session, form: str) -> Iterator[tuple[str, Conversation]]:
    readers: dict[str, Tokenizer] = {"plain": ByteTokenizer(), "chat": tokenizer("chatml")}
    if form == "tiny":
        readers = {"plain": lab_tokenizer()}
    for template, reader in readers.items():
        for prompts in PromptSet:
            for mode, history in (
                (Mode.MULTI_TURN, History.GOLD),
                (Mode.MULTI_TURN, History.NONE),
                (Mode.MULTI_REQUEST, History.GOLD),
            ):
                protocol = Protocol(prompts=prompts, history=history)
                where = f"{prompts} {template} {mode} {history}"
                yield where, Conversation(session, reader, protocol, mode)


def digest_of_told(talk: Conversation) -> str:
    turns = range(len(talk.session.turns))
    shown = [
        (talk.prompt(turn).ids, talk.gold_ids(turn), _stop(talk, turn), talk.prompt(turn).spans)
        for turn in turns
    ]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:SHORT]


def _stop(talk: Conversation, turn: int) -> str | None:
    return BLANK_LINE if talk.stops(turn).blank_line else None


def kept() -> dict[str, dict[str, str]]:
    recorded: dict[str, dict[str, str]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return recorded


if __name__ == "__main__":
    everything = {name: told(name) for name in PAPER}
    KEPT.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
