"""What a template would spoil in a run is found on a tiny conversation before it."""

from __future__ import annotations

import pytest

from prompts.texts import CHATML, GLM, LLAMA, MISTRAL, TEMPLATES, THINKS, tokenizer
from scbench.errors import BadConfig, Mismatch
from scbench.prompts import ByteTokenizer
from scbench.prompts.template_check import check_template
from scbench.types import History, Mode, PromptSet, Protocol

BOTH = (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
EMPTY_THOUGHT = CHATML.replace(
    "assistant\n{% endif %}", "assistant\n<think>\n\n</think>\n\n{% endif %}"
)
COUNTS_TURNS = "{{ messages | length }} messages\n" + CHATML
HEADERLESS = [
    CHATML[: CHATML.index("{% if add_generation_prompt %}")],
    LLAMA[: LLAMA.index("{% if add_generation_prompt %}")],
    GLM[: GLM.index("{% if add_generation_prompt %}")],
]


@pytest.mark.parametrize("prompts", list(PromptSet))
@pytest.mark.parametrize("style", TEMPLATES)
def test_templates_that_are_right_pass(style: str, prompts: PromptSet) -> None:
    check_template(tokenizer(style), Protocol(prompts=prompts), BOTH)


def test_a_template_that_always_writes_the_header_passes() -> None:
    always = CHATML.replace("{% if add_generation_prompt %}", "{% if true %}")
    check_template(tokenizer("chatml", always), Protocol(), BOTH)


def test_equal_renderings_are_no_fault_where_nothing_is_missing() -> None:
    assert "add_generation_prompt" not in MISTRAL
    check_template(tokenizer("mistral"), Protocol(), BOTH)


@pytest.mark.parametrize("template", HEADERLESS)
def test_a_template_without_the_header_of_the_answer_is_refused(template: str) -> None:
    with pytest.raises(Mismatch, match="leaves out what begins an answer") as told:
        check_template(tokenizer("chatml", template), Protocol(), BOTH)
    assert "--plain" in str(told.value)


@pytest.mark.parametrize("history", list(History))
@pytest.mark.parametrize("template", [THINKS, EMPTY_THOUGHT])
def test_a_prompt_that_opens_a_thought_can_be_carried_on_without_it(
    template: str, history: History
) -> None:
    check_template(tokenizer("chatml", template), Protocol(history=history), BOTH)


def test_a_template_that_renders_earlier_turns_anew_is_refused_for_turns_that_carry_on() -> None:
    anew = tokenizer("chatml", COUNTS_TURNS)
    with pytest.raises(Mismatch, match="--history none, --plain, or --modes multi-request"):
        check_template(anew, Protocol(), BOTH)
    with pytest.raises(Mismatch, match="renders earlier turns otherwise"):
        check_template(anew, Protocol(history=History.MODEL), BOTH)
    check_template(anew, Protocol(), [Mode.MULTI_REQUEST])
    check_template(anew, Protocol(history=History.NONE), BOTH)
    check_template(anew, Protocol(chat_template=False), BOTH)


def test_a_template_asked_of_a_tokenizer_without_one_is_refused() -> None:
    with pytest.raises(BadConfig, match="--chat-template"):
        check_template(ByteTokenizer(), Protocol(chat_template=True), BOTH)
    check_template(ByteTokenizer(), Protocol(), BOTH)


def test_a_template_that_refuses_a_conversation_is_refused() -> None:
    refuses = "{{ raise_exception('no users here') }}"
    with pytest.raises(Mismatch, match="no users here"):
        check_template(tokenizer("chatml", refuses), Protocol(), BOTH)
