"""What SmolLM2 is shown and what it answers, as digests: a better gate changes neither.

`PYTHONPATH=src:tests python -m prompts.smollm2` writes `data/smollm2.json` anew; where that
changes, numbers of a real model do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import scbench
from prompts.told import digest_of_told, sessions
from scbench.engines.tokenizers import load_tokenizer
from scbench.prompts import Conversation
from scbench.task_cards import PAPER
from scbench.types import Mode, PromptSet, Protocol, Session

NAME = "smollm2-135m"
KEPT = Path(__file__).parent / "data" / "smollm2.json"
FACTS = "The fox lives in house number 7. The owl lives in house number 12. The bear is away."
QUESTIONS = ["Where does the owl live?", "Who is away?", "Which animal lives in house number 7?"]


def shown(name: str) -> dict[str, str]:
    """Where a task is told -> a digest of the ids, the gold's ids and the stops, turn by turn."""
    session = sessions(name)["full"]
    return {where: digest_of_told(talk) for where, talk in _conversations(session)}


def _conversations(session: Session) -> Iterator[tuple[str, Conversation]]:
    reader = load_tokenizer(NAME)
    for prompts in PromptSet:
        for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST):
            for is_chat in (True, False):
                protocol = Protocol(prompts=prompts, chat_template=is_chat)
                where = f"{prompts} {'chat' if is_chat else 'plain'} {mode}"
                yield where, Conversation(session, reader, protocol, mode)


def answered() -> list[str]:
    """What it says of three facts, asked one by one and in one conversation."""
    doc = scbench.load(NAME, device="cpu").read(FACTS)
    chat = doc.chat()
    return [ask(question).text for ask in (doc.ask, chat.ask) for question in QUESTIONS]


def kept() -> dict[str, dict[str, str] | list[str]]:
    recorded: dict[str, dict[str, str] | list[str]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return recorded


if __name__ == "__main__":
    everything = {name: shown(name) for name in PAPER} | {"answers": answered()}
    KEPT.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
