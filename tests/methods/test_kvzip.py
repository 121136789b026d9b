"""KVzip: the repeat pass leaves the cache as it was, and one budget is spent over all layers and
heads.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from scbench.engines import observe, repeat
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kernels import column_max as column_max_module
from scbench.kernels.column_max import column_max
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.methods.fork import fork

engine = cache(tiny)
NEEDS = ["repeat-scores"]


@cache
def snapshot(kind: str = "gqa") -> Snapshot:
    return engine(kind).read(context(), needs=NEEDS)


@pytest.mark.parametrize("tile", [1 << 26, 4000])
def test_column_max_is_that_of_the_whole_matrix(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_max_module, "TILE_BYTES", tile)
    torch.manual_seed(0)
    q, k, own = torch.randn(2, 3, 11, 8), torch.randn(2, 20, 8), torch.randn(2, 11, 8)
    scores = torch.einsum("hgtd,hsd->hgts", q.double(), torch.cat([k, own], dim=1).double()) * 0.7
    hidden = torch.ones(11, 31, dtype=torch.bool).triu(21)
    want = torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)[..., :20].amax(
        dim=(1, 2)
    )
    torch.testing.assert_close(column_max(q, k, own, scale=0.7), want.float(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mha", "gqa", "mqa", "jamba"])
def test_the_repeat_pass_leaves_the_cache_bit_for_bit_as_it_was(kind: str) -> None:
    assert snapshot(kind).digest() == engine(kind).read(context()).digest()
    assert torch.equal(snapshot(kind).logits_V, engine(kind).read(context()).logits_V)


def test_every_pair_has_a_score_in_0_to_1_and_the_first_four_have_1() -> None:
    for seen in snapshot().observed.values():
        scores = seen.repeat_scores_HS
        assert scores is not None
        assert scores.shape == (2, 230)
        assert ((scores >= 0) & (scores <= 1)).all()
        assert (scores[:, :4] == 1).all()
        assert scores[:, 4:].unique().numel() > 200


def test_the_pieces_cover_the_context_once_and_say_it_again() -> None:
    ids = context(1100)
    found = repeat.pieces(ids, engine("gqa").tokenizer)
    assert [(piece.start, piece.stop) for piece in found] == [
        (0, 275),
        (275, 550),
        (550, 825),
        (825, 1100),
    ]
    assert all(
        piece.ids[-(piece.stop - piece.start) :] == ids[piece.start : piece.stop] for piece in found
    )
    assert engine("gqa").tokenizer.decode(ids[267:275]) in engine("gqa").tokenizer.decode(
        found[1].ids
    )


def test_a_pair_is_scored_by_the_queries_that_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second piece's scores, from a read of context and repeat in one go whose queries are seen
    in full.
    """
    monkeypatch.setattr(observe, "WINDOW_ROWS", 1000)
    local = engine("mha")
    ids = context(160)
    piece = repeat.pieces(ids, local.tokenizer)[1]
    whole = local.read([*ids, *piece.ids], needs=["window"])
    tokens = len(piece.ids)
    for layer, seen in local.read(ids, needs=NEEDS).observed.items():
        view, found = whole.view(layer), seen.repeat_scores_HS
        assert found is not None
        q = view.observed.window_HGWD
        assert q is not None
        q = q[:, :, -tokens:]
        at = torch.tensor([*range(4), *range(piece.start, len(ids) + len(piece.ids))])
        scores = torch.einsum("hgtd,hsd->hgts", q, view.k_HSD[:, at]) * view.scale
        scores = scores.masked_fill(
            torch.ones(tokens, len(at), dtype=torch.bool).triu(len(at) - tokens + 1), float("-inf")
        )
        best = torch.softmax(scores, dim=-1)[..., 4 : 4 + 160 - piece.start].amax(dim=(1, 2))
        torch.testing.assert_close(found[:, piece.start :], best, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "spelling",
    ["kvzip[tau=1/4]", "kvzip[tau=1/4,layerwise=yes]", "kvzip[budget_tokens=31]", "kvzip[tau=7/9]"],
)
def test_the_budget_is_met_to_the_pair_and_what_is_dropped_is_freed(spelling: str) -> None:
    local, method = engine("gqa"), parse(spelling)
    stream = fork(snapshot(), method)
    lengths = [[len(stream.positions(layer, head)) for head in range(2)] for layer in stream.layers]
    want = {
        "kvzip[tau=1/4]": 345,
        "kvzip[tau=1/4,layerwise=yes]": 345,
        "kvzip[budget_tokens=31]": 186,
        "kvzip[tau=7/9]": 1073,
    }
    assert sum(map(sum, lengths)) == want[spelling]
    if "layerwise" in spelling:
        assert {sum(one) for one in lengths} == {115}
    else:
        assert len({sum(one) for one in lengths}) > 1
    assert stream.held_bytes() == method.held_bytes(shape=local.facts.shape, tokens=230)
    assert all(
        stream.positions(layer, head)[:4].tolist() == [0, 1, 2, 3]
        for layer in stream.layers
        for head in range(2)
    )


def test_a_query_read_on_top_is_kept_and_the_context_keeps_its_scores() -> None:
    local = engine("gqa")
    more = local.read([5, 6, 7], needs=NEEDS, base=snapshot())
    for layer, seen in more.observed.items():
        assert seen.repeat_scores_HS is not None
        assert torch.equal(
            seen.repeat_scores_HS[:, :230], snapshot().observed[layer].repeat_scores_HS
        )  # type: ignore[arg-type]
        assert (seen.repeat_scores_HS[:, 230:] == 1).all()
    stream = fork(more, parse("kvzip[tau=1/4]"))
    assert all(
        stream.positions(layer, head)[-3:].tolist() == [230, 231, 232]
        for layer in stream.layers
        for head in range(2)
    )


def test_a_context_that_leaves_no_room_for_its_repeat_is_refused_for_kvzip_alone() -> None:
    from dataclasses import replace

    local = tiny("gqa", check=False)
    local.facts = replace(local.facts, window_tokens=300)
    tight = local.read(context(), needs=["repeat-scores", "window"])
    with pytest.raises(Mismatch, match=r"repeating 230 tokens reaches \d+, and tiny-gqa holds 300"):
        fork(tight, parse("kvzip[tau=1/2]"))
    assert fork(tight, parse("snapkv[tau=1/2]")).stored_tokens(tight.shape) == 115


def test_its_extra_pass_is_declared() -> None:
    assert parse("kvzip").extra_passes == 1
    assert parse("kvzip[preset=paper]") == parse("kvzip[tau=3/10]")
