"""A tokenizer of a closed vocabulary that brings its own rendering: <bos> context <ask> query <ans>
answer <end> <ask> ...
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from scbench.errors import DataError
from scbench.prompts import Conversation, HfTokenizer, Plain
from scbench.types import Form, Mode, Protocol, Role, Session, Span, Turn, Wanted

OWN = {"form": "tiny", "plain": [" <ask> ", " <ans> ", " <end>"]}
SPECIALS = ["<bos>", "<ask>", "<ans>", "<end>"]
WORDS = ["otter", "maple", "lamp", "river", "is", "4", "8", "2", "1", "9", "0", "3"]


def raw(own: object = OWN) -> Any:
    ids = {word: at for at, word in enumerate(["<unk>", *SPECIALS, *WORDS])}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIALS])
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", ids["<bos>"])]
    )
    more = {} if own is None else {"scbench": own}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<bos>", eos_token="<end>", unk_token="<unk>", **more
    )


@pytest.fixture(scope="module")
def tok(tmp_path_factory: pytest.TempPathFactory) -> HfTokenizer:
    """Saved and loaded twice, as a published folder would be."""
    folder = tmp_path_factory.mktemp("tokenizer")
    raw().save_pretrained(folder / "first")
    AutoTokenizer.from_pretrained(folder / "first").save_pretrained(folder / "second")
    return HfTokenizer(AutoTokenizer.from_pretrained(folder / "second"), name="closed")


def session() -> Session:
    context = "otter is 4 8 maple is 9 0 lamp is 2 1 river is 3 3"
    turns = []
    for key, value in (("maple", "9 0"), ("otter", "4 8"), ("river", "3 3")):
        start = context.index(key)
        at = context.index(value, start)
        spans = (Span(start, at + len(value), Role.SUPPORT), Span(at, at + len(value), Role.ANSWER))
        turns.append(
            Turn(
                task="kv",
                ask=key,
                gold=value,
                wanted=Wanted(golds=(value,)),
                max_new_tokens=4,
                evidence=spans,
            )
        )
    return Session(
        task="kv",
        context=context,
        turns=tuple(turns),
        counted=16,
        counter="c",
        recipe={},
        digest="2" * 64,
    )


def words(tok: HfTokenizer, ids: tuple[int, ...]) -> str:
    return " ".join(tok.raw.convert_ids_to_tokens(list(ids)))


def test_rendering_and_form_survive_saving_and_loading(tok: HfTokenizer) -> None:
    assert tok.plain == Plain(" <ask> ", " <ans> ", " <end>", bare=True)
    assert tok.form is Form.TINY
    assert {tok.raw.convert_ids_to_tokens(at) for at in tok.end_ids} == {"<end>"}


def test_a_tokenizer_without_the_entry_renders_as_ever_and_is_another_one(tok: HfTokenizer) -> None:
    bare = HfTokenizer(raw(None), name="closed")
    assert bare.form is Form.FULL
    assert not hasattr(bare, "plain")
    assert bare.template_digest != tok.template_digest


@pytest.mark.parametrize(
    "own",
    [
        {},
        "tiny",
        {**OWN, "form": "huge"},
        {**OWN, "plain": ["a", "b"]},
        {**OWN, "plain": [1, 2, 3]},
    ],
)
def test_an_odd_entry_is_named(own: object) -> None:
    with pytest.raises(DataError, match="tokenizer_config"):
        HfTokenizer(raw(own), name="closed")


def test_a_conversation_is_the_stream_the_model_was_trained_on(tok: HfTokenizer) -> None:
    talk = Conversation(session(), tok, Protocol(), Mode.MULTI_TURN)
    context = "<bos> otter is 4 8 maple is 9 0 lamp is 2 1 river is 3 3"
    told = [words(tok, talk.prompt(turn).ids) for turn in range(3)]
    assert words(tok, talk.context.ids) == context
    assert told[0] == f"{context} <ask> maple <ans>"
    assert told[1] == f"{told[0]} 9 0 <end> <ask> otter <ans>"
    assert told[2] == f"{told[1]} 4 8 <end> <ask> river <ans>"


@pytest.mark.parametrize("mode", Mode)
def test_every_prompt_goes_on_from_the_context_and_ends_where_the_answer_begins(
    tok: HfTokenizer, mode: Mode
) -> None:
    talk = Conversation(session(), tok, Protocol(), mode)
    before = talk.context.ids
    for turn in range(3):
        prompt = talk.prompt(turn)
        assert prompt.ids[: len(before)] == before
        assert words(tok, prompt.ids[-1:]) == "<ans>"
        assert words(tok, prompt.ids[slice(*prompt.spans["ask"])]) == session().turns[turn].ask
        assert not talk.stops(turn)  # only the end token stops an answer
        before = prompt.ids if mode is Mode.MULTI_TURN else before


@pytest.mark.parametrize("mode", Mode)
def test_evidence_lands_on_its_own_tokens(tok: HfTokenizer, mode: Mode) -> None:
    talk = Conversation(session(), tok, Protocol(), mode)
    for turn, asked in enumerate(session().turns):
        found = {
            role: words(tok, talk.context.ids[start:stop])
            for start, stop, role in talk.context.evidence(turn)
        }
        assert found == {Role.SUPPORT: f"{asked.ask} is {asked.gold}", Role.ANSWER: asked.gold}


def test_the_packages_own_tokenizer_has_such_an_entry(tmp_path: Path) -> None:
    from scbench.lab import tokens

    tokens.save(tmp_path)
    loaded = HfTokenizer(AutoTokenizer.from_pretrained(tmp_path), name="lab")
    assert (loaded.form, loaded.plain) == (Form.TINY, Plain(*tokens.PLAIN, bare=True))
