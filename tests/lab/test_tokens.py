"""The lab's tokenizer: any text comes back, words are one token, digits are read one by one, and a
conversation ends where it should.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.lab import tokens
from scbench.prompts import Conversation
from scbench.tasks import names, task
from scbench.tasks.tiny import lexicon
from scbench.types import PAPER_MODES, Form, Mode, Protocol


def pieces(text: str) -> list[str]:
    found = tokens.tokenizer()
    return list(found.raw.convert_ids_to_tokens(list(found.encode(text).ids)))


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=40).filter(
        lambda text: tokens.SPACE not in text
    )
)
def test_any_text_without_blanks_comes_back(text: str) -> None:
    found = tokens.tokenizer()
    if not any(special in text for special in tokens.SPECIAL):
        assert found.decode(found.encode(text).ids) == text


def test_words_of_the_forms_are_one_token_and_other_words_are_spelled() -> None:
    for word in lexicon.words():
        assert pieces(word) == [tokens.SPACE + word]
    assert pieces("zebra") == [tokens.SPACE, *"zebra"]
    assert pieces("é") == [tokens.SPACE, "<0xC3>", "<0xA9>"]


def test_digits_stand_alone_except_in_a_number_below_a_hundred() -> None:
    assert pieces("otter:4821") == ["▁otter", ":", "4", "8", "2", "1"]
    assert pieces("17 4821 5") == ["▁17", "▁", "4", "8", "2", "1", "▁5"]
    assert pieces("3fa8") == ["▁", "3", "f", "a", "8"]


def test_the_vocabulary_is_closed_and_its_ids_are_settled() -> None:
    ids = tokens.vocabulary()
    assert sorted(ids.values()) == list(range(len(ids)))
    assert len(ids) % 64 == 0
    assert [ids[token] for token in tokens.SPECIAL] == [0, 1, 2, 3, 4]
    said = ["▁otter", "▁0", "王"]
    assert [ids[token] for token in said] == tokens.fast().convert_tokens_to_ids(said)


@pytest.mark.parametrize("name", names(Form.TINY))
@pytest.mark.parametrize("mode", PAPER_MODES)
def test_a_prompt_is_the_stream_that_models_are_trained_on(name: str, mode: Mode) -> None:
    kind = task(name, Form.TINY)
    session = kind.make(seed="1", target=256, turns=3, count=tokens.Count())
    talk = Conversation(session, tokens.tokenizer(), Protocol(), mode)
    ids = tokens.vocabulary()
    for turn in range(3):
        prompt = talk.prompt(turn)
        assert prompt.ids[0] == ids[tokens.BOS]
        assert prompt.ids[-1] == ids[tokens.ANS]
        asked = prompt.ids.count(ids[tokens.ASK])
        assert (
            asked
            == prompt.ids.count(ids[tokens.END]) + 1
            == (turn + 1 if mode is Mode.MULTI_TURN else 1)
        )


def test_the_files_beside_a_model_bring_back_tokenizer_and_rendering(tmp_path: Path) -> None:
    from scbench.engines.load import load_tokenizer

    tokens.save(tmp_path)
    assert (
        json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))["scbench"][
            "form"
        ]
        == "tiny"
    )
    found = load_tokenizer(tmp_path)
    text = "otter:4821 王明在花园。 def cedar(): oak(); return elm()"
    assert found.encode(text).ids == tokens.tokenizer().encode(text).ids
    assert getattr(found, "form") is Form.TINY  # noqa: B009
    assert getattr(found, "plain") == getattr(tokens.tokenizer(), "plain")  # noqa: B009
