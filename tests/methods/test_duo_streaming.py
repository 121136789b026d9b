"""DuoAttention with streaming prefill: every row sees what the cache of that row would hold, and a
file of gates knows its model.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.tiny import HEADS, tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kernels import Partial
from scbench.methods import parse
from scbench.methods.compression.duo_attention import DuoAttention, DuoReading
from scbench.methods.compression.duo_attention_gates import HeadGates
from scbench.methods.fork import fork
from scbench.play.blending import read_context
from scbench.search.gate_training import visible

engine = cache(tiny)
SINKS, RECENT = 3, 20


def gates_of(heads: int) -> list[list[float]]:
    """Different heads are the largest in different layers; about a third of all are above 0.6."""
    return [[((3 * layer + 5 * head + 1) % 7) / 7 for head in range(heads)] for layer in range(3)]


def written(path: Path, rows: list[list[float]], digest: str = "") -> Path:
    path.write_text(
        HeadGates(rows=tuple(tuple(row) for row in rows), model="a model", digest=digest).text(),
        encoding="utf-8",
    )
    return path


class Oracle:
    """A dense mask per KV head, written out."""

    name, is_one_shot = "oracle", True

    def __init__(self, full: set[tuple[int, int]]) -> None:
        self.full = full

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        band, causal = (
            visible(total_tokens, SINKS, RECENT, "cpu"),
            visible(total_tokens, total_tokens, 1, "cpu"),
        )
        masks = torch.stack(
            [causal if (layer, head) in self.full else band for head in range(len(k_HSD))]
        )
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, k_HSD) * scale
        scores = scores.masked_fill(~masks.unsqueeze(1), float("-inf"))
        out = torch.einsum("hgts,hsd->hgtd", torch.softmax(scores, dim=-1), v_HSD)
        return Partial(out, torch.logsumexp(scores, dim=-1))


@pytest.mark.parametrize("chunk_tokens", [2048, 37])
@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_streaming_prefill_is_a_masked_dense_read(
    heads: str, chunk_tokens: int, tmp_path: Path
) -> None:
    rows = gates_of(HEADS[heads][1])
    file = written(tmp_path / "gates.json", rows)
    method = parse(
        f"duo-attention[full_share=1/3,sink_tokens={SINKS},recent_tokens={RECENT},gates={file},prefill=streaming]"
    )
    eviction = method.eviction
    assert isinstance(eviction, DuoAttention)
    full = eviction.full_heads(rows, tokens=230)
    assert 0 < len(full) < 3 * HEADS[heads][1]
    local = tiny(heads, check=False)
    local.read_chunk_tokens = chunk_tokens
    ours, oracle = (
        read_context(local, method, context()),
        local.read(context(), pattern=Oracle(full)),
    )
    torch.testing.assert_close(ours.logits_V, oracle.logits_V, atol=2e-4, rtol=1e-3)
    for layer in ours.layers:
        torch.testing.assert_close(
            ours.view(layer).k_HSD, oracle.view(layer).k_HSD, atol=2e-4, rtol=1e-3
        )
    dense = local.read(context())
    assert float((ours.logits_V - dense.logits_V).abs().max()) > 1e-2


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_what_a_row_sees_while_reading_is_what_the_cache_then_holds(heads: str) -> None:
    """The last token read again, over the cut cache of all before it, comes out as it did in the
    read.
    """
    local = engine(heads)
    method = parse(
        f"duo-attention[full_share=1/3,sink_tokens={SINKS},recent_tokens={RECENT},prefill=streaming]"
    )
    shorter = parse(
        f"duo-attention[full_share=1/3,sink_tokens={SINKS},recent_tokens={RECENT - 1},prefill=streaming]"
    )
    whole = read_context(local, method, context())
    stream = fork(
        read_context(local, method, context()[:-1]), shorter
    )  # the newest token is the last of its window
    torch.testing.assert_close(
        local.advance([Feed(stream, context()[-1:])])[0], whole.logits_V, atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("prefill", ["full", "streaming"])
@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_all_heads_full_is_dense(heads: str, prefill: str, tmp_path: Path) -> None:
    local = engine(heads)
    file = written(tmp_path / "gates.json", [[1.0] * HEADS[heads][1]] * 3)
    method = parse(f"duo-attention[full_share=1,gates={file},prefill={prefill}]")
    found, dense = read_context(local, method, context()), local.read(context())
    torch.testing.assert_close(found.logits_V, dense.logits_V, atol=1e-4, rtol=1e-3)
    assert fork(found, method).held_bytes() == local.facts.shape.dense_bytes(230)


def test_the_proxy_chooses_the_heads_of_the_read_and_of_the_cut_alike() -> None:
    local = tiny("gqa", check=False)
    method = parse(
        f"duo-attention[full_share=1/3,sink_tokens={SINKS},recent_tokens={RECENT},prefill=streaming]"
    )
    snapshot = read_context(local, method, context())
    eviction = method.eviction
    assert isinstance(eviction, DuoAttention)
    rows = [
        seen.head_gates_H.tolist()
        for seen in snapshot.observed.values()
        if seen.head_gates_H is not None
    ]
    full = eviction.full_heads(rows, tokens=230)
    torch.testing.assert_close(
        snapshot.logits_V,
        local.read(context(), pattern=Oracle(full)).logits_V,
        atol=2e-4,
        rtol=1e-3,
    )
    stream = fork(snapshot, method)
    held = {
        (at, head): len(stream.positions(layer, head))
        for at, layer in enumerate(stream.layers)
        for head in range(2)
    }
    assert {at for at, slots in held.items() if slots == 230} == full


def test_the_way_of_reading_is_part_of_its_identity_and_of_nothing_else() -> None:
    full, streaming = (
        parse("duo-attention[tau=1/2]"),
        parse("duo-attention[tau=1/2,prefill=streaming]"),
    )
    assert str(streaming) == "duo-attention[tau=1/2,prefill=streaming]"
    assert parse(str(streaming)) == streaming
    assert str(full) == "duo-attention[tau=1/2]"
    assert isinstance(streaming.generation, DuoReading)
    assert full.generation == parse("dense").generation
    lossless = streaming.lossless(100)
    assert isinstance(lossless.generation, DuoReading)
    assert lossless.generation.of == lossless.eviction
    assert (
        streaming.generation.computed_share(131072) < 0.6 < full.generation.computed_share(131072)
    )


def test_a_second_way_of_reading_is_refused() -> None:
    with pytest.raises(Mismatch, match="choose one of them"):
        parse("a-shape[tau=1/4]+duo-attention[tau=1/2,prefill=streaming]")
    parse("a-shape[tau=1/4]+duo-attention[tau=1/2]")


def test_gates_of_another_model_of_the_same_shape_are_refused(tmp_path: Path) -> None:
    own, other = engine("gqa").facts.shape, tiny("gqa", seed=1, check=False).facts.shape
    assert own == other
    method = parse(
        f"duo-attention[full_share=1/2,gates={written(tmp_path / 'gates.json', gates_of(2), own.model_digest)}]"
    )
    method.check(shape=own, tokens=4096)
    with pytest.raises(
        Mismatch, match=r"gates of another model \(it was made for a model\).*search-gates"
    ):
        method.check(shape=other, tokens=4096)


def test_a_model_is_the_same_model_in_sixteen_bits() -> None:
    from scbench.engines.gates import model_digest

    model = tiny("mqa", check=False).model
    before = model_digest(model.bfloat16())
    assert before == tiny("mqa").facts.shape.model_digest == model_digest(model.float())


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    from scbench.methods.compression.duo_attention_gates import digest, read

    file = written(tmp_path / "gates.json", [[0.25, 1.0], [0.0, 0.5]], "abc")
    said = json.loads(file.read_text())
    assert (said["layers"], said["heads"]) == (2, 2)
    found = read(str(file))
    assert found == HeadGates(rows=((0.25, 1.0), (0.0, 0.5)), model="a model", digest="abc")
    before = digest(str(file))
    written(file, [[0.25, 1.0], [0.0, 0.75]], "abc")
    assert digest(str(file)) != before
