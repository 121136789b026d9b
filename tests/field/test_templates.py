"""Templates that spoiled a run in silence: each with the prompt or the end that they should have.

A generation prompt that opens a thought, so that no turn's prompt began the next; a header that is
asked for and left out; a turn that no known token ends, so that the model invents the next one; the
day of the run in a prompt, or an empty text where the day should be.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import scbench
from engines.folders import write_model, write_tokenizer
from gates.bench import CHATML, TEMPLATES, tokenizer
from scbench.engines import load
from scbench.errors import Mismatch
from scbench.exam.gate_laws import examine_gate
from scbench.prompts import HfTokenizer
from scbench.prompts.tokenizer import TODAY
from scbench.types import Protocol

ASKED = [{"role": "user", "content": "x"}]


def under(template: str, *, has_marks: bool = True) -> HfTokenizer:
    raw = copy.deepcopy(tokenizer("byte-level", "none", has_marks=has_marks).raw)
    raw.chat_template = template
    return HfTokenizer(raw, name="mine")


# -- the clock -------------------------------------------------------------------------------------

FORMATS = [
    "%d %b %Y",
    "%e %B",
    "%F %T",
    "%D",
    "%c",
    "%x %X",
    "%-d/%-m/%y, %-I %p",
    "%j, week %V of %G",
    "%%d is no day, 100%%",
]
WAYS = {
    "literal": "{{{{ strftime_now('{0}') }}}}",
    "by name": "{{{{ strftime_now(format='{0}') }}}}",
    "variable": "{{% set how = '{0}' %}}{{{{ strftime_now(how) }}}}",
    "alias": "{{% set now = strftime_now %}}{{{{ now('{0}') }}}}",
    "put together": "{{{{ strftime_now('{0}'[:3] ~ '{0}'[3:]) }}}}",
    "in a macro": (
        "{{% macro day(how) %}}{{{{ strftime_now(how) }}}}{{% endmacro %}}{{{{ day('{0}') }}}}"
    ),
    "literal and variable": "{{% set how = '{0}' %}}{{% if strftime_now('%Y') %}}"
    "{{{{ strftime_now(how) }}}}{{% endif %}}",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_asking_for_the_day_writes_the_one_day_whole(way: str) -> None:
    clocks = "~".join(WAYS[way].format(form) for form in FORMATS)
    text = under(clocks + "~" + CHATML).render_chat(ASKED, add_generation_prompt=True)
    assert text.split("~")[:-1] == [TODAY.strftime(form) for form in FORMATS]


@pytest.mark.parametrize("clock", ["{{ now() }}", "{{ datetime.now() }}", "{{ date.today() }}"])
def test_a_clock_that_no_template_is_given_is_refused_in_words(clock: str) -> None:
    with pytest.raises(Mismatch, match=r"refuses a plain conversation.* is undefined"):
        under(clock + CHATML).render_chat(ASKED, add_generation_prompt=True)


# -- ends of turns ---------------------------------------------------------------------------------

HUMAN = (
    "{% for m in messages %}{% if m['role'] == 'user' %}\n\nHuman: {{ m['content'] }}\n\nAssistant:"
    "{% else %} {{ m['content'] }}{% endif %}{% endfor %}"
)
SIGNS = HUMAN.replace("\n\nHuman: ", "\n<|Human|>: ").replace("\n\nAssistant:", "\n<|Bot|>:")
BRACKETS = HUMAN.replace("\n\nHuman: ", "\n\n[User] ").replace("\n\nAssistant:", "\n\n[Model]")
ENDS = {
    "Human and Assistant": HUMAN,
    "signs that were never added": SIGNS,
    "words in brackets": BRACKETS,
    "ChatML without its marks": CHATML,
    "Alpaca": TEMPLATES["Alpaca"] or "",
}


@pytest.mark.parametrize("name", ENDS)
def test_an_answer_ends_at_the_text_that_ends_its_turn(name: str) -> None:
    tok = under(ENDS[name], has_marks=False)
    found = {one.law: one.verdict for one in examine_gate(tok, Protocol())}
    assert found["an answer ends where its turn does"] == "holds"
    assert tok.turn_end
    assert set(found.values()) <= {"holds", "idle"}


# -- headers and thoughts --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("templates") / "m", max_position_embeddings=2048)


WORDS: dict[str, Any] = {
    "tasks": "kv",
    "methods": "dense,snapkv[tau=1/2]",
    "length": "256",
    "sessions": 1,
    "turns": 3,
    "max_new_tokens": 2,
    "cost_sessions": 0,
    "think_tokens": 2,
}


@pytest.mark.parametrize("name", ["opens a thought", "empty thought"])
@pytest.mark.slow
def test_every_turn_is_answered_where_the_prompt_opens_a_thought(
    model: Path, tmp_path: Path, name: str
) -> None:
    write_tokenizer(model, TEMPLATES[name])
    folder = str(model)
    assert not [one for one in scbench.plan(model=folder, **WORDS).refusals if one.stops_run]
    records = scbench.run(model=folder, out=tmp_path / "run", quiet=True, **WORDS).records()
    assert len(records) == 12
    assert {one.failure for one in records} == {None}


@pytest.mark.parametrize("like", ["ChatML", "Llama 3"])
@pytest.mark.slow
def test_a_header_that_is_left_out_stops_plan_and_run_before_weights(
    model: Path, tmp_path: Path, like: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_read_weights", lambda *given, **words: pytest.fail("weights read"))
    template = (TEMPLATES[like] or "").split("{% if add_generation_prompt %}")[0]
    write_tokenizer(model, template)
    with pytest.raises(Mismatch, match="leaves out what begins an answer") as refused:
        scbench.run(model=str(model), out=tmp_path / "run", quiet=True, **WORDS)
    stopped = [one.why for one in scbench.plan(model=str(model), **WORDS).refusals]
    assert str(refused.value) in stopped
