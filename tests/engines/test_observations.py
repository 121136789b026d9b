"""What a read observes is the same however it is cut, and is what its name says."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from scbench.engines.load import from_model
from scbench.engines.local import LocalEngine
from scbench.engines.rotation import Rotation
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kernels import column_sums as column_sums_module
from scbench.kernels import reference
from scbench.kernels.column_sums import column_sums
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.prompts import ByteTokenizer

NEEDS = ("window", "column-sums", "query-moments")
engine = cache(tiny)


def plain_sums(q_HGTD: Tensor, k_HSD: Tensor, scale: float) -> Tensor:
    """The matrix of weights written out, summed over its rows, mean over the group."""
    mask = reference.causal_mask(q_HGTD.shape[2], k_HSD.shape[1])
    scores = torch.einsum("hgtd,hsd->hgts", q_HGTD.double(), k_HSD.double()) * scale
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1).sum(dim=2).mean(dim=1)


@pytest.mark.parametrize(("tokens", "slots"), [(1, 1), (1, 40), (13, 13), (13, 50), (50, 50)])
@pytest.mark.parametrize("tile", [(1 << 26, 2048), (3000, 7)])
def test_column_sums_are_those_of_the_whole_matrix(
    tokens: int, slots: int, tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_sums_module, "TILE_BYTES", tile[0])
    monkeypatch.setattr(column_sums_module, "TILE_KEYS", tile[1])
    torch.manual_seed(tokens)
    q, k = torch.randn(2, 3, tokens, 16), torch.randn(2, slots, 16)
    _, lse = reference.attend(q, k, k, scale=0.5, mask_TS=reference.causal_mask(tokens, slots))
    found = column_sums(q, k, lse, scale=0.5)
    torch.testing.assert_close(found, plain_sums(q, k, 0.5).float(), atol=1e-5, rtol=1e-4)
    assert found.sum(dim=1) == pytest.approx(tokens, rel=1e-5)


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_column_sums_total_the_rows(heads: str) -> None:
    snapshot = engine(heads).read(context(), needs=["column-sums"])
    for seen in snapshot.observed.values():
        assert seen.column_sums_HS is not None
        torch.testing.assert_close(
            seen.column_sums_HS.sum(dim=1),
            torch.full((snapshot.shape.kv_heads,), 230.0),
            rtol=1e-4,
            atol=0,
        )


def chunked(local: LocalEngine, ids: list[int], chunk: int) -> Snapshot:
    before, local.read_chunk_tokens = local.read_chunk_tokens, chunk
    try:
        return local.read(ids, needs=NEEDS)
    finally:
        local.read_chunk_tokens = before


@pytest.mark.parametrize(
    "way", ["chunks of 37", "chunks of 3", "a base of 200 and 30 more", "a base of 2 and 228 more"]
)
def test_observations_do_not_depend_on_how_the_read_was_cut(way: str) -> None:
    local = engine("gqa")
    whole = local.read(context(), needs=NEEDS)
    if way.startswith("chunks"):
        other = chunked(local, context(), int(way.split()[-1]))
    else:
        cut = int(way.split()[3])
        other = local.read(
            context()[cut:], needs=NEEDS, base=local.read(context()[:cut], needs=NEEDS)
        )
    for layer, one in whole.observed.items():
        two = other.observed[layer]
        assert one.query_rows == two.query_rows == 226
        for name in ("window_HGWD", "column_sums_HS", "query_mean_HGD", "query_scatter_HGDD"):
            torch.testing.assert_close(getattr(one, name), getattr(two, name), atol=2e-3, rtol=2e-3)


def test_what_a_base_did_not_observe_is_not_made_up() -> None:
    local = engine("gqa")
    seen = local.read(context()[200:], needs=NEEDS, base=local.read(context()[:200])).observed[0]
    assert seen.column_sums_HS is None
    assert seen.query_mean_HGD is None
    assert seen.window_HGWD is not None
    snapshot = local.read(context()[200:], needs=NEEDS, base=local.read(context()[:200]))
    assert snapshot.missing.keys() == {"column-sums", "query-moments"}
    with pytest.raises(Mismatch, match="read without observing column-sums"):
        fork(snapshot, parse("h2o[budget_tokens=10]"))


@pytest.mark.parametrize(
    "kind", ["llama", "qwen2", "qwen3", "mistral", "phi3", "glm", "glm4", "olmo2", "jamba", "bamba"]
)
def test_queries_before_rope_are_recovered_on(kind: str) -> None:
    local = engine(kind)
    snapshot = local.read(context(40), needs=["query-moments"])
    assert snapshot.rotate is not None
    x = torch.randn(2, 5, local.facts.shape.head_dim)
    at = torch.arange(7, 12)
    torch.testing.assert_close(
        Rotation(local.model).backward(snapshot.rotate(x, at), at), x, atol=1e-5, rtol=1e-4
    )
    assert (kind == "jamba") == torch.equal(snapshot.rotate(x, at), x)


def test_moments_are_those_of_the_queries_before_rope() -> None:
    """Layer 0 of a Llama projects the normed embedding: its queries can be had without any
    position.
    """
    local = engine("gqa")
    ids = context(60)
    model = local.model.model
    with torch.inference_mode():
        normed = model.layers[0].input_layernorm(model.embed_tokens(torch.tensor([ids])))
        q = (
            model.layers[0]
            .self_attn.q_proj(normed)[0]
            .view(60, 2, 2, 32)
            .permute(1, 2, 0, 3)[:, :, 4:]
        )
    seen = local.read(ids, needs=["query-moments"]).observed[0]
    assert seen.query_mean_HGD is not None
    assert seen.query_scatter_HGDD is not None
    torch.testing.assert_close(seen.query_mean_HGD, q.mean(dim=2), atol=1e-4, rtol=1e-3)
    centred = q - q.mean(dim=2, keepdim=True)
    torch.testing.assert_close(
        seen.query_scatter_HGDD,
        torch.einsum("hgtd,hgte->hgde", centred, centred),
        atol=1e-2,
        rtol=1e-3,
    )


def test_yarn_scaling_is_taken_out_and_put_back() -> None:
    import transformers

    rope = {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 10000.0,
    }
    config = transformers.LlamaConfig(
        hidden_size=64, num_hidden_layers=1, intermediate_size=32, vocab_size=512, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, rope_parameters=rope, pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        local = from_model(transformers.LlamaForCausalLM(config), ByteTokenizer(), name="yarn")
    rotation = Rotation(local.model)
    assert rotation.scaling != 1.0
    x, at = torch.randn(2, 5, 32), torch.arange(9, 14)
    torch.testing.assert_close(
        rotation.backward(rotation.forward(x, at), at), x, atol=1e-5, rtol=1e-4
    )
    local.read(context(40), needs=["query-moments"])


def test_a_model_whose_layers_do_not_all_rotate_is_refused_by_name() -> None:
    import transformers

    config = transformers.SmolLM3Config(
        hidden_size=64, num_hidden_layers=4, intermediate_size=32, vocab_size=512, num_attention_heads=2, num_key_value_heads=1,
        no_rope_layer_interval=4, max_position_embeddings=256, pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        local = from_model(transformers.SmolLM3ForCausalLM(config), ByteTokenizer(), name="smollm3")
    snapshot = local.read(context(40), needs=["query-moments", "column-sums"])
    with pytest.raises(Mismatch, match=r"expected-attention.*SmolLM3ForCausalLM, layer 3"):
        fork(snapshot, parse("expected-attention[budget_tokens=10]"))
    assert fork(snapshot, parse("h2o[budget_tokens=10]")).stored_tokens(snapshot.shape) == 10
