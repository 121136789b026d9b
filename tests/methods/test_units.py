"""The rule of units: what it promises at every length and budget, what it may see, its table."""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.methods import names, parse, units
from scbench.methods.registry import stage_class
from scbench.methods.units import unit, voting_rows
from units_table import LENGTHS, SHAPE, TAUS, sizes, table

DOCS = Path(__file__).resolve().parents[2] / "docs" / "units.md"
RULED = {  # a stage, its unit, and its paper's size
    "quest": ("page_tokens", 16),
    "xattention": ("block_tokens", 128),
    "flexprefill": ("block_tokens", 128),
    "infllm": ("block_tokens", 128),
    "retroinfer": ("cluster_tokens", 16),
}
tokens_of = st.integers(2, 1 << 20)


# -- the rule --------------------------------------------------------------------------------------


@given(tokens=tokens_of, budget=st.integers(1, 1 << 20), most=st.sampled_from([2, 16, 128]))
def test_a_budget_holds_sixteen_units_or_half_its_slots(
    tokens: int, budget: int, most: int
) -> None:
    size = unit(tokens=tokens, budget=budget, most=most)
    assert budget // size >= (16 if budget >= 32 else budget // 2)


@given(tokens=tokens_of, budget=st.integers(1, 1 << 20), most=st.sampled_from([2, 16, 128]))
def test_a_unit_is_a_power_of_two_from_two_to_its_papers_size(
    tokens: int, budget: int, most: int
) -> None:
    size = unit(tokens=tokens, budget=budget, most=most)
    assert 2 <= size <= most
    assert size & (size - 1) == 0


@given(
    shorter=tokens_of,
    more=st.integers(0, 1 << 20),
    tau=st.fractions(Fraction(1, 64), 1),
    most=st.sampled_from([16, 128]),
)
def test_a_unit_never_shrinks_when_the_context_grows(
    shorter: int, more: int, tau: Fraction, most: int
) -> None:
    before, after = (
        unit(tokens=tokens, budget=units.rounded(tau * tokens), most=most)
        for tokens in (shorter, shorter + more)
    )
    assert before <= after


@given(budget=st.integers(1, 1 << 20), question=st.integers(1, 5000))
def test_voters_are_the_questions_rows_within_half_a_budget(budget: int, question: int) -> None:
    rows = voting_rows(budget=budget, question_tokens=question)
    assert rows == max(1, min(32, question, budget // 2))
    assert 1 <= voting_rows(budget=budget) <= max(1, budget // 8)


@pytest.mark.parametrize(
    ("tokens", "tau", "page", "block"),
    [
        (256, "1/4", 2, 2),
        (451, "1/4", 4, 4),  # the needle of decision 84
        (512, "1/8", 4, 4),
        (2048, "1/4", 16, 16),
        (8192, "1/32", 16, 16),
        (131_072, "1/32", 16, 128),
    ],
)
def test_units_of_some_contexts(tokens: int, tau: str, page: int, block: int) -> None:
    budget = units.rounded(Fraction(tau) * tokens)
    assert unit(tokens=tokens, budget=budget, most=16) == page
    assert unit(tokens=tokens, budget=budget, most=128) == block


# -- what it may see -------------------------------------------------------------------------------


def test_the_rule_sees_lengths_and_budgets_alone() -> None:
    source = Path(inspect.getfile(units))
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"__future__", "fractions"}
    given_words = {
        argument.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }
    assert given_words <= {"tokens", "budget", "most", "question_tokens", "block", "x"}
    assert not [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("open", "environ")
    ]


# -- the stages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULED)
@settings(deadline=None, max_examples=50)
@given(tokens=st.integers(64, 1 << 17), tau=st.sampled_from(["1/2", "1/4", "1/8", "1/32"]))
def test_every_stage_with_units_takes_them_from_the_rule(name: str, tokens: int, tau: str) -> None:
    word, most = RULED[name]
    found = parse(f"{name}[tau={tau}]").units(shape=SHAPE, tokens=tokens)
    budget = units.rounded(Fraction(tau) * tokens)
    assert found[f"{name}.{word}"] == unit(tokens=tokens, budget=budget, most=most)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("quest[tau=1/32]", {"page_tokens": 16}),
        ("xattention[tau=1/32]", {"block_tokens": 128, "stride": 8}),
        ("flexprefill[tau=1/32]", {"block_tokens": 128, "rows": 128}),
        ("infllm[tau=1/32]", {"block_tokens": 128, "repr_tokens": 4}),
        ("retroinfer[tau=1/32]", {"cluster_tokens": 16, "sink_tokens": 4, "recent_tokens": 64}),
        ("snapkv[tau=1/32]", {"window_tokens": 32}),
        ("pyramidkv[tau=1/32]", {"window_tokens": 32}),
        ("minference[tau=1/32]", {"rows": 64}),
        ("duo-attention[tau=1/32]", {"sink_tokens": 64, "recent_tokens": 256}),
        ("a-shape[tau=1/32]", {"init_tokens": 128, "local_tokens": 3968}),
        ("tri-shape[tau=1/32]", {"last_tokens": 128}),
        ("streaming-llm[tau=1/32]", {"sink_tokens": 128, "recent_tokens": 3968}),
        ("retrieval-attention[tau=1/32]", {"static_tokens": 128, "recent_tokens": 512}),
    ],
)
def test_the_papers_budget_at_the_papers_length_has_the_papers_sizes(
    spelling: str, expected: dict[str, int]
) -> None:
    method = parse(spelling)
    name = spelling.partition("[")[0]
    found = method.units(shape=SHAPE, tokens=131_072)
    assert found | {f"{name}.{word}": size for word, size in expected.items()} == found


@pytest.mark.parametrize("tokens", [512, 131_072])
@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("snapkv[preset=paper]", {"snapkv.window_tokens": 32, "snapkv.kernel": 5}),
        ("snapkv[preset=code]", {"snapkv.window_tokens": 32, "snapkv.kernel": 5}),
        ("snapkv[preset=longbench]", {"snapkv.window_tokens": 32, "snapkv.kernel": 7}),
        ("pyramidkv[preset=longbench]", {"pyramidkv.window_tokens": 8, "pyramidkv.kernel": 7}),
        ("adakv[preset=paper,tau=1/4]", {"adakv.window_tokens": 32, "adakv.kernel": 7}),
        ("quest[preset=paper]", {"quest.page_tokens": 16}),
        ("quest[preset=code]", {"quest.page_tokens": 16}),
        ("xattention[preset=paper]", {"xattention.block_tokens": 128, "xattention.stride": 8}),
        ("flexprefill[preset=code]", {"flexprefill.block_tokens": 128, "flexprefill.rows": 128}),
        ("infllm[preset=infllm]", {"infllm.block_tokens": 128, "infllm.repr_tokens": 4}),
        ("retroinfer[preset=paper]", {"retroinfer.cluster_tokens": 16}),
    ],
)
def test_a_preset_is_literal_at_every_length(
    spelling: str, expected: dict[str, int], tokens: int
) -> None:
    found = parse(spelling).units(shape=SHAPE, tokens=tokens, question_tokens=6)
    assert found | expected == found


def test_whole_numbers_of_a_preset_stand_among_the_units() -> None:
    assert parse("snapkv[preset=longbench]").units(shape=SHAPE, tokens=512) == {
        "snapkv.window_tokens": 32,
        "snapkv.capacity_tokens": 4096,
        "snapkv.kernel": 7,
    }
    spelled = parse("snapkv[window_tokens=32,capacity_tokens=4096,kernel=7,pooling=max]")
    assert "snapkv.capacity_tokens" not in spelled.units(shape=SHAPE, tokens=512)


@pytest.mark.parametrize(
    ("spelling", "word", "size"),
    [
        ("quest[tau=1/4,page_tokens=8]", "quest.page_tokens", 8),
        ("flexprefill[tau=1/2,block_tokens=16]", "flexprefill.block_tokens", 16),
        ("xattention[tau=1/2,block_tokens=32,stride=4]", "xattention.block_tokens", 32),
        ("retroinfer[tau=1/4,cluster_tokens=8]", "retroinfer.cluster_tokens", 8),
        ("infllm[tau=1/2,block_tokens=16]", "infllm.block_tokens", 16),
        ("snapkv[tau=1/4,window_tokens=9]", "snapkv.window_tokens", 9),
        ("snapkv[tau=1/4,kernel=5]", "snapkv.kernel", 5),
    ],
)
def test_a_unit_that_is_spelled_out_stays(spelling: str, word: str, size: int) -> None:
    found = parse(spelling).units(shape=SHAPE, tokens=512, question_tokens=6)
    assert found[word] == size


@pytest.mark.parametrize(
    "spelling",
    [
        "quest[tau=1/16,page_tokens=32]",
        "flexprefill[tau=1/8,block_tokens=32]",
        "xattention[tau=1/8,block_tokens=32]",
        "retroinfer[tau=1/8,cluster_tokens=64]",
        "infllm[tau=1/4,block_tokens=64]",
    ],
)
def test_a_unit_that_a_budget_cannot_hold_is_refused_with_the_share_that_can(
    spelling: str,
) -> None:
    with pytest.raises(Mismatch, match=r"leave \w+ out") as refused:
        parse(spelling).check(shape=SHAPE, tokens=512)
    least = str(refused.value).split("tau=")[-1].split(" ")[0]
    head, _, tail = spelling.partition("tau=")
    larger = f"{head}tau={least},{tail.partition(',')[2]}"
    if "retroinfer" not in spelling and "infllm" not in spelling:  # zones take their part first
        parse(larger).check(shape=SHAPE, tokens=512)


def test_the_question_changes_who_votes_and_nothing_that_is_held() -> None:
    for name in ("snapkv", "pyramidkv", "adakv"):
        method = parse(f"{name}[tau=1/4]")
        bare = method.units(shape=SHAPE, tokens=512)
        asked = method.units(shape=SHAPE, tokens=512, question_tokens=6)
        assert (bare[f"{name}.window_tokens"], asked[f"{name}.window_tokens"]) == (16, 6)


# -- notes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "note"),
    [
        ("quest[tau=1/4,page_tokens=16]", "literal_unit_too_coarse=quest.page_tokens:16>4"),
        ("quest[preset=paper]", "budget_not_binding"),
        ("flexprefill[preset=code]", "literal_unit_too_coarse=flexprefill.block_tokens:128>4"),
        ("xattention[preset=paper]", "literal_unit_too_coarse=xattention.block_tokens:128>4"),
        ("retroinfer[preset=paper]", "literal_unit_too_coarse=retroinfer.cluster_tokens:16>2"),
        ("infllm[preset=infllm]", "budget_not_binding"),
        ("snapkv[tau=1/8,window_tokens=32]", "literal_unit_too_coarse=snapkv.window_tokens:32>8"),
        ("adakv[preset=paper,tau=1/8]", "literal_unit_too_coarse=snapkv.window_tokens:32>8"),
    ],
)
def test_a_literal_setting_on_a_short_context_says_so(spelling: str, note: str) -> None:
    assert note in parse(spelling).notes(shape=SHAPE, tokens=512)
    assert not any("coarse" in one for one in parse(spelling).notes(shape=SHAPE, tokens=1 << 20))


@pytest.mark.parametrize("name", [name for name in names() if name != "kvpress"])
def test_nothing_is_coarse_where_the_rule_decides(name: str) -> None:
    notes = parse(name).notes(shape=SHAPE, tokens=4096)
    assert not any("coarse" in note for note in notes)


# -- fixed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RULED, "snapkv", "pyramidkv", "adakv", "cacheblend"])
@pytest.mark.parametrize("tokens", [512, 4096])
@pytest.mark.parametrize("question_tokens", [None, 7])
def test_fixed_units_are_those_of_the_shortest_length_at_every_length(
    name: str, tokens: int, question_tokens: int | None
) -> None:
    method = parse(f"{name}[tau=1/4]")
    fixed = method.with_fixed_units(shape=SHAPE, tokens=512)
    assert parse(str(fixed)) == fixed
    at_shortest = method.units(shape=SHAPE, tokens=512, question_tokens=question_tokens)
    found = fixed.units(shape=SHAPE, tokens=tokens, question_tokens=question_tokens)
    words = [f"{name}.{word}" for word in stage_class(name)._unit_fields or ("chunk_tokens",)]
    words = words if name != "adakv" else ["adakv.window_tokens", "adakv.kernel"]
    assert [found[word] for word in words] == [at_shortest[word] for word in words]


@pytest.mark.parametrize("name", [name for name in names() if name != "kvpress"])
def test_fixed_units_change_nothing_at_the_length_they_are_fixed_at(name: str) -> None:
    method = parse(name)
    fixed = method.with_fixed_units(shape=SHAPE, tokens=4096)
    for question_tokens in (None, 5):
        sizes_of = [
            one.units(
                shape=SHAPE,
                tokens=4096 + (question_tokens or 0),
                question_tokens=question_tokens,
            )
            for one in (method, fixed)
        ]
        assert sizes_of[0] == sizes_of[1]


# -- docs/units.md ---------------------------------------------------------------------------------


def test_the_table_in_the_docs_is_what_the_code_gives() -> None:
    assert DOCS.read_text(encoding="utf-8").endswith(table())


def test_every_stage_has_a_row_in_the_docs() -> None:
    told = DOCS.read_text(encoding="utf-8")
    assert [name for name in names() if f"`{name}`" not in told] == []


def test_what_a_row_says_is_what_the_method_answers() -> None:
    assert sizes("quest", 512, "1/4") == "page_tokens 4"
    assert sizes("quest", 256, "1/32") == "refused"
    assert len(LENGTHS) * len(TAUS) == 10


def test_a_stage_with_no_layers_to_act_on_still_answers() -> None:
    none = CacheShape.even(
        layers=2, attention_layers=(), query_heads=1, kv_heads=1, head_dim=8, dtype_bytes=4
    )
    assert parse("quest[tau=1/4]").units(shape=none, tokens=512) == {"quest.page_tokens": 4}
