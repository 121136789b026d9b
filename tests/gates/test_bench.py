"""Every kind of tokenizer under every kind of template keeps the laws, or is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from gates.bench import KINDS, LOSES_TEXT, TEMPLATES, tokenizer
from scbench.exam.gate_laws import LAWS, examine_gate
from scbench.prompts import HfTokenizer
from scbench.types import PromptSet, Protocol

FOLLOWS = "a later prompt extends the earlier one"
# What a run refuses, in one sentence and before any weight is read: header and answer would be one
# token, or the template leaves out the header.
REFUSED = {
    *((kind, "header left out") for kind in KINDS if kind not in LOSES_TEXT),
    ("byte-level, GPT-2's rule", "Llama 3"),
    ("llama-2", "Vicuna"),
    ("rebuilt from GGUF", "Vicuna"),
    ("read from GGUF, byte-level", "Llama 3"),
    ("read from GGUF, SentencePiece", "Vicuna"),
}
ON_EVERY_SAVE = {("byte-level", name) for name in TEMPLATES} | {
    (kind, name) for kind in KINDS for name in ("none", "Llama 2")
}


def verdicts(tok: HfTokenizer, protocol: Protocol | None = None) -> dict[str, str]:
    """The laws that do not hold: law -> verdict and why."""
    found = examine_gate(tok, protocol or Protocol())
    return {
        one.law: f"{one.verdict}: {one.why}"
        for one in found
        if one.verdict not in ("holds", "idle")
    }


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        pytest.param(
            kind,
            template,
            marks=[] if (kind, template) in ON_EVERY_SAVE else [pytest.mark.slow],
        )
        for kind in KINDS
        if kind not in LOSES_TEXT
        for template in TEMPLATES
    ],
)
def test_what_a_model_is_shown_is_the_text(kind: str, template: str) -> None:
    found = verdicts(tokenizer(kind, template))
    assert list(found) == ([FOLLOWS] if (kind, template) in REFUSED else []), found
    assert all(why.startswith("refused") for why in found.values())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LOSES_TEXT])
@pytest.mark.parametrize("template", ["none", pytest.param("ChatML", marks=pytest.mark.slow)])
def test_the_published_prompts_keep_the_laws_too(kind: str, template: str) -> None:
    assert verdicts(tokenizer(kind, template), Protocol(prompts=PromptSet.OFFICIAL)) == {}


@pytest.mark.parametrize("template", ["ChatML", "Phi", "Gemma"])
def test_marks_that_were_never_added_end_an_answer_as_the_text_they_are(template: str) -> None:
    tok = tokenizer("byte-level", template, has_marks=False)
    assert tok.turn_end
    assert verdicts(tok) == {}


@pytest.mark.parametrize("kind", sorted(LOSES_TEXT))
def test_a_kind_that_loses_text_is_found_out(kind: str) -> None:
    found = verdicts(tokenizer(kind, "none"))
    assert found["ids decode to the text, word for word"].startswith("broken")


def whole_control(tok: HfTokenizer) -> None:
    tok.control = {}


def pieces_as_beginnings(tok: HfTokenizer) -> None:
    tok.encode_on = tok.encode  # type: ignore[method-assign]


def answers_as_beginnings(tok: HfTokenizer) -> None:
    tok.decode_on = tok.decode  # type: ignore[method-assign]


def endless(tok: HfTokenizer) -> None:
    tok.turn_end, tok.end_ids = None, frozenset()


PLANTED: list[tuple[str, str, Callable[[HfTokenizer], None], str]] = [
    ("llama-2", "none", pieces_as_beginnings, "ids decode to the text"),
    ("metaspace always", "none", pieces_as_beginnings, "ids decode to the text"),
    ("llama-2", "none", answers_as_beginnings, "an answer keeps its first blanks"),
    ("metaspace first", "ChatML", answers_as_beginnings, "an answer keeps its first blanks"),
    ("byte-level", "Alpaca", endless, "an answer ends where its turn does"),
    ("byte-level", "ChatML", endless, "an answer ends where its turn does"),
]


@pytest.mark.parametrize(("kind", "template", "plant", "law"), PLANTED)
def test_a_planted_fault_breaks_its_law(
    kind: str, template: str, plant: Callable[[HfTokenizer], None], law: str
) -> None:
    sound = tokenizer(kind, template)
    broken = HfTokenizer(sound.raw, name="planted")
    plant(broken)
    assert [one for one in verdicts(broken) if one.startswith(law)]


def test_control_words_left_whole_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scbench.prompts.script.broken", lambda places: ())
    found = verdicts(HfTokenizer(tokenizer("byte-level", "ChatML").raw, name="planted"))
    assert any(law.startswith("control words") for law in found)


def test_a_template_that_knows_the_day_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scbench.prompts.tokenizer._on_one_day", lambda template: template)
    found = verdicts(HfTokenizer(tokenizer("byte-level", "dated").raw, name="planted"))
    assert list(found) == ["a prompt is the same tomorrow"]


def test_a_turn_that_ends_in_a_mere_sign_ends_no_answer() -> None:
    """It would cut every answer that holds the sign; the law says that nothing ends an answer."""
    signs = TEMPLATES["Vicuna"]
    assert signs is not None
    raw = copy.deepcopy(tokenizer("byte-level", "Vicuna").raw)
    raw.chat_template = signs.replace("USER: ", "- ")
    assert HfTokenizer(raw, name="signs").turn_end is None


def test_an_opening_that_depends_on_the_turn_is_refused_and_cuts_no_prompt() -> None:
    raw = copy.deepcopy(tokenizer("byte-level", "opens a thought").raw)
    raw.chat_template = raw.chat_template.replace(
        "<think>\n", "{% if messages | length == 1 %}<think>\n{% endif %}"
    )
    found = verdicts(HfTokenizer(raw, name="first turn only"))
    assert list(found) == [FOLLOWS]
    assert found[FOLLOWS].startswith("refused")


def test_every_law_is_played() -> None:
    found = examine_gate(tokenizer("byte-level", "ChatML"), Protocol())
    assert [one.law for one in found] == list(LAWS)
