"""One spelling of a method everywhere: what is written is what is read, and what is wrong
is said.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, Mismatch, ScbenchError, Unknown
from scbench.methods import names, parse
from scbench.methods.cards import card
from scbench.methods.compression.kivi import Kivi
from scbench.methods.compression.snapkv import SnapKV
from scbench.methods.compression.streaming_llm import StreamingLLM
from scbench.methods.contract import Dense, LoadAll, OwnSession
from scbench.methods.generation.a_shape import AShape
from scbench.methods.loading.quest import Quest
from scbench.methods.method import Method
from scbench.methods.retrieval.prefix import PrefixReuse

SHARES = st.fractions(min_value=Fraction(1, 10**6), max_value=1)
BUDGETS = st.one_of(
    st.just({}),
    st.builds(lambda tau: {"tau": tau}, SHARES),
    st.builds(lambda n: {"budget_tokens": n}, st.integers(16, 10**6)),
)
COUNTS = st.integers(1, 10**6)

generations = st.one_of(
    st.just(Dense()),
    st.builds(
        lambda init, local: AShape(init_tokens=init, local_tokens=local),
        st.integers(0, 999),
        COUNTS,
    ),
    st.builds(lambda budget: AShape(**budget), BUDGETS),
)
evictions = st.one_of(
    st.builds(
        lambda sink, recent: StreamingLLM(sink_tokens=sink, recent_tokens=recent),
        st.integers(0, 999),
        COUNTS,
    ),
    st.builds(
        lambda budget, window, kernel, pooling: SnapKV(
            window_tokens=window, kernel=2 * kernel + 1, pooling=pooling, **budget
        ),
        BUDGETS,
        st.integers(1, 64),
        st.integers(0, 9),
        st.sampled_from(["avg", "max"]),
    ),
)
codecs = st.one_of(
    st.builds(
        lambda bits, group, times: Kivi(
            bits=bits, group=8 * group, residual_tokens=8 * group * times
        ),
        st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 16]),
        st.integers(1, 8),
        st.integers(1, 8),
    ),
    st.builds(lambda tau: Kivi(tau=tau), SHARES),
)
loadings = st.one_of(
    st.just(LoadAll()),
    st.builds(
        lambda page, read, exempt: Quest(page_tokens=page, read_tokens=read, exempt_layers=exempt),
        COUNTS,
        COUNTS,
        st.integers(0, 9),
    ),
    st.builds(lambda budget: Quest(**budget), BUDGETS),
)
methods = st.one_of(
    st.builds(
        lambda generation, eviction, loading: Method(
            generation=generation, compression=tuple(eviction), loading=loading
        ),
        generations,
        st.lists(evictions, max_size=1),
        loadings,
    ),
    st.builds(
        lambda generation, eviction, codec: Method(
            generation=generation, compression=(*eviction, codec)
        ),
        generations,
        st.lists(evictions, max_size=1),
        codecs,
    ),
    st.builds(
        lambda generation, block, mib: Method(
            generation=generation, retrieval=PrefixReuse(block_tokens=block, capacity_mib=mib)
        ),
        generations,
        COUNTS,
        st.integers(0, 999),
    ),
)


@settings(deadline=None, max_examples=150)
@given(method=methods)
def test_a_method_is_what_its_spelling_reads_as(method: Method) -> None:
    assert parse(str(method)) == method
    assert str(parse(str(method))) == str(method)


@pytest.mark.parametrize("name", names())
def test_a_bare_name_is_its_own_spelling_and_every_preset_can_be_spelled(name: str) -> None:
    assert str(parse(name)) == name
    for preset in card(name).presets:
        method = parse(f"{name}[preset={preset}]")
        assert str(method) == f"{name}[preset={preset}]"
        assert parse(str(method)) == parse(method.resolved) == method
        assert "preset" not in method.resolved


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        (
            "snapkv[preset=longbench,tau=1/4]",
            "snapkv[tau=1/4,window_tokens=32,capacity_tokens=4096,kernel=7,pooling=max]",
        ),
        (
            "quest[preset=quest,page_tokens=8]",
            "quest[page_tokens=8,read_tokens=1024,exempt_layers=2]",
        ),
        ("kivi[preset=paper]", "kivi"),
        (
            "tova[preset=paper]+kivi[preset=kivi]",
            "tova[capacity_tokens=2048]+kivi[residual_tokens=128]",
        ),
        ("kvzip[preset=paper,tau=none]", "kvzip"),
        (
            "mine=snapkv[preset=paper,kernel=7]",
            "mine[window_tokens=32,capacity_tokens=4096,kernel=7,pooling=avg]",
        ),
    ],
)
def test_a_preset_keeps_its_name_and_what_it_stands_for_can_be_read(
    text: str, resolved: str
) -> None:
    method = parse(text)
    assert method.spelling == text
    assert method.resolved == resolved


def test_a_preset_given_at_its_own_value_is_spelled_by_its_name_alone() -> None:
    assert str(parse("snapkv[preset=paper,kernel=5]")) == "snapkv[preset=paper]"
    assert str(parse("snapkv[window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg]")) == (
        "snapkv[window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg]"
    )


def test_nothing_but_references_is_dense() -> None:
    assert str(Method()) == str(parse("dense")) == "dense"
    assert parse("dense") == Method(generation=Dense(), retrieval=OwnSession(), loading=LoadAll())


def test_a_dash_and_spaces_in_a_parameter_are_forgiven() -> None:
    assert parse(" kivi[ bits = 4 , residual-tokens=64] ") == parse(
        "kivi[bits=4,residual_tokens=64]"
    )


def test_shares_are_exact() -> None:
    eviction = parse("snapkv[tau=0.1]").eviction
    assert isinstance(eviction, SnapKV)
    assert eviction.tau == Fraction(1, 10)


@pytest.mark.parametrize(
    ("spelling", "kind", "why"),
    [
        ("snapvk", Unknown, "did you mean snapkv"),
        (
            "snapkv[bugdet_tokens=5]",
            BadConfig,
            "no parameter 'bugdet_tokens'; it takes tau, budget_tokens",
        ),
        ("snapkv[tau=half]", BadConfig, "takes a share such as 1/16"),
        ("snapkv[tau=1/0]", BadConfig, "takes a share such as 1/16"),
        ("snapkv[kernel=2.5]", BadConfig, "takes a whole number"),
        ("snapkv[pooling=min]", BadConfig, "one of avg, max"),
        ("snapkv[tau]", BadConfig, "is not parameter=value"),
        ("snapkv[preset=ours]", BadConfig, "no preset 'ours'; it has code, longbench, paper"),
        ("kivi[bits=2,bits=4]", BadConfig, "twice"),
        ("snapkv[tau=1/2", BadConfig, "not well formed"),
        ("snapkv+", BadConfig, "not well formed"),
        ("", BadConfig, "not well formed"),
        ("snapkv]tau=1/2[", BadConfig, "is not a method"),
        ("snapkv+streaming-llm", Mismatch, "two evictions"),
        ("kivi+kivi[bits=4]", Mismatch, "two codecs"),
        ("quest+quest", Mismatch, "two loading stages"),
        ("a-shape+a-shape", Mismatch, "two generation stages"),
        ("kivi+quest", Mismatch, "choose one of them"),
        ("prefix[folder=x]", Mismatch, "say disk_mib"),
    ],
)
def test_what_cannot_be_read_says_why(spelling: str, kind: type[ScbenchError], why: str) -> None:
    with pytest.raises(kind) as refusal:
        parse(spelling)
    assert why in str(refusal.value)


MINE = """
from dataclasses import dataclass
from scbench.methods.contract import Eviction
import torch

@dataclass(frozen=True, slots=True, kw_only=True)
class Mine(Eviction):
    name = "mine"
    first: int = %d

    def keep(self, view):
        return [torch.arange(self.first)] * view.k_HSD.shape[0]

class NotAStage: pass
"""


def test_a_method_can_live_in_any_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE % 5)
    method = parse(f"{tmp_path}/mine.py:Mine[first=7,tau=1/2]+quest")
    assert method.eviction is not None
    assert getattr(method.eviction, "first") == 7  # noqa: B009
    assert "first=7" in str(method)


def test_two_files_of_one_name_do_not_answer_for_each_other(tmp_path: Path) -> None:
    for folder, first in (("a", 3), ("b", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE % first)
    one, two = (parse(f"{tmp_path}/{folder}/mine.py:Mine") for folder in ("a", "b"))
    assert one.source_digest != two.source_digest


@pytest.mark.parametrize(
    ("file", "text", "asked", "why"),
    [
        ("gone.py", None, "Mine", "no file"),
        ("mine.py", MINE % 1, "Nine", "no class 'Nine'; it has Mine, NotAStage"),
        ("mine.py", MINE % 1, "NotAStage", "is not a stage"),
        ("mine.py", "import nothing_of_that_name", "Mine", "ModuleNotFoundError"),
        ("mine.py", "def (", "Mine", "SyntaxError"),
    ],
)
def test_a_file_that_does_not_hold_the_method_says_why(
    tmp_path: Path, file: str, text: str | None, asked: str, why: str
) -> None:
    if text is not None:
        (tmp_path / file).write_text(text)
    with pytest.raises(ScbenchError) as refusal:
        parse(f"{tmp_path}/{file}:{asked}")
    assert why in str(refusal.value)


@pytest.mark.parametrize("method", ["snapkv", "a-shape", "kivi", "quest", "prefix"])
def test_the_source_digest_tells_methods_apart(method: str) -> None:
    assert parse(method).source_digest != parse("dense").source_digest
    assert parse(method).source_digest == parse(method).source_digest
