"""The next prompt behind a state that holds the answer's own KV, as a server keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scbench.errors import Mismatch
from scbench.prompts.control import found_in
from scbench.prompts.rendering import Rendering
from scbench.prompts.tokenizer import encode_broken
from scbench.prompts.tokens import Prompt


def carried(talk: Rendering, turn: int, answers: Sequence[str], state_ids: Sequence[int]) -> Prompt:
    """The prompt of `turn` as it goes on from `state_ids`, all that was shown and said before.

    What the template writes between the last answer and the next one's header stands behind the
    state, whatever ids the answer would have if its text were read. Raises Mismatch for a template
    that renders earlier turns anew.
    """
    before = talk.prompt(turn - 1, answers[: turn - 1]).text
    now = talk.prompt(turn, answers)
    answer = answers[turn - 1].strip()
    at = now.text.find(answer, len(before))
    if not now.text.startswith(before) or at < 0:
        raise Mismatch(
            f"the chat template of {talk.tokenizer.name} renders earlier turns anew, so a cache "
            "cannot be carried on; ask each question of the text alone"
        )
    text, question = now.text[at + len(answer) :], talk.session.turns[turn].ask.strip()
    start = max(0, text.find(question))
    literal = [(start + a, start + b) for a, b in found_in(question, talk.tokenizer.control)]
    ids = encode_broken(talk.tokenizer, text, literal, goes_on=True).ids
    ids = ids[1:] if ids[:1] == (talk.tokenizer.bos_id,) else ids
    return replace(now, ids=(*state_ids, *ids))
