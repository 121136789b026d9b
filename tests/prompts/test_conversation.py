from __future__ import annotations

import pytest

from prompts.texts import CHATML, THINKS, pairs_session, session_of, tokenizer
from scbench.errors import BadConfig, Mismatch
from scbench.prompts import ByteTokenizer, Conversation, HfTokenizer
from scbench.types import History, Mode, PromptSet, Protocol, Role

MODES = [Mode.MULTI_TURN, Mode.MULTI_REQUEST]
STRICT = Protocol()


def whole_ids(tok: HfTokenizer, messages: list[dict[str, str]]) -> tuple[int, ...]:
    return tok.encode(tok.render_chat(messages, add_generation_prompt=True)).ids


@pytest.mark.parametrize("history", [History.GOLD, History.MODEL])
def test_every_prompt_equals_a_full_render_of_its_messages(
    chat: HfTokenizer, history: History
) -> None:
    session = pairs_session(pairs=900)  # long enough for the context to be read only once
    talk = Conversation(session, chat, Protocol(history=history), Mode.MULTI_TURN)
    words = talk._writer.wording
    said = (
        [turn.gold for turn in session.turns]
        if history is History.GOLD
        else [" 17\n", "none of  them", "3"]
    )
    messages = [{"role": "user", "content": f"{words.head()}{session.context}\n\n{words.ask(0)}"}]
    for turn in range(3):
        assert talk.prompt(turn, said).ids == whole_ids(chat, messages)
        messages += [
            {"role": "assistant", "content": said[turn].strip()},
            {"role": "user", "content": words.follow_up(min(turn + 1, 2))},
        ]


def test_every_request_equals_a_full_render_of_its_message(chat: HfTokenizer) -> None:
    session = pairs_session(pairs=900)
    talk = Conversation(session, chat, STRICT, Mode.MULTI_REQUEST)
    words = talk._writer.wording
    for turn in range(3):
        message = {
            "role": "user",
            "content": f"{words.head()}{session.context}\n\n{words.ask(turn)}",
        }
        assert talk.prompt(turn).ids == whole_ids(chat, [message])


@pytest.mark.parametrize("mode", MODES)
def test_a_long_context_is_tokenised_once(chat: HfTokenizer, mode: Mode) -> None:
    session = pairs_session(pairs=3000, turns=8)
    talk = Conversation(session, chat, STRICT, mode)
    assert talk._encoder.chars_read < 1.6 * len(session.context)


def test_both_modes_share_one_context(chat: HfTokenizer) -> None:
    turns, requests = (Conversation(pairs_session(), chat, STRICT, mode) for mode in MODES)
    assert turns.context == requests.context


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("style", ["llama", "chatml", "mistral", "glm", None])
def test_context_is_a_prefix_of_every_prompt_and_holds_nearly_all_of_the_context(
    style: str | None, mode: Mode
) -> None:
    session = pairs_session()
    talk = Conversation(session, tokenizer(style), STRICT, mode)
    for turn in range(3):
        prompt = talk.prompt(turn)
        assert talk.delta(talk.context.ids, prompt) == prompt.ids[len(talk.context.ids) :]
        start, stop = prompt.spans["context"]
        assert tokenizer(style).decode(prompt.ids[start:stop]).startswith(session.context[:-4])
        assert stop <= len(talk.context.ids)


@pytest.mark.parametrize("style", ["llama", "chatml", "mistral", "glm", None])
def test_ask_span_holds_the_question_of_its_own_turn(style: str | None) -> None:
    session = pairs_session()
    for mode in MODES:
        talk = Conversation(session, tokenizer(style), STRICT, mode)
        for turn in range(3):
            start, stop = talk.prompt(turn).spans["ask"]
            text = tokenizer(style).decode(talk.prompt(turn).ids[start:stop])
            assert text.strip().endswith(session.turns[turn].ask)


@pytest.mark.parametrize("style", ["llama", "chatml", "mistral", "glm", None])
def test_evidence_tokens_decode_to_the_evidence(style: str | None) -> None:
    session = pairs_session()
    talk = Conversation(session, tokenizer(style), STRICT, Mode.MULTI_TURN)
    for turn, asked in enumerate(session.turns):
        found = {
            role: tokenizer(style).decode(talk.context.ids[a:b])
            for a, b, role in talk.context.evidence(turn)
        }
        assert asked.gold in found[Role.ANSWER]
        assert len(found[Role.ANSWER]) <= len(asked.gold) + 6  # neighbours that share a token
        assert f'"{asked.gold}"' in found[Role.SUPPORT]


def test_later_prompts_begin_with_earlier_ones_in_multi_turn(chat: HfTokenizer) -> None:
    talk = Conversation(pairs_session(), chat, STRICT, Mode.MULTI_TURN)
    assert talk.prompt(2).ids[: len(talk.prompt(1).ids)] == talk.prompt(1).ids


def test_bos_stands_once_at_the_start(chat: HfTokenizer) -> None:
    ids = Conversation(pairs_session(), chat, STRICT, Mode.MULTI_TURN).prompt(2).ids
    bos = chat.raw.bos_token_id
    assert ids.count(bos) == chat.render_chat(
        [{"role": "user", "content": "x"}], add_generation_prompt=True
    ).count("<s>")


@pytest.mark.parametrize("mode", MODES)
def test_plain_rendering_has_one_bos_and_breaks_at_segments(mode: Mode) -> None:
    session, tok = pairs_session(), ByteTokenizer()
    talk = Conversation(session, tok, STRICT, mode)
    ids = talk.prompt(1).ids
    assert (ids[0], ids.count(256)) == (256, 1)
    asks = [turn.ask for turn in session.turns]
    head = (
        f"Extract the value corresponding to the specified key in the JSON object "
        f"below.\n\n{session.context}\n\n"
    )
    told = (
        f"{head}{asks[0]} {session.turns[0].gold}\n\n{asks[1]}"
        if mode is Mode.MULTI_TURN
        else head + asks[1]
    )
    assert tok.decode(ids) == told


def test_no_bos_is_added_for_a_tokenizer_that_adds_none_itself() -> None:
    talk = Conversation(pairs_session(), tokenizer(None), STRICT, Mode.MULTI_TURN)
    assert tokenizer(None).raw.bos_token_id not in talk.prompt(1).ids


def test_own_answers_replace_the_golds_only_with_model_history() -> None:
    session, tok = pairs_session(), ByteTokenizer()
    own = Conversation(session, tok, Protocol(history=History.MODEL), Mode.MULTI_TURN)
    gold = Conversation(session, tok, STRICT, Mode.MULTI_TURN)
    assert " \n\nKey" not in tok.decode(own.prompt(1, ["wrong one"]).ids)
    assert "wrong one" in tok.decode(own.prompt(1, ["wrong one"]).ids)
    assert gold.prompt(1, ["wrong one"]).ids == gold.prompt(1).ids


def test_own_history_without_the_answers_is_refused() -> None:
    talk = Conversation(
        pairs_session(), ByteTokenizer(), Protocol(history=History.MODEL), Mode.MULTI_TURN
    )
    with pytest.raises(BadConfig):
        talk.prompt(2, ["only one"])


def test_without_history_a_turn_sees_context_and_question_only() -> None:
    session, tok = pairs_session(), ByteTokenizer()
    alone = Conversation(session, tok, Protocol(history=History.NONE), Mode.MULTI_TURN)
    request = Conversation(session, tok, STRICT, Mode.MULTI_REQUEST)
    assert alone.prompt(2).ids == request.prompt(2).ids


def test_template_that_rewrites_earlier_turns_is_refused_by_name() -> None:
    anew = tokenizer("chatml", "{{ messages | length }} messages\n" + CHATML)
    with pytest.raises(Mismatch, match="test-chatml"):
        Conversation(pairs_session(), anew, STRICT, Mode.MULTI_TURN)
    Conversation(pairs_session(), anew, STRICT, Mode.MULTI_REQUEST)  # asked alone it does no harm


def test_what_opens_a_thought_is_the_answers_and_no_later_prompt_has_it() -> None:
    talk = Conversation(pairs_session(), tokenizer("chatml", THINKS), STRICT, Mode.MULTI_TURN)
    for turn in range(1, 3):
        earlier, later = talk.prompt(turn - 1), talk.prompt(turn)
        assert earlier.opening_text == "<think>\n"
        assert later.ids[: len(earlier.ids)] == earlier.ids
        assert "<think>" not in later.text
        assert earlier.whole.ids == (*earlier.ids, *earlier.opening)


def test_tokenizer_that_joins_header_and_answer_is_refused() -> None:
    gpt2 = tokenizer(
        "llama", is_gpt2=True
    )  # "\n\n" is one token at the end of a prompt, two before an answer
    with pytest.raises(Mismatch, match="joins"):
        Conversation(pairs_session(), gpt2, STRICT, Mode.MULTI_TURN)


def test_delta_says_where_cache_and_prompt_part() -> None:
    talk = Conversation(pairs_session(), ByteTokenizer(), STRICT, Mode.MULTI_TURN)
    cached = [*talk.context.ids[:10], 0, *talk.context.ids[11:]]
    with pytest.raises(Mismatch, match="part at token 10"):
        talk.delta(cached, talk.prompt(0))


def test_a_cache_longer_than_the_prompt_is_no_prefix() -> None:
    talk = Conversation(pairs_session(), ByteTokenizer(), STRICT, Mode.MULTI_TURN)
    with pytest.raises(Mismatch):
        talk.delta(talk.prompt(1).ids, talk.prompt(0))


def test_only_short_answers_without_template_stop_at_a_blank_line() -> None:
    mixed = session_of(
        "repoqa_and_kv",
        "def f(): ...\n",
        [("say f", "def f(): ..."), ('Key: "a"', "b")],
        subtasks=["repoqa", "kv"],
    )
    plain = Conversation(mixed, ByteTokenizer(), STRICT, Mode.MULTI_TURN)
    assert [plain.stops(turn).blank_line for turn in range(2)] == [False, True]
    assert not Conversation(mixed, tokenizer("llama"), STRICT, Mode.MULTI_TURN).stops(1)


def test_chat_template_can_be_switched_off_but_not_invented() -> None:
    off = Conversation(
        pairs_session(), tokenizer("llama"), Protocol(chat_template=False), Mode.MULTI_TURN
    )
    assert "<|start|>" not in tokenizer("llama").raw.decode(off.prompt(1).ids)
    with pytest.raises(BadConfig, match="--plain"):
        Conversation(
            pairs_session(), ByteTokenizer(), Protocol(chat_template=True), Mode.MULTI_TURN
        )


@pytest.mark.parametrize("history", list(History))
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("style", ["llama", "chatml", "mistral", "glm", None])
def test_official_prompts_go_on_from_their_own_cache_too(
    style: str | None, mode: Mode, history: History
) -> None:
    session = session_of(
        "summary",
        "Report 1: mills\nText. " * 9,
        [(f"Summarize report {n}", f"report {n} is short") for n in range(3)],
    )
    talk = Conversation(
        session, tokenizer(style), Protocol(prompts=PromptSet.OFFICIAL, history=history), mode
    )
    cached = talk.context.ids
    for turn in range(3):
        prompt = talk.prompt(turn, ["first", "second"][:turn])
        assert cached + talk.delta(cached, prompt) == prompt.ids
        cached = prompt.ids if not talk.alone else talk.context.ids


def test_context_that_starts_with_blanks_keeps_its_evidence_under_a_trimming_template() -> None:
    session = session_of("prefix_suffix", "  \n alpha\nbeta\n", [("Which?", "beta")])
    from dataclasses import replace

    from scbench.types import Span

    at = session.context.index("beta")
    session = replace(
        session, turns=(replace(session.turns[0], evidence=(Span(at, at + 4, Role.ANSWER),)),)
    )
    talk = Conversation(session, tokenizer("llama"), STRICT, Mode.MULTI_REQUEST)
    ((start, stop, _),) = talk.context.evidence(0)
    assert "beta" in tokenizer("llama").decode(talk.context.ids[start:stop])
