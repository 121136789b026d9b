"""A model's own head gates: synthetic sessions with answers that stand far back, and the gates that
keep the model's states at them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from scbench.engines.local import LocalEngine
from scbench.grid.suite import TokenCount
from scbench.methods.compression.duo_attention_gates import HeadGates
from scbench.prompts import Conversation
from scbench.search.gate_training import L1_WEIGHT, FoundGates, GateSample
from scbench.search.gate_training import search_gates as search
from scbench.tasks import task
from scbench.types import Form, Mode, Protocol

SINKS, RECENT = (
    128,
    256,
)  # the window that the published gates were trained with, for texts that are long enough


def window(length_tokens: int) -> tuple[int, int]:
    """(sinks, recent) of streaming heads while gates are found: the paper's, or 1/32 and 1/16 of
    shorter texts.
    """
    return min(SINKS, max(4, length_tokens // 32)), min(RECENT, max(8, length_tokens // 16))


def passkeys(engine: LocalEngine, *, length_tokens: int, seed: str) -> GateSample:
    """A context full of random keys and values, questions for some of them, and the answers: the
    tokens of every answer but the last's count.

    The paper hides ten passkeys in a book; here all of the context is passkeys (Retr.KV), in the
    form that the model's tokenizer is made for.
    """
    tokenizer = engine.tokenizer
    kind = task("kv", Form(getattr(tokenizer, "form", Form.FULL)))
    session = kind.make(
        seed=seed, target=length_tokens, turns=kind.turns, count=TokenCount(tokenizer)
    )
    talk = Conversation(session, tokenizer, Protocol(), Mode.MULTI_TURN, engine.facts.window_tokens)
    prompts, rows = [talk.prompt(turn).ids for turn in range(len(session.turns))], list[int]()
    for turn, (asked, following) in enumerate(pairwise(prompts)):
        answer_tokens = len(tokenizer.encode(session.turns[turn].gold).ids)
        rows += range(len(asked) - 1, min(len(asked) - 1 + answer_tokens, len(following) - 1))
    return GateSample(prompts[-1], rows)


def search_gates(
    engine: LocalEngine,
    *,
    length_tokens: int,
    steps: int,
    rate: float,
    sessions: int,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[HeadGates, FoundGates]:
    """Gates of this model, ready to be written, and how well they were found. Raises as
    `gate_training.search_gates`."""
    samples = [
        passkeys(engine, length_tokens=length_tokens, seed=f"gates:{at}") for at in range(sessions)
    ]
    sinks, recent = window(length_tokens)
    found = search(
        engine, samples, sinks=sinks, recent=recent, steps=steps, rate=rate, on_step=on_step
    )
    made = {
        "length_tokens": length_tokens,
        "sessions": sessions,
        "steps": steps,
        "rate": rate,
        "sink_tokens": sinks,
        "recent_tokens": recent,
        "l1_weight": L1_WEIGHT,
        "objective": [round(value, 6) for value in found.objective],
        "distance": [round(value, 6) for value in found.distance],
    }
    rows = tuple(tuple(row) for row in found.gates)
    facts = engine.facts
    return HeadGates(rows=rows, model=facts.name, digest=facts.shape.model_digest, made=made), found
