"""Models that think: their thought is KV and record, and neither answer nor history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_session import play
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from prompts.texts import CHATML, THINKS, pairs_session, tokenizer
from scbench.engines.contract import Feed
from scbench.engines.load import from_model
from scbench.errors import BadConfig
from scbench.kv import Snapshot
from scbench.play.sampling import drawn
from scbench.prompts import HfTokenizer
from scbench.prompts.thinking import opened_as
from scbench.types import (
    THOUGHT_CLOSED,
    THOUGHT_OPEN,
    Answering,
    Finish,
    History,
    Mode,
    Protocol,
    Record,
    Think,
)

SWITCHED = CHATML.replace(
    "<|im_start|>assistant\n{% endif %}",
    "<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}",
)
VALUE = "25838"
THOUGHT = "it was 2, no, 25838"


class MadeToThink:
    """A tiny random model whose KV is its own, and whose words are a script: behind the header of
    an answer, and the `opening` that the prompt has there, it says `script` and ends. A thought
    that is closed for it (`is_cut`) it leaves, and says the value.
    """

    def __init__(self, tok: HfTokenizer, script: str, opening: str, *, is_cut: bool) -> None:
        config = LlamaConfig(
            hidden_size=64,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            vocab_size=tok.vocabulary_tokens,
            max_position_embeddings=4096,
        )
        torch.manual_seed(0)
        self.local = from_model(LlamaForCausalLM(config), tok, name="made-to-think", check=False)
        end = min(tok.end_ids)
        self.script = [*tok.encode_on(script).ids, end]
        self.value = [*tok.encode_on(VALUE).ids, end]
        self.header = [*tok.encode("<|im_start|>assistant\n").ids, *tok.encode_on(opening).ids]
        self.closing = list(tok.encode_on("\n</think>\n\n").ids) if is_cut else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.local, name)

    def read(self, *args: Any, **words: Any) -> Snapshot:
        found = self.local.read(*args, **words)
        return replace(found, logits_V=self._says(list(found.ids)))

    def advance(self, feeds: Sequence[Feed]) -> Any:
        found = self.local.advance(feeds)
        return [
            rows if feed.every else self._says(list(feed.stream.ids))
            for feed, rows in zip(feeds, found, strict=True)
        ]

    def _says(self, ids: list[int]) -> Tensor:
        """One-hot logits of what comes next in the script."""
        said = ids[ends_of(ids, self.header)[-1] :] if ends_of(ids, self.header) else []
        script = self.script
        if self.closing is not None and (ends := ends_of(said, self.closing)):
            said, script = said[ends[0] :], self.value
        logits_V = torch.zeros(self.local.tokenizer.vocabulary_tokens)
        logits_V[script[min(len(said), len(script) - 1)]] = 1.0
        return logits_V


def ends_of(ids: list[int], part: list[int]) -> list[int]:
    """Where a run of ids ends, wherever it stands."""
    size = len(part)
    return [at + size for at in range(len(ids) - size + 1) if ids[at : at + size] == part]


def asked(
    template: str,
    script: str,
    answering: Answering | None = None,
    *,
    method: str = "dense",
    history: History = History.GOLD,
    is_cut: bool = False,
    opening: str | None = None,
    mode: Mode = Mode.MULTI_TURN,
) -> list[Record]:
    opening = opening or ("<think>\n" if template == THINKS else "")
    engine = MadeToThink(tokenizer("chatml", template), script, opening, is_cut=is_cut)
    protocol = Protocol(answering=answering or Answering(), history=history)
    return play([method], modes=[mode], protocol=protocol, engine=engine, of=pairs_session())


@pytest.mark.parametrize("method", ["dense", "snapkv[tau=1/2]", "kivi[bits=4]"])
@pytest.mark.parametrize(
    ("template", "script"),
    [(THINKS, f"{THOUGHT}\n</think>\n\n{VALUE}"), (CHATML, f"<think>\n{THOUGHT}</think>{VALUE}")],
)
def test_a_thought_is_no_part_of_the_answer_and_stays_in_the_record(
    template: str, script: str, method: str
) -> None:
    records = asked(template, script, method=method)
    assert len(records) == 3
    for record in records:
        assert record.answer is not None, record.failure
        assert record.answer.text.strip() == VALUE
        assert THOUGHT in record.answer.thought
        assert 0 < record.answer.thought_tokens < len(record.answer.ids)
        assert record.answer.finish is Finish.END
    assert [record.strict.value for record in records].count(1.0) == 1  # whose gold it is


def test_a_thought_is_kv_like_any_token() -> None:
    long, short = (
        asked(THINKS, f"{words}\n</think>\n\n{VALUE}")[0] for words in (THOUGHT * 4, THOUGHT)
    )
    assert long.answer is not None
    assert short.answer is not None
    more = len(long.answer.ids) - len(short.answer.ids)
    assert more == long.answer.thought_tokens - short.answer.thought_tokens > 0
    assert long.cost.logical_tokens - short.cost.logical_tokens == more


@pytest.mark.parametrize("history", [History.GOLD, History.MODEL])
def test_no_later_turn_sees_a_thought(history: History) -> None:
    said = (f"{THOUGHT}\n</think>\n\n{VALUE}", f"</think>\n\n{VALUE}")
    long, short = (asked(THINKS, script, history=history) for script in said)
    assert [one.prompt_tokens for one in long] == [one.prompt_tokens for one in short]
    assert all(one.answer and THOUGHT in one.answer.thought for one in long)


def test_a_thought_past_its_budget_is_closed_and_noted() -> None:
    records = asked(THINKS, "so and so " * 60, Answering(think_tokens=12), is_cut=True)
    for record in records:
        assert record.answer is not None
        assert record.answer.text.strip() == VALUE
        assert 12 <= record.answer.thought_tokens < 30
        assert THOUGHT_CLOSED in record.notes


def test_a_thought_does_not_use_up_the_room_of_the_answer() -> None:
    script = f"{'so and so ' * 20}</think>{VALUE}"
    (record, *_) = asked(THINKS, script)
    assert record.answer is not None
    assert record.answer.thought_tokens > 20  # the limit of an answer of kv here
    assert record.answer.text.strip() == VALUE


def test_thinking_is_switched_off_by_the_templates_own_word() -> None:
    closed = "<think>\n\n</think>\n\n"
    (record, *_) = asked(SWITCHED, VALUE, Answering(think=Think.OFF), opening=closed)
    assert record.answer is not None
    assert record.answer.text.strip() == VALUE
    assert record.answer.thought == ""


def test_thinking_is_switched_off_by_hand_where_the_template_has_no_word_for_it() -> None:
    closed = "<think>\n\n</think>\n\n"
    records = asked(THINKS, VALUE, Answering(think=Think.OFF), opening=closed)
    assert all(record.answer and record.answer.text.strip() == VALUE for record in records)
    assert all(record.answer and not record.answer.thought for record in records)


def test_thinking_is_asked_of_no_model_that_knows_no_marks() -> None:
    (record, *_) = asked(CHATML, VALUE, Answering(think=Think.ON))
    assert record.failure is not None
    assert "--think on" in record.failure.why
    with pytest.raises(BadConfig, match="--think on"):
        opened_as(tokenizer("chatml"), "", Think.ON)


def test_an_end_inside_a_thought_is_an_empty_answer() -> None:
    (record, *_) = asked(THINKS, "so and so")
    assert record.answer is not None
    assert record.answer.text == ""
    assert record.answer.thought.strip() == "so and so"
    assert THOUGHT_OPEN in record.notes
    (whole, *_) = asked(THINKS, f"so and so</think>{VALUE}")
    assert THOUGHT_OPEN not in whole.notes


def test_one_generator_draws_the_same_and_a_low_temperature_the_best() -> None:
    logits = torch.randn(50, generator=torch.Generator().manual_seed(1))
    told = {"temperature": 1.0, "top_p": 1.0, "known": 50}
    first, second = (
        [drawn(logits, **told, generator=made) for _ in range(20)]
        for made in (torch.Generator().manual_seed(7), torch.Generator().manual_seed(7))
    )
    assert first == second
    assert len(set(first)) > 3
    made = torch.Generator().manual_seed(7)
    cold = {"temperature": 1e-4, "top_p": 1.0, "known": 50}
    assert {drawn(logits, **cold, generator=made) for _ in range(20)} == {int(logits.argmax())}
    narrow = {"temperature": 1.0, "top_p": 1e-6, "known": 50}
    assert {drawn(logits, **narrow, generator=made) for _ in range(20)} == {int(logits.argmax())}


def test_draws_follow_their_probabilities() -> None:
    logits = torch.tensor([0.7, 0.2, 0.1]).log()
    made = torch.Generator().manual_seed(3)
    told = {"temperature": 1.0, "top_p": 1.0, "known": 3}
    counts = torch.bincount(
        torch.tensor([drawn(logits, **told, generator=made) for _ in range(3000)]), minlength=3
    )
    assert counts.div(3000).sub(torch.tensor([0.7, 0.2, 0.1])).abs().max() < 0.03


def test_what_is_packed_together_changes_no_draw() -> None:
    answering = Answering(temperature=1.0)
    engine = from_tiny()
    of = pairs_session()
    found = [
        play(
            ["dense", "kivi[bits=4]"],
            protocol=Protocol(answering=answering),
            engine=engine,
            of=of,
            lanes=lanes,
        )
        for lanes in (1, 48)
    ]
    texts = [[record.answer.ids for record in one if record.answer] for one in found]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 2


def from_tiny() -> Any:
    from scbench.engines.tiny import tiny

    return tiny("gqa")
