"""Equal bytes: every method that can holds the target's bytes, measured; who cannot is named; runs
resume on the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scbench.api import Result
from scbench.api import run as play_grid
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig
from scbench.grid.equal import solve
from scbench.grid.pairing import apart
from scbench.grid.suite import TokenCount
from scbench.kv import LayerView
from scbench.kv.accounting import counted_in, counted_shape
from scbench.ledger.equal_table import BELOW, MET, OUT, REFERENCE, EqualBytes, Fitted
from scbench.methods import parse
from scbench.methods.budget import rounded
from scbench.methods.compression import knorm
from scbench.methods.contract import Eviction
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.tasks import task
from scbench.types import Accounting, Equal, Protocol, Session

KINDS = ("gqa", *(pytest.param(one, marks=pytest.mark.slow) for one in ("mha", "mqa")))


@pytest.fixture(autouse=True)
def _counted_as_in_a_run() -> Iterator[None]:
    with counted_in(Accounting.BFLOAT16):
        yield


FITTED = (  # methods whose knob is a share
    "streaming-llm",
    "streaming-llm[rolling=yes]",
    "snapkv[preset=paper]",
    "a-shape+snapkv[tau=1/2]",
    "pyramidkv",
    "adakv",
    "h2o",
    "h2o[rolling=yes]",
    "tova",
    "knorm",
    "keydiff",
    "kvzip",
    "expected-attention",
    "snapkv+quest[tau=1/2,page_tokens=4]",  # a page that grows makes bytes jump
    "snapkv+tier",
    "snapkv+rtn[bits=8]",
)
CODECS = ("kivi", "kivi[tau=1/2]", "rtn[bits=8]", "turboquant[variant=inner-product]")
UNREACHABLE = {  # with a word of the reason
    "a-shape": "how the context is read",
    "prefix": "stores whole caches",
    "quest": "bytes of index",
    "retroinfer": "bytes of index",
    "tier": "holds the whole cache",
    "infllm": "what it remembers",
    "exact-topk": "holds the whole cache",
    "fp8": "holds least of its settings",
    "kivi[group=24,residual_tokens=24]": "does not divide",
}


@cache
def engine(kind: str) -> LocalEngine:
    return tiny(kind)


@cache
def session(kind: str) -> Session:
    return task("kv").make(
        seed="equal:0", target=600, turns=1, count=TokenCount(engine(kind).tokenizer)
    )


def solved(kind: str, methods: list[Method], share: str = "1/2") -> EqualBytes:
    return solve(engine(kind), session(kind), methods, share, Protocol())


def rows(
    kind: str, spellings: tuple[str, ...], share: str = "1/2"
) -> tuple[EqualBytes, dict[str, Fitted]]:
    found = solved(kind, [parse(text) for text in spellings], share)
    return found, dict(zip(spellings, found.rows, strict=True))


def bytes_of(kind: str, spelling: str, tokens: int) -> int:
    """Held by a fork of a read of its own."""
    method = parse(spelling)
    ids = [
        (at * at * 31 + at * 7) % 96 + 32 for at in range(tokens)
    ]  # bytes do not depend on what is said
    return fork(engine(kind).read(ids, needs=method.needs), method).accounted_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", ["1/2", "0.19"])
def test_a_method_with_a_share_holds_the_target_to_within_a_token(kind: str, share: str) -> None:
    found, fitted = rows(kind, FITTED, share)
    shape = counted_shape(engine(kind).facts.shape)
    assert found.target_bytes == int(Fraction(share) * shape.dense_bytes(found.context_tokens))
    assert found.token_bytes == shape.token_bytes
    for spelling, row in fitted.items():
        assert row.verdict == MET, row
        assert row.held_bytes is not None
        assert row.played is not None
        assert 0 <= found.target_bytes - row.held_bytes < found.token_bytes, spelling
        assert bytes_of(kind, row.played, found.context_tokens) == row.held_bytes


@pytest.mark.parametrize("kind", KINDS)
def test_a_codec_holds_the_most_bits_under_the_target_and_says_what_the_next_would_hold(
    kind: str,
) -> None:
    found, fitted = rows(kind, CODECS)
    for spelling, row in fitted.items():
        assert row.verdict in (MET, BELOW), row
        assert row.played is not None
        assert (
            row.held_bytes == bytes_of(kind, row.played, found.context_tokens) <= found.target_bytes
        )
        codec: Any = parse(row.played).codec
        more = next(bits for bits in (*codec.knob.steps, 99) if bits > codec.bits)
        if more != 99:
            above = row.played.replace(f"bits={codec.bits}", f"bits={more}")
            assert above != row.played, spelling
            assert bytes_of(kind, above, found.context_tokens) > found.target_bytes


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_hold_the_target_is_named_with_the_reason_and_its_nearest_bytes(
    kind: str,
) -> None:
    found, fitted = rows(kind, ("dense", *UNREACHABLE))
    assert fitted["dense"].verdict == REFERENCE
    assert found.methods == ("dense",)
    assert len(found.gaps) == len(UNREACHABLE)
    for name, why in UNREACHABLE.items():
        row = fitted[name]
        assert row.verdict == OUT
        assert why in row.why, row
        assert row.held_bytes is None or row.held_bytes > found.target_bytes


@pytest.mark.parametrize("spelling", [*FITTED, *CODECS])
def test_what_is_played_is_spelled_so_that_it_can_be_read_again(spelling: str) -> None:
    (row,) = rows("gqa", (spelling,))[0].rows
    assert row.played is not None
    assert str(parse(row.played)) == row.played
    assert row.asked == str(parse(spelling))


def test_a_compressed_prompt_is_fitted_by_what_is_left_of_it() -> None:
    found, fitted = rows("gqa", ("llmlingua-2", "llmlingua-2[tau=9/10]+snapkv"), "1/2")
    row = fitted["llmlingua-2"]
    assert row.verdict in (MET, BELOW)
    assert row.held_bytes is not None
    assert (
        0 <= found.target_bytes - row.held_bytes < 40 * found.token_bytes
    )  # words, at whole percents
    assert fitted["llmlingua-2[tau=9/10]+snapkv"].verdict == MET


@dataclass(frozen=True, slots=True, kw_only=True)
class Boaster(Eviction):
    """Keeps the last slots, all in all twice its budget, and claims half of what it holds."""

    name: ClassVar[str] = "boaster"

    def keep(self, view: LayerView) -> list[Tensor]:
        kept = min(view.tokens, 2 * self.budget(view.tokens))
        return [torch.arange(view.tokens - kept, view.tokens)] * view.k_HSD.shape[0]


def test_forks_decide_where_the_closed_form_is_wrong() -> None:
    found = solved("gqa", [Method(compression=(Boaster(),))])
    (row,) = found.rows
    assert row.held_bytes is not None
    assert 0 <= found.target_bytes - row.held_bytes < 2 * found.token_bytes  # it moves by two slots
    assert row.held_bytes > found.target_bytes // 2 + found.token_bytes


def test_a_recurrent_model_leaves_every_method_out_with_the_reason() -> None:
    found = solve(
        tiny("mamba2"),
        session("gqa"),
        [parse("dense"), parse("snapkv"), parse("kivi")],
        "1/2",
        Protocol(),
    )
    assert [row.verdict for row in found.rows] == [REFERENCE, OUT, OUT]
    assert all("recurrent" in row.why for row in found.rows[1:])


def test_a_hybrid_is_fitted_by_its_attention_layers() -> None:
    found = solve(
        tiny("bamba"), session("gqa"), [parse("dense"), parse("knorm")], "1/2", Protocol()
    )
    row = found.rows[1]
    assert row.held_bytes is not None
    assert 0 <= found.target_bytes - row.held_bytes < found.token_bytes


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 8000))
def test_the_share_of_a_shorter_sample_never_keeps_more_than_it_on_a_longer_context(
    kept: int, more: int, longer: int
) -> None:
    tokens = kept + more
    assert rounded(Fraction(2 * kept - 1, 2 * tokens) * tokens) == kept
    assert rounded(Fraction(2 * kept - 1, 2 * tokens) * (tokens + longer)) <= Fraction(
        kept * (tokens + longer), tokens
    )


def test_the_reference_is_counted_in_16_bits_whatever_the_run_stores() -> None:
    """So a quarter of the bytes is a quarter of the slots, on a machine that stores fp32 too."""
    method = parse("knorm")
    found = solved("gqa", [method], "1/4")
    row = found.rows[0]
    shape = engine("gqa").facts.shape
    assert counted_shape(shape).dense_bytes(10) == shape.dense_bytes(10) // 2
    assert found.reference_bytes * 2 == found.dense_bytes == shape.dense_bytes(found.context_tokens)
    assert row.played is not None
    slots = parse(row.played).compression[0].budget(found.context_tokens)
    assert slots == found.context_tokens // 4


def test_at_the_sessions_end_what_was_appended_counts() -> None:
    """A dropper keeps its tail whole: equal after the context is not equal at the end."""
    of = task("kv").make(
        seed="equal:0", target=600, turns=3, count=TokenCount(engine("gqa").tokenizer)
    )
    methods = [parse("knorm"), parse("dense")]
    fits = {
        what: solve(engine("gqa"), of, methods, "1/2", Protocol(), what=what)
        for what in (Equal.CONTEXT, Equal.END)
    }
    slots = {
        what: parse(str(found.rows[0].played)).compression[0].budget(found.context_tokens)
        for what, found in fits.items()
    }
    grown = fits[Equal.END].reference_bytes - fits[Equal.CONTEXT].reference_bytes
    assert grown > 0
    appended = grown // fits[Equal.END].token_bytes
    # Half of all tokens are allowed, and the appended ones are there already.
    assert slots[Equal.END] == (fits[Equal.CONTEXT].context_tokens + appended) // 2 - appended
    assert slots[Equal.CONTEXT] == fits[Equal.CONTEXT].context_tokens // 2


@pytest.mark.parametrize("spelling", ["quest", "retroinfer", "knorm", "snapkv[tau=3/4]+quest"])
def test_loading_methods_are_fitted_to_what_a_step_loads(spelling: str) -> None:
    found = solve(
        engine("gqa"),
        session("gqa"),
        [parse("dense"), parse(spelling)],
        "1/2",
        Protocol(),
        what=Equal.LOADED,
    )
    reference, row = found.rows
    assert reference.held_bytes == found.reference_bytes
    assert row.held_bytes is not None
    assert 0.75 * found.target_bytes < row.held_bytes <= found.target_bytes


def test_a_method_is_checked_at_the_setting_that_is_fitted_and_not_at_its_own() -> None:
    """duo-attention's own 1/32 fits no short context; at a quarter of the bytes it plays."""
    method = parse("duo-attention")
    shape = engine("gqa").facts.shape
    assert apart([method], shape, [600], is_fitted=True)[0] == [method]


GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,snapkv,rtn,quest",
    "equal_bytes": "1/2",
    "length": "1k",
    "sessions": 2,
    "turns": 2,
    "cost_sessions": 1,
    "cost_repeats": 1,
    "quiet": True,
}


def play(folder: Path, **more: Any) -> Result:
    return play_grid(**{**GRID, **more, "out": folder})


def test_a_run_plays_the_fitted_methods_and_names_the_gap(tmp_path: Path) -> None:
    result = play(tmp_path)
    (found,) = result.equal_bytes()
    assert {record.method for record in result.records()} == set(found.methods)
    assert [row.played for row in found.rows if row.asked == "quest"] == [None]
    assert result.outcome is not None
    assert [gap for gap in result.outcome.gaps if "quest is left out" in gap]
    measured = {row["method"]: row["held_accounted_bytes"] for row in result.costs()}
    assert measured == {row.played: row.held_bytes for row in found.rows if row.played}


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_settings_and_reads_no_sample_again(
    tmp_path: Path,
) -> None:
    whole = play(tmp_path).records()
    journal = tmp_path / "records.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:5]))
    engine = ToyEngine()
    again = play(tmp_path, engine=engine).records()
    assert sorted((r.method, r.seed, r.mode, r.turn) for r in again) == sorted(
        (r.method, r.seed, r.mode, r.turn) for r in whole
    )
    finished = ToyEngine()
    play(tmp_path, engine=finished)
    assert engine.reads > 0
    assert finished.reads == 0


@pytest.mark.slow
def test_another_share_is_another_run_and_plays_other_methods(tmp_path: Path) -> None:
    before = {r.method for r in play(tmp_path / "half").records()}
    with pytest.raises(BadConfig, match="equal_bytes"):
        play(tmp_path / "half", equal_bytes="1/3")
    third = play(tmp_path / "third", equal_bytes="1/3")
    (found,) = third.equal_bytes()
    assert found.share == "1/3"
    assert set(found.methods) & before == {"dense"}


def test_a_strangers_method_is_fitted_like_ours_and_found_again(tmp_path: Path) -> None:
    """Its spelling has lost the file; what is played must not be looked up by it."""
    source = Path(knorm.__file__ or "").read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(source)
    result = play(tmp_path / "run", methods=f"dense,knorm,{tmp_path}/mine.py:Knorm", sessions=1)
    methods = {record.method.partition("[")[0] for record in result.records()}
    assert methods == {"dense", "knorm", "mine.py:Knorm"}
    assert not [record for record in result.records() if record.failure]


def test_every_length_has_settings_of_its_own(tmp_path: Path) -> None:
    result = play(tmp_path, length="512,1k", sessions=1)
    found = {one.length_tokens: set(one.methods) for one in result.equal_bytes()}
    assert found.keys() == {512, 1024}
    for length, methods in found.items():
        assert {r.method for r in result.records() if r.length_tokens == length} == methods


@pytest.mark.parametrize("share", ["0", "1", "-1/8", "2", "eighth", "1/0", "nan"])
def test_a_share_that_means_nothing_is_refused(share: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="such as 1/8"):
        play(tmp_path, equal_bytes=share)
