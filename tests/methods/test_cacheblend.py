"""CacheBlend: moved keys, what is stored, what is recomputed, and what the workload of other orders
makes of it.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from scbench.engines.blend import Blend, Blender
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.grid.costs import cost_of
from scbench.kernels import masked
from scbench.kv import CacheShape, Snapshot
from scbench.methods import parse
from scbench.methods.retrieval.blended_chunks import at_separator, by_units, no_piece_stays
from scbench.methods.retrieval.cacheblend import CacheBlend
from scbench.play.blending import Blending
from scbench.play.cell import CellPlay
from scbench.play.session import SessionPlay
from scbench.types import Cell, CompressAfter, Mode, Protocol, Record, Session, Turn, Wanted

engine = cache(tiny)
KINDS = ["mha", "mqa", "qwen2", "qwen3", "mistral", "phi3", "glm", "glm4", "olmo2"]
IDS = tuple(context(240))
SHAPE = CacheShape.even(
    layers=8,
    attention_layers=tuple(range(8)),
    query_heads=4,
    kv_heads=2,
    head_dim=64,
    dtype_bytes=2,
)


class Counting:
    """Stands before an engine and counts the tokens it reads."""

    def __init__(self, local: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens, read = 0, local.read

        def counted(ids: Any, **kwargs: Any) -> Snapshot:
            self.tokens += len(ids)
            return read(ids, **kwargs)

        monkeypatch.setattr(local, "read", counted)


def blended(spelling: str, kind: str = "gqa", ids: tuple[int, ...] = IDS) -> Blend:
    return Blending(engine(kind)).read(ids, stage(spelling)).blend


def stage(spelling: str) -> CacheBlend:
    found = parse(spelling).retrieval
    assert isinstance(found, CacheBlend)
    return found


def keys(snapshot: Snapshot, layer: int) -> Tensor:
    return snapshot.view(layer).k_HSD


def values(snapshot: Snapshot, layer: int) -> Tensor:
    return snapshot.view(layer).v_HSD


def error(snapshot: Snapshot, dense: Snapshot) -> float:
    """Distance of all values from the dense ones, over their size."""
    layers = dense.layers
    gap = sum(
        float((values(snapshot, layer) - values(dense, layer)).square().sum()) for layer in layers
    )
    return (gap / sum(float(values(dense, layer).square().sum()) for layer in layers)) ** 0.5


# -- moving keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_chunk_moved_has_the_first_layers_keys_that_a_whole_read_has(kind: str) -> None:
    local = engine(kind)
    dense, part = local.read(IDS), local.read(IDS[100:130])
    torch.testing.assert_close(
        Blender(local).moved(keys(part, 0), 0, 100),
        keys(dense, 0)[:, 100:130],
        atol=1e-4,
        rtol=1e-3,
    )


def test_moving_there_and_back_gives_the_key_and_keeps_its_norm() -> None:
    blender, x = Blender(engine("gqa")), torch.randn(2, 20, 32)
    there = blender.moved(x, 0, 5000)
    torch.testing.assert_close(blender.moved(there, 5000, 0), x, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(there.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(blender.moved(x, 7, 7), x)


# -- what is recomputed ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", ["alone", "reordered"])
def test_recomputing_everything_is_the_dense_read(kind: str, stored: str) -> None:
    made, dense = (
        blended(f"cacheblend[ratio=1,stored={stored}]", kind).snapshot,
        engine(kind).read(IDS),
    )
    torch.testing.assert_close(made.logits_V, dense.logits_V, atol=1e-3, rtol=1e-3)
    for layer in dense.layers:
        torch.testing.assert_close(keys(made, layer), keys(dense, layer), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(values(made, layer), values(dense, layer), atol=1e-3, rtol=1e-3)


def test_recomputing_nothing_is_plain_concatenation() -> None:
    local, method = engine("gqa"), stage("cacheblend[ratio=0,lead_tokens=0]")
    made = Blending(local).read(IDS, method).blend
    cuts = [0, *method.borders([chr(token) for token in IDS]), len(IDS)]
    alone = [local.read(IDS[start:stop]) for start, stop in pairwise(cuts)]
    for layer in made.snapshot.layers:
        assert torch.equal(
            values(made.snapshot, layer), torch.cat([values(part, layer) for part in alone], dim=1)
        )
        assert torch.equal(keys(made.snapshot, layer)[:, : cuts[1]], keys(alone[0], layer))
    assert [rows.tolist() for rows in made.rows] == [[len(IDS) - 1]] * 3


class Substituting:
    """Slow and whole: every row runs in every layer, and rows that a blend did not compute read and
    leave the stored K and V.
    """

    def __init__(self, stored: Snapshot, rows: tuple[Tensor, ...]) -> None:
        self.stored, self.rows, self.found = stored, rows, dict[int, tuple[Tensor, Tensor]]()

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        k, v = keys(self.stored, layer).clone(), values(self.stored, layer).clone()
        k[:, self.rows[layer]], v[:, self.rows[layer]] = (
            k_HND[:, self.rows[layer]],
            v_HND[:, self.rows[layer]],
        )
        self.found[layer] = k, v
        return masked(
            q_HGND, k, v, torch.ones(k.shape[1], k.shape[1], dtype=torch.bool).tril(), scale=scale
        ).out


@pytest.mark.parametrize("kind", ["mha", "qwen3", "glm"])
@pytest.mark.parametrize(
    "spelling", ["cacheblend[ratio=0.3]", "cacheblend[preset=code,chunk_tokens=50,check_layer=0]"]
)
@pytest.mark.parametrize("rows_together", [256, 7])
def test_rows_that_leave_change_nothing_for_those_that_stay(
    kind: str, spelling: str, rows_together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scbench.engines.blend.MOST_ROWS", rows_together)
    local, method = engine(kind), stage(spelling)
    blending = Blending(local)
    made = blending.read(IDS, method).blend
    nothing = blending.read(
        IDS, stage(f"cacheblend[ratio=0,chunk_tokens={method.chunk(len(IDS))}]")
    ).blend.snapshot
    slow = Substituting(nothing, made.rows)
    with torch.inference_mode():
        logits = local._forward(slow, IDS, range(len(IDS)), [len(IDS) - 1], local.empty())[0]  # type: ignore[arg-type]
    torch.testing.assert_close(made.snapshot.logits_V, logits, atol=1e-3, rtol=1e-3)
    for layer, (k, v) in slow.found.items():
        torch.testing.assert_close(keys(made.snapshot, layer), k, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(values(made.snapshot, layer), v, atol=1e-3, rtol=1e-3)


def test_the_first_chunk_knows_all_it_needs_and_is_not_chosen() -> None:
    made = blended("cacheblend[ratio=0.2,chunk_tokens=64]")
    assert min(made.rows[2].tolist()) >= 48
    assert made.rows[2][-1] == len(IDS) - 1


def test_one_piece_at_the_beginning_is_what_was_stored_whatever_the_ratio() -> None:
    local = engine("gqa")
    dense, blender = local.read(IDS), Blender(local)
    piece = blender.piece(dense, 0, len(IDS))
    for ratio in ("0", "0.1", "1"):
        made = blender.blend([piece], stage(f"cacheblend[ratio={ratio}]"), read_by="").snapshot
        for layer in dense.layers:
            torch.testing.assert_close(keys(made, layer), keys(dense, layer), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("stored", ["alone", "reordered"])
def test_the_more_is_recomputed_the_nearer_it_is_to_dense(stored: str) -> None:
    dense = engine("mha").read(IDS)
    errors = [
        error(blended(f"cacheblend[ratio={r},stored={stored}]", "mha").snapshot, dense)
        for r in ("0", "0.1", "0.4", "0.8", "1")
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-4


def test_choosing_by_deviation_is_better_than_choosing_the_rows_that_deviate_least() -> None:
    class Worst(CacheBlend):
        def best(self, k_gap_N: Tensor, v_gap_N: Tensor, rows: int) -> Tensor:
            return CacheBlend.best(self, -k_gap_N, -v_gap_N, rows)

    dense, blending = engine("mha").read(IDS), Blending(engine("mha"))
    best, worst = (
        blending.read(IDS, kind(ratio=Fraction(1, 4))).snapshot for kind in (CacheBlend, Worst)
    )
    assert error(best, dense) < error(worst, dense)


@pytest.mark.parametrize("ratio", ["0.05", "0.15", "0.5", "0.9", "1"])
@pytest.mark.parametrize("filtering", ["gradual", "once"])
def test_filtered_layers_compute_the_ratio_on_average_and_never_more_from_layer_to_layer(
    ratio: str, filtering: str
) -> None:
    method, layers, tokens = stage(f"cacheblend[ratio={ratio},filtering={filtering}]"), 32, 4000
    rows = [method.rows_at(layer, layers=layers, tokens=tokens) for layer in range(layers)]
    assert rows[:2] == [tokens, tokens]
    assert rows == sorted(rows, reverse=True)
    assert abs(sum(rows[2:]) / (layers - 2) / tokens - float(Fraction(ratio))) < 1e-3
    assert (rows[2] > rows[-1]) == (filtering == "gradual" and ratio != "1")


def test_what_a_blend_computes_is_counted() -> None:
    found = Blending(engine("gqa")).read(IDS, stage("cacheblend[ratio=1/4,filtering=once]"))
    assert [len(rows) for rows in found.blend.rows] == [240, 240, 60]
    assert found.blend.computed_share == pytest.approx(540 / 720)
    assert found.blend.pairs == 2 * 240 * 241 // 2 + sum(
        at + 1 for at in found.blend.rows[2].tolist()
    )
    whole = Blending(engine("gqa")).read(IDS, stage("cacheblend[ratio=1]"))
    assert whole.flops == pytest.approx(whole.dense_flops)
    assert 0.7 < found.flops / found.dense_flops < 0.8
    assert found.moved_bytes == engine("gqa").facts.shape.dense_bytes(240)


# -- what is stored --------------------------------------------------------------------------------


def test_what_has_never_been_read_is_read_and_stored_and_the_rest_is_found_in_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = tiny("gqa")
    blending, method = Blending(local), stage("cacheblend[separator=Document]")
    documents = [
        f"Document {at}: " + "".join(chr(65 + (at * 7 + n * n) % 26) for n in range(40)) + "\n"
        for at in range(6)
    ]

    def read(*order: int) -> tuple[int, int]:
        text = "Read these.\n" + "".join(documents[at] for at in order)
        found = blending.read(local.tokenizer.encode(text).ids, method)
        return found.stored_tokens, found.read_tokens

    size, head = len(documents[0]), len("Read these.\n")
    assert read(0, 1, 2, 3) == (0, head + 4 * size)
    counting = Counting(local, monkeypatch)
    assert read(3, 1, 0, 2) == (head + 4 * size, 0)
    assert counting.tokens == 0
    assert read(5, 2, 1) == (head + 2 * size, size)
    assert counting.tokens == size + 1  # the lead


def test_ratios_share_a_pool_and_other_ways_to_store_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = tiny("gqa")
    blending = Blending(local)
    blending.read(IDS, stage("cacheblend"))
    counting = Counting(local, monkeypatch)
    blending.read(IDS, stage("cacheblend[ratio=1/2,filtering=once]"))
    assert counting.tokens == 0
    blending.read(IDS, stage("cacheblend[lead_tokens=0]"))
    assert counting.tokens == len(IDS)
    blending.read(IDS, stage("cacheblend[stored=reordered]"))
    assert counting.tokens == 2 * len(IDS)


def test_an_earlier_order_is_another_seeded_one_and_a_prefix_store_would_serve_its_first_chunk() -> (
    None
):
    for pieces in (3, 4, 9, 40):
        for seed in range(5):
            order = no_piece_stays(pieces, seed)
            assert sorted(order) == list(range(pieces))
            assert [at for at, piece in enumerate(order) if at == piece] == [0]
    assert no_piece_stays(9, 1) != no_piece_stays(9, 2)
    found = Blending(engine("gqa")).read(
        tuple(97 + at * at % 26 + at // 60 for at in range(240)),
        stage("cacheblend[stored=reordered,chunk_tokens=60]"),
    )
    assert found.prefix_tokens == 60
    assert "a prefix store would have served 60 of 240 tokens" in found.note()


def test_chunks_end_where_units_end() -> None:
    texts = list(
        "one line of words\nand one more, that is long\nthen more words stand here.\n\nThe end of "
        "it all is near"
    )
    cuts = by_units(texts, 24)
    assert [texts[cut - 1] for cut in cuts] == ["\n", "\n", "\n"]
    assert "".join(texts[cuts[2] - 2 : cuts[2]]) == "\n\n"
    assert by_units(["x"] * 100, 30) == [30, 60]
    assert at_separator(["ab#", "#c", "#d", "e#", "f"], "#") == [1, 2, 3]


def test_the_chunk_of_a_length_is_the_specifications() -> None:
    assert [CacheBlend().chunk(tokens) for tokens in (131_072, 4096, 2048, 1024, 300)] == [
        256,
        256,
        128,
        64,
        32,
    ]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("cacheblend[ratio=0.1,tau=0.1]", "two words for one share"),
        ("cacheblend[ratio=1.5]", r"lies in \[0, 1\]"),
        ("cacheblend[tau=0]", r"tau lies in \(0, 1\]"),
        ("cacheblend[chunk_tokens=1]", "at least 2"),
        ("snapkv[tau=1/4]+cacheblend", "observed them all"),
        ("h2o[tau=1/4]+cacheblend", "column-sums"),
        ("a-shape[tau=1/4]+cacheblend", "leave a-shape"),
        ("cacheblend+prefix", "two retrieval stages"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_written(spelling: str, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling)


@pytest.mark.parametrize(
    ("spelling", "tokens", "why"),
    [
        ("cacheblend", 40, "one chunk is not blended"),
        ("cacheblend[preset=paper]", 700, "fewer than 2 chunks of 512"),
        ("cacheblend[chunk_tokens=64,stored=reordered]", 140, "fewer than 3 chunks"),
        ("cacheblend[ratio=1/10000]", 1000, "smallest ratio is 1/2000"),
        ("cacheblend[check_layer=7]", 1000, "nothing would be saved"),
    ],
)
def test_what_a_length_or_model_cannot_carry_is_refused_before_anything_is_computed(
    spelling: str, tokens: int, why: str
) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling).check(shape=SHAPE, tokens=tokens)


@pytest.mark.parametrize("kind", ["jamba", "bamba"])
def test_models_with_recurrent_states_are_refused_by_reason(kind: str) -> None:
    with pytest.raises(Mismatch, match="recurrent state covers all tokens"):
        parse("cacheblend[check_layer=0]").check(shape=engine(kind).facts.shape, tokens=1000)


def test_an_engine_that_cannot_run_layer_by_layer_is_refused() -> None:
    with pytest.raises(Mismatch, match="toy cannot be run layer by layer"):
        Blending(ToyEngine()).read(IDS, CacheBlend())


def test_a_text_without_the_separator_is_refused() -> None:
    with pytest.raises(Mismatch, match="does not hold"):
        Blending(engine("gqa")).read(IDS, CacheBlend(separator="§§"))


def test_keys_of_a_model_whose_frequencies_move_are_not_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = tiny("gqa")
    monkeypatch.setattr(local.model.base_model.rotary_emb, "rope_type", "dynamic")
    with pytest.raises(Mismatch, match="dynamic frequencies"):
        Blender(local)


# -- whole sessions --------------------------------------------------------------------------------


def session() -> Session:
    text = "".join(
        f"Fact {at}: the {at * 7 % 11}th door opens with key {at * 13 % 17}.\n" for at in range(14)
    )
    turns = tuple(
        Turn(
            task="kv",
            ask=f"Which key opens door {at}?",
            gold=str(at),
            wanted=Wanted(golds=(str(at),)),
            max_new_tokens=6,
        )
        for at in range(2)
    )
    return Session(
        task="kv",
        context=text,
        turns=turns,
        counted=len(text),
        counter="bytes",
        recipe={},
        digest="s",
    )


def played(*spellings: str, protocol: Protocol = Protocol()) -> list[Record]:  # noqa: B008
    records, of = list[Record](), session()
    run = SessionPlay(engine("gqa"), of, protocol, emit=records.append, needles={})
    for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST):
        run.play([_job(spelling, mode, protocol) for spelling in spellings])
    return sorted(records, key=lambda record: (record.method, record.mode, record.turn))


def _job(spelling: str, mode: Mode, protocol: Protocol) -> CellPlay:
    method = parse(spelling)
    cell = Cell(
        task="kv",
        length_tokens=600,
        seed="1:0",
        mode=mode,
        model="tiny",
        method=str(method),
        protocol=protocol,
        turns=2,
        session_digest="s",
        key=f"{method} {mode}",
    )
    return CellPlay(cell, method, {0, 1})


@pytest.mark.parametrize("after", list(CompressAfter))
@pytest.mark.parametrize("stored", ["alone", "reordered"])
def test_a_session_is_answered_in_both_modes_and_all_recomputed_is_dense(
    stored: str, after: CompressAfter
) -> None:
    ours, dense, some = (
        [record for record in found if record.answer is not None]
        for spelling in (
            f"cacheblend[ratio=1,stored={stored}]",
            "dense",
            f"cacheblend[stored={stored}]",
        )
        for found in [played(spelling, protocol=Protocol(compress_after=after))]
    )
    assert len(ours) == len(dense) == len(some) == 4
    assert [record.answer for record in ours] == [record.answer for record in dense]
    assert all("of all rows computed" in record.notes[-1] for record in (*ours, *some))
    assert not any(record.notes for record in dense)


def test_a_record_does_not_depend_on_what_else_is_in_the_grid() -> None:
    alone = played("cacheblend[ratio=1/4]")
    together = played(
        "cacheblend", "dense", "cacheblend[ratio=1/4,stored=reordered]", "cacheblend[ratio=1/4]"
    )
    assert [record for record in together if record.method == "cacheblend[ratio=1/4]"] == alone


def test_the_cost_pass_measures_a_warm_pool_beside_the_dense_read() -> None:
    methods = [parse(spelling) for spelling in ("dense", "cacheblend", "cacheblend+kivi")]
    rows = {
        row["method"]: row
        for row in cost_of(engine("gqa"), session(), methods, Protocol(), repeats=1)
    }
    assert not any("failure" in row for row in rows.values())
    assert (
        rows["cacheblend"]["held_bytes"]
        == rows["cacheblend"]["formula_bytes"]
        == rows["dense"]["held_bytes"]
    )
    assert len(rows["cacheblend"]["prefill_s"]) == 1
