"""`prefix` serves what a fresh read would have computed: with any stage after it, from memory and
from disk.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.grid.hit_seconds import hit_seconds
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.methods.contract import Dense
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.pooled import PooledReads, made_by, refuse_timing
from scbench.types import CompressAfter

CONTEXT = [(at * at * 31 + at * 7) % 96 + 32 if at % 5 else 65 + at % 7 for at in range(150)]
QUERY, OTHER = tuple(range(40, 57)), tuple(range(90, 101))
STAGES = [
    "snapkv[tau=1/4]",
    "h2o[tau=1/4]",
    "tova[tau=1/4]",
    "knorm[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "expected-attention[tau=1/4]",
    "kvzip[tau=1/4]",
    "duo-attention[tau=1/2]",
    "adakv[tau=1/4]",
    "kivi",
    "rtn",
    "snapkv[tau=1/4]+kivi",
    "quest[tau=1/4]",
    "a-shape[tau=1/4]",
    "a-shape[tau=1/4]+h2o[tau=1/4]",
    "minference[tau=1/4]+snapkv[tau=1/4]",
]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return tiny("gqa")


def fresh(
    engine: LocalEngine, method: Method, ids: list[int], base: Snapshot | None = None
) -> Snapshot:
    pattern = (
        None if isinstance(method.generation, Dense) or base is not None else method.generation
    )
    return engine.read(ids, pattern=pattern, needs=method.needs, base=base)


def begun(engine: LocalEngine, method: Method, context: list[int] = CONTEXT) -> PooledReads:
    return PooledReads.begin(engine, method, tuple(context), lambda: fresh(engine, method, context))


def logits(engine: LocalEngine, snapshot: Snapshot, method: Method) -> torch.Tensor:
    stream = fork(snapshot, method)
    return torch.stack([engine.advance([Feed(stream, ids)])[0] for ids in (QUERY, (7,), (8,))])


@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("tier", ["memory", "disk"])
def test_a_context_that_is_served_whole_gives_what_the_method_gives_without_a_pool(
    engine: LocalEngine, stages: str, tier: str, tmp_path: Path
) -> None:
    alone, wanted = parse(stages), fresh(engine, parse(stages), CONTEXT)
    method = parse(f"{stages}+prefix[disk_mib=0,folder={tmp_path}]")
    reads = begun(engine, method)
    if tier == "disk":
        reads.close()
        reads = PooledReads.begin(
            engine, method, tuple(CONTEXT), lambda: pytest.fail("the folder has the context")
        )
    ids = CONTEXT if reads.acts else [*CONTEXT, 9]
    snapshot, served = reads.get(ids)
    assert served.tokens == len(CONTEXT)
    assert served.disk_tokens == (len(CONTEXT) if tier == "disk" else 0)
    if not reads.acts:
        snapshot = snapshot.prefix(len(CONTEXT))
    assert snapshot.digest() == wanted.digest()  # bit for bit
    assert torch.equal(logits(engine, snapshot, method), logits(engine, wanted, alone))


@pytest.mark.parametrize("stages", [stages for stages in STAGES if "minference" not in stages])
def test_a_prompt_read_on_top_of_a_stored_context_gives_what_it_gives_on_top_of_a_fresh_one(
    engine: LocalEngine, stages: str
) -> None:
    alone = parse(stages)
    base = fresh(engine, alone, CONTEXT)
    reads = begun(engine, parse(f"{stages}+prefix"))
    for query in (QUERY, OTHER, QUERY):
        wanted = fresh(engine, alone, list(query), base)
        snapshot, served = reads.get([*CONTEXT, *query])
        assert served.tokens >= len(CONTEXT)
        assert torch.equal(snapshot.logits_V, wanted.logits_V)
        assert torch.equal(logits(engine, snapshot, alone), logits(engine, wanted, alone))


def test_blocks_of_a_prompt_are_served_and_the_rest_is_computed_to_tolerance(
    engine: LocalEngine,
) -> None:
    """Rows that are computed see the served ones in another piece, so their sums run in another
    order: equal to rounding, not bit for bit.
    """
    reads = begun(engine, parse("prefix[block_tokens=16]"))
    for query in (QUERY, (*QUERY, *OTHER), OTHER):
        prompt = [*CONTEXT, *query]
        snapshot, served = reads.get(prompt)
        wanted = engine.read(prompt)
        assert served.tokens % 16 == 0
        assert served.tokens >= len(CONTEXT) // 16 * 16
        torch.testing.assert_close(snapshot.logits_V, wanted.logits_V, rtol=1e-4, atol=1e-4)
        for layer in wanted.layers:
            torch.testing.assert_close(
                snapshot.view(layer).k_HSD, wanted.view(layer).k_HSD, rtol=1e-4, atol=1e-5
            )
    assert (
        reads.get([*CONTEXT, *QUERY, *OTHER, 3])[1].tokens
        == (len(CONTEXT) + len(QUERY) + len(OTHER)) // 16 * 16
    )


def test_a_pool_too_small_for_the_context_serves_nothing_and_answers_all_the_same(
    engine: LocalEngine,
) -> None:
    context = CONTEXT * 6  # above 1 MiB
    assert engine.facts.shape.dense_bytes(len(context)) > 1 << 20
    for stages in ("", "snapkv[tau=1/4]+"):
        method = parse(f"{stages}prefix[capacity_mib=1]")
        reads = begun(engine, method, context)
        snapshot, served = reads.get([*context, *QUERY])
        assert served == (0, 0, 0)
        assert reads.pool.held_bytes() <= 1 << 20
        torch.testing.assert_close(
            snapshot.logits_V, engine.read([*context, *QUERY]).logits_V, rtol=1e-4, atol=1e-4
        )


def test_a_context_that_fell_to_disk_is_served_from_there(engine: LocalEngine) -> None:
    context = CONTEXT * 6
    reads = begun(engine, parse("prefix[capacity_mib=1,disk_mib=50]"), context)
    assert reads.pool.held_bytes() == 0
    _, served = reads.get([*context, *QUERY])
    assert served.tokens == served.disk_tokens == len(context) // 16 * 16
    assert served.read_bytes == reads.pool.stats.read_bytes > 1 << 20
    reads.close()


def test_a_shorter_context_of_a_shared_folder_never_stands_for_a_longer_one(
    engine: LocalEngine, tmp_path: Path
) -> None:
    method = parse(f"a-shape[tau=1/4]+h2o[tau=1/4]+prefix[disk_mib=0,folder={tmp_path}]")
    begun(engine, method, CONTEXT[:80]).close()
    snapshot, _ = begun(engine, method).get(CONTEXT)
    assert snapshot.digest() == fresh(engine, method, CONTEXT).digest()


def test_what_is_stored_has_no_more_observations_than_the_method_needs(engine: LocalEngine) -> None:
    method = parse("snapkv[tau=1/4]+prefix")
    reads = PooledReads.begin(
        engine,
        method,
        tuple(CONTEXT),
        lambda: engine.read(CONTEXT, needs={"window", "column-sums", "query-moments"}),
    )
    lean = begun(engine, method)
    assert reads.pool.held_bytes() == lean.pool.held_bytes()
    seen = reads.get(CONTEXT)[0].observed[0]
    assert seen.window_HGWD is not None
    assert seen.column_sums_HS is seen.query_mean_HGD is None
    assert seen.query_rows == 0


@pytest.mark.parametrize("change", ["weights_digest", "dtype", "device"])
def test_another_model_dtype_or_device_finds_nothing(
    engine: LocalEngine, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_by(engine, parse("prefix"))
    monkeypatch.setattr(engine, "facts", replace(engine.facts, **{change: "other"}))  # type: ignore[arg-type]
    assert made_by(engine, parse("prefix")) != before


def test_methods_that_read_alike_find_each_other_and_patterns_do_not(engine: LocalEngine) -> None:
    dense, kivi, shape = (
        made_by(engine, parse(spelling))
        for spelling in ("prefix", "kivi+prefix", "a-shape[tau=1/4]+prefix")
    )
    assert dense == kivi != shape


def test_a_read_of_context_and_query_in_one_go_has_no_stored_beginning() -> None:
    refuse_timing(parse("minference[tau=1/4]+prefix"), CompressAfter.CONTEXT)
    refuse_timing(parse("minference[tau=1/4]"), CompressAfter.FIRST_QUERY)
    with pytest.raises(Mismatch, match="together with the first query"):
        refuse_timing(parse("minference[tau=1/4]+prefix"), CompressAfter.FIRST_QUERY)


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("prefix[block_tokens=0]", "at least 1"),
        ("prefix[capacity_mib=-1]", "at least 0"),
        ("prefix[disk_mib=-1]", "at least 0"),
        ("prefix[folder=/tmp/x]", "say disk_mib"),
        ("prefix[folder=a\nb,disk_mib=1]", "cannot stand"),
    ],
)
def test_what_makes_no_pool_says_why(spelling: str, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling)


def test_a_folder_is_part_of_the_spelling_and_comes_back_from_it() -> None:
    spelling = "prefix[capacity_mib=5,disk_mib=7,folder=~/kv caches]"
    assert str(parse(spelling)) == spelling


@pytest.mark.parametrize("stages", ["", "snapkv[tau=1/4]+"])
def test_first_tokens_are_timed_from_memory_and_from_disk(engine: LocalEngine, stages: str) -> None:
    prompt = [*CONTEXT, *QUERY]
    for knobs, tiers in (
        ("disk_mib=0", (True, True)),
        ("block_tokens=16", (True, False)),
        ("capacity_mib=1,disk_mib=1", (True, True)),
    ):
        method = parse(f"{stages}prefix[{knobs}]")
        found = hit_seconds(engine, method, fresh(engine, method, CONTEXT), prompt, repeats=2)
        assert tuple(found) == ("ttft_warm_s", "ttft_disk_s")
        assert (
            tuple(seconds is not None and len(seconds) == 2 for seconds in found.values()) == tiers
        )


def test_a_tier_without_room_for_the_context_is_not_timed(engine: LocalEngine) -> None:
    method, context = parse("prefix[capacity_mib=1,disk_mib=1]"), CONTEXT * 6
    found = hit_seconds(
        engine, method, fresh(engine, method, context), [*context, *QUERY], repeats=1
    )
    assert found == {"ttft_warm_s": None, "ttft_disk_s": None}
