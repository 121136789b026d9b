"""The architecture of every model with a short name goes the whole way: sessions, prompts, read,
methods, decode, score, record.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch

import scbench
from engines import llms
from laws.methods import METHODS
from scbench.engines.contract import Feed
from scbench.engines.llm import HYBRID, RECURRENT
from scbench.engines.local import LocalEngine
from scbench.engines.models import LLMS
from scbench.grid.suite import TokenCount
from scbench.methods import parse
from scbench.play.cell import CellPlay
from scbench.play.session import SessionPlay
from scbench.prompts import Conversation
from scbench.tasks import task
from scbench.types import PAPER_MODES, Cell, Mode, Protocol, Record, Session

NAMES = [llm.name for llm in LLMS]
OF = {
    category: [llm.name for llm in LLMS if llm.category == category]
    for category in (RECURRENT, HYBRID)
}
STRETCHED = "qwen2.5-32b"
OWN = {
    "kivi": "kivi[bits=2,group=16,residual_tokens=32]"
}  # the small heads have 16 channels, and its paper's groups 32
METHOD_OF = {
    spelling.partition("[")[0]: spelling for spelling in reversed(METHODS) if "+" not in spelling
} | OWN
PROTOCOL = Protocol(max_new_tokens=3)
KEPT = ("streaming-llm", "snapkv", "pyramidkv", "adakv", "knorm", "keydiff", "expected-attention")
CODED = ("kivi", "rtn", "fp8", "turboquant")


@cache
def session(name: str, turns: int = 2) -> Session:
    return task("kv").make(seed="a:0", target=400, turns=turns, count=TokenCount(llms.chat(name)))


def play(engine: LocalEngine, of: Session, methods: list[str]) -> list[Record]:
    """All records of these methods in both modes."""
    records: list[Record] = []
    jobs = []
    for method in methods:
        for mode in PAPER_MODES:
            cell = Cell(
                task="kv",
                length_tokens=400,
                seed="a:0",
                mode=mode,
                model=engine.facts.name,
                method=method,
                protocol=PROTOCOL,
                turns=len(of.turns),
                session_digest=of.digest,
                key=f"{method} {mode}",
            )
            jobs.append(CellPlay(cell, parse(method), set(range(len(of.turns)))))
    SessionPlay(engine, of, PROTOCOL, emit=records.append, needles={}).play(jobs)
    assert len(records) == len(jobs) * len(of.turns)
    return records


def refused(records: list[Record]) -> dict[str, str]:
    """Method -> why, for those with no answer at all."""
    kinds = {record.failure.kind for record in records if record.failure}
    assert kinds <= {"refused"}, {
        record.failure for record in records if record.failure and record.failure.kind != "refused"
    }
    answered = {record.method for record in records if record.answer}
    return {
        r.method.partition("[")[0]: r.failure.why
        for r in records
        if r.failure and r.method not in answered
    }


def held(records: list[Record], method: str) -> int:
    """Bytes that the method's stream of the first request held."""
    found = next(
        r
        for r in records
        if r.method == METHOD_OF[method] and r.mode is Mode.MULTI_REQUEST and r.turn == 0
    )
    assert found.cost is not None
    return found.cost.held_bytes


def is_whole(record: Record) -> bool:
    return record.answer is not None and record.strict.value in (
        0.0,
        1.0,
    )  # a random model may end at once


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("llama-3.1-8b", marks=pytest.mark.slow),
        pytest.param("qwen2.5-72b", marks=pytest.mark.slow),
        pytest.param(f"{STRETCHED} stretched", marks=pytest.mark.slow),
        pytest.param("llama-3-8b-262k", marks=pytest.mark.slow),
        pytest.param("glm-4-9b-1m", marks=pytest.mark.slow),
    ],
)
def test_every_method_answers_on_every_kind_of_transformer(name: str) -> None:
    name, _, is_stretched = name.partition(" ")
    engine = llms.engine(name, window_tokens=131072 if is_stretched else None)
    records = play(engine, session(name), list(METHOD_OF.values()))
    assert refused(records) == {}
    assert all(is_whole(record) for record in records)
    for method in (*KEPT, *CODED):
        assert held(records, method) < 0.7 * held(records, "dense"), method


@pytest.mark.slow
@pytest.mark.parametrize("name", OF[HYBRID])
def test_every_method_but_those_that_cut_a_state_answers_on_a_hybrid(name: str) -> None:
    engine = llms.engine(name)
    records = play(engine, session(name, turns=1), list(METHOD_OF.values()))
    why = refused(records)
    assert set(why) == {"prefix", "cacheblend", "kvzip"}
    assert all("recurrent state" in why[method] for method in ("prefix", "cacheblend"))
    assert "only token by token" in why["kvzip"]
    assert all(is_whole(record) for record in records if not record.failure)
    state_bytes = engine.facts.shape.recurrent_bytes
    for method in (*KEPT, *CODED):
        assert held(records, method) - state_bytes < 0.7 * (held(records, "dense") - state_bytes), (
            method
        )


@pytest.mark.slow
def test_a_hybrids_conversation_goes_on_after_its_attention_was_compressed() -> None:
    name = OF[HYBRID][0]
    records = play(llms.engine(name), session(name), ["snapkv[tau=1/4]", OWN["kivi"]])
    assert all(is_whole(record) for record in records)


@pytest.mark.parametrize("name", OF[RECURRENT])
def test_a_model_without_attention_answers_densely_and_refuses_every_method_by_name(
    name: str,
) -> None:
    records = play(llms.engine(name), session(name), list(METHOD_OF.values()))
    why = refused(records)
    assert set(why) == set(METHOD_OF) - {
        "dense",
        "closed-book",
        "llmlingua-2",
        "selective-context",
    }  # these need no attention layers
    for method, text in why.items():
        assert text.startswith(str(parse(METHOD_OF[method]))), text
        assert "this model has none" in text
    assert all(is_whole(record) for record in records if not record.failure)


# -- prompts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", PAPER_MODES)
@pytest.mark.parametrize("name", NAMES)
def test_prompts_in_each_models_kind_of_template_are_full_renders_that_begin_with_the_shared_context(
    name: str, mode: Mode
) -> None:
    tokenizer, of = llms.chat(name), session(name)
    talk = Conversation(of, tokenizer, PROTOCOL, mode)
    words = talk._writer.wording
    assert talk.is_chat
    messages: list[dict[str, str]] = []
    for turn in range(2):
        asked = (
            words.follow_up(turn)
            if messages
            else f"{words.head()}{of.context}\n\n{words.ask(turn)}"
        )
        messages.append({"role": "user", "content": asked})
        prompt = talk.prompt(turn)
        assert (
            prompt.ids
            == tokenizer.encode(tokenizer.render_chat(messages, add_generation_prompt=True)).ids
        )
        assert prompt.ids[: len(talk.context.ids)] == talk.context.ids
        if mode is Mode.MULTI_TURN:
            messages.append({"role": "assistant", "content": words.gold(turn)})
        else:
            messages.clear()
    assert len(talk.context.ids) > 0.8 * len(talk.prompt(0).ids)
    assert tokenizer.end_ids


# -- the model's own numbers -----------------------------------------------------------------------


@torch.inference_mode()
def own_logits(name: str, ids: tuple[int, ...], window_tokens: int | None) -> torch.Tensor:
    """The last row of the model's own eager attention over everything at once."""
    engine = llms.engine.__wrapped__(
        name, window_tokens=window_tokens
    )  # the fork below keeps our attention; this one changes it
    model = llms.model.__wrapped__(name, window_tokens=window_tokens)
    model.load_state_dict(engine.model.state_dict())
    model.eval().set_attn_implementation("eager")
    logits: torch.Tensor = (
        model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0, -1].float()
    )
    return logits


@pytest.mark.parametrize(
    ("name", "window_tokens"), [*((name, None) for name in NAMES), (STRETCHED, 131072)]
)
def test_a_prompt_read_and_extended_gives_the_models_own_logits(
    name: str, window_tokens: int | None
) -> None:
    engine = llms.engine(name, window_tokens=window_tokens)
    talk = Conversation(session(name), llms.chat(name), PROTOCOL, Mode.MULTI_REQUEST)
    stream = engine.read(talk.context.ids).fork()
    prompt = talk.prompt(0)
    ours = engine.advance([Feed(stream, talk.delta(stream.ids, prompt))])[0]
    torch.testing.assert_close(
        ours, own_logits(name, prompt.ids, window_tokens), atol=1e-4, rtol=1e-3
    )


def test_the_stretched_window_changes_what_is_read() -> None:
    ids = list(range(1, 90))
    plain, longer = (
        llms.engine(STRETCHED, window_tokens=window).read(ids).logits_V for window in (None, 131072)
    )
    assert float((plain - longer).abs().max()) > 1e-3


# -- with its journal and page ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["glm-4-9b-1m", "jamba-1.5-mini", "codestral-mamba-7b"])
def test_a_run_of_it_writes_records_and_a_page(name: str, tmp_path: Path) -> None:
    methods = "dense,llmlingua-2" if name in OF[RECURRENT] else "dense,snapkv[tau=1/4]"
    result = scbench.run(
        engine=llms.engine(name),
        model=name,
        tasks="kv",
        methods=methods,
        length=512,
        sessions=1,
        turns=1,
        max_new_tokens=2,
        cost_sessions=0,
        out=tmp_path,
        quiet=True,
    )
    assert {record.method for record in result.records() if is_whole(record)} == set(
        methods.split(",")
    )
    assert (tmp_path / "index.html").stat().st_size > 0
