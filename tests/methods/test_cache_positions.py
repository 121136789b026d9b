"""position_mode=cache: what is kept stands closed up, as if nothing had been between, and
everything after it goes on from there.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.load import from_model
from scbench.engines.local import LocalEngine
from scbench.engines.rotation import Rotation
from scbench.engines.tiny import HEADS, tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kv import Stream
from scbench.methods import parse
from scbench.methods.compression.rolling_eviction import RollingTail
from scbench.methods.compression.rolling_positions import closing_up, moved
from scbench.methods.fork import fork
from scbench.play.pooled import PooledReads
from scbench.prompts import ByteTokenizer

engine = cache(tiny)
YARN = {
    "rope_type": "yarn",
    "rope_theta": 1e4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
LONG: dict[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "factor": 4.0,
    "original_max_position_embeddings": 1024,
}
LONG |= {"short_factor": [1.0] * 16, "long_factor": [2.0] * 16}
QUERY = tuple(range(40, 57))


@cache
def shallow(kind: str) -> LocalEngine:
    """A model of one layer: its keys and values say which token they are of, and nothing of what
    stood before it.
    """
    import transformers

    query_heads, kv_heads = HEADS.get(kind, (4, 2))
    sizes: dict[str, Any] = {
        "vocab_size": 512,
        "hidden_size": 128,
        "num_hidden_layers": 1,
        "intermediate_size": 96,
    }
    sizes |= {
        "num_attention_heads": query_heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 1 << 12,
    }
    more: dict[str, Any] = {
        "yarn": {"rope_parameters": YARN},
        "long": {"rope_parameters": LONG},
    }.get(kind, {})
    config = (
        transformers.GlmConfig(head_dim=32, **sizes)
        if kind == "glm"
        else transformers.LlamaConfig(**sizes, **more)
    )
    config.pad_token_id = config.bos_token_id = config.eos_token_id = None
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config)
        for word, x in model.named_parameters():
            if "q_proj" in word or "k_proj" in word:
                x.data.normal_(0, 0.5) if x.dim() == 1 else x.data.mul_(8.0)
    return from_model(model, ByteTokenizer(), name=f"shallow-{kind}")


def opened(local: LocalEngine, spelling: str, tokens: int = 60) -> Stream:
    method = parse(spelling)
    return fork(local.read(context(tokens), needs=method.needs), method)


def held_ids(stream: Stream) -> list[int]:
    """The tokens held, which must be the same in every head."""
    (layer,) = stream.layers
    return [stream.ids[at] for at in stream.positions(layer, 0).tolist()]


def plainly(local: LocalEngine, ids: list[int]) -> Tensor:
    return local.read(ids).logits_V


ONE_RANKING = ("streaming-llm", "tova")  # all heads keep the same tokens


@pytest.mark.parametrize("kind", ["mha", "gqa", "mqa", "yarn", "glm"])
@pytest.mark.parametrize("name", ONE_RANKING)
def test_in_one_layer_the_kept_tokens_are_read_as_if_they_were_the_whole_text(
    name: str, kind: str
) -> None:
    local = shallow(kind)
    for more in ("", ",rolling=yes"):
        closed, original = (
            opened(local, f"{name}[budget_tokens=20{more}{mode}]")
            for mode in (",position_mode=cache", "")
        )
        kept = held_ids(closed)
        assert len(kept) == 20
        wanted = plainly(local, [*kept, *QUERY])
        torch.testing.assert_close(
            local.advance([Feed(closed, QUERY)])[0], wanted, atol=1e-4, rtol=1e-4
        )
        assert float((local.advance([Feed(original, QUERY)])[0] - wanted).abs().max()) > 1e-3


@pytest.mark.parametrize("name", [*ONE_RANKING, "h2o"])
def test_in_one_layer_every_step_of_a_long_answer_reads_what_is_held_as_the_whole_text(
    name: str,
) -> None:
    local = shallow("mqa")  # one KV head, so that h2o, too, keeps one set of tokens
    stream = opened(local, f"{name}[budget_tokens=12,rolling=yes,position_mode=cache]")
    for at in range(45):
        new = (
            [at % 90, 33, 71] if at % 11 == 5 else [(at * 7) % 90]
        )  # now and then a follow-up of several tokens
        wanted = plainly(local, [*held_ids(stream), *new])
        torch.testing.assert_close(
            local.advance([Feed(stream, new)])[0], wanted, atol=1e-4, rtol=1e-4
        )
    assert stream.stored_tokens(local.facts.shape) == 12
    assert stream.logical_tokens == 60 + 45 + 2 * 4


@pytest.mark.parametrize(
    "spelling",
    ["h2o[budget_tokens=16{}]", "streaming-llm[budget_tokens=16{}]", "tova[budget_tokens=16{}]"],
)
@pytest.mark.parametrize("kind", ["mha", "gqa", "glm4", "qwen3"])
def test_scores_are_those_of_keys_at_0_1_2_and_a_query_right_after_them(
    kind: str, spelling: str
) -> None:
    """Keys before RoPE, turned to their places in the cache, met by the query before RoPE, turned
    to the first free place.
    """
    local = engine(kind)
    rotation = Rotation(local.model)
    snapshot = local.read(context(60), needs=parse(spelling.format("")).needs)
    snapshot.rotate = rotation.forward
    for more in (",position_mode=cache", ",position_mode=cache,rolling=yes"):
        stream = fork(snapshot, parse(spelling.format(more)))
        for layer, held in stream.layers.items():
            view = snapshot.view(layer)
            torch.manual_seed(layer)
            bare_k, bare_q = (
                torch.randn(1, 1, view.k_HSD.shape[-1]),
                torch.randn(1, 1, view.k_HSD.shape[-1]),
            )
            q = rotation.forward(bare_q, torch.tensor([60]))
            k = rotation.forward(bare_k, torch.tensor([60])).expand(view.k_HSD.shape[0], -1, -1)
            v = torch.zeros_like(k)
            cache_of = held.fork()
            cache_of.tail.append(k, v)
            q_HGTD = q.expand(len(k), 1, 1, -1).contiguous()
            parts = [
                one.attend(q_HGTD, scale=view.scale).partial
                for one in (*cache_of.stores, cache_of.tail)
            ]
            lse = torch.logsumexp(torch.stack([part.lse for part in parts]), dim=0)
            for head in range(len(k)):
                at = stream.positions(layer, head)
                keys = rotation.forward(
                    rotation.backward(view.k_HSD[head, at], at), torch.arange(len(at))
                )
                free = torch.tensor([len(at)])
                scores = (
                    torch.cat([keys, rotation.forward(bare_k, free)[0]])
                    @ rotation.forward(bare_q, free)[0, 0]
                    * view.scale
                )
                assert float(lse[head]) == pytest.approx(
                    float(torch.logsumexp(scores, 0)), abs=2e-4
                )


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
@pytest.mark.parametrize(
    "spelling",
    [
        "streaming-llm[{}]",
        "h2o[{}]",
        "tova[{}]",
        "streaming-llm[{},rolling=yes]",
        "h2o[{},rolling=yes]",
    ],
)
def test_where_nothing_was_dropped_both_modes_are_the_same_bit_for_bit(
    spelling: str, heads: str
) -> None:
    local = engine(heads)
    one, two = (
        opened(local, spelling.format(f"budget_tokens=80{mode}"), 60)
        for mode in ("", ",position_mode=cache")
    )
    for piece in (QUERY, (7,), (8,)):
        assert torch.equal(local.advance([Feed(one, piece)]), local.advance([Feed(two, piece)]))
    dense = local.read(context(60)).fork()
    for piece in (QUERY, (7,), (8,)):
        local.advance([Feed(dense, piece)])
    torch.testing.assert_close(
        local.advance([Feed(two, (9,))]), local.advance([Feed(dense, (9,))]), atol=1e-3, rtol=1e-3
    )


def test_no_distance_is_larger_than_what_is_held_and_no_place_is_taken_twice() -> None:
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        seen, heads = int(torch.randint(5, 400, (1,), generator=draw)), 3
        slots = int(torch.randint(1, seen + 1, (1,), generator=draw))
        at = torch.stack(
            [torch.randperm(seen, generator=draw)[:slots].sort().values for _ in range(heads)]
        )
        places = at + closing_up(at, seen)
        assert torch.equal(places, torch.arange(seen - slots, seen).expand(heads, -1))
        assert int((seen - places).max()) <= slots
        assert int(closing_up(at, seen).min()) >= 0


@pytest.mark.parametrize("kind", ["llama", "glm", "qwen2"])
def test_a_move_is_a_move_of_what_stands_there_keeps_norms_and_can_be_taken_back(kind: str) -> None:
    rotation = Rotation(engine(kind).model)
    torch.manual_seed(0)
    k = rotation.forward(torch.randn(2, 9, 32), torch.arange(9))
    shift = torch.randint(1, 500, (2, 9))
    there = moved(k, shift, rotation.forward)
    for head in range(2):
        wanted = rotation.forward(
            rotation.backward(k[head], torch.arange(9)), torch.arange(9) + shift[head]
        )
        torch.testing.assert_close(there[head], wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there.norm(dim=-1), k.norm(dim=-1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved(there, -shift, rotation.forward), k, atol=1e-4, rtol=1e-4)
    assert torch.equal(moved(k.bfloat16(), 0 * shift, rotation.forward), k.bfloat16())


def test_a_context_read_in_chunks_and_a_query_fed_in_pieces_give_the_same() -> None:
    local, method = engine("gqa"), parse("h2o[budget_tokens=20,position_mode=cache]")
    whole = fork(local.read(context(100), needs=method.needs), method)
    before, local.read_chunk_tokens = local.read_chunk_tokens, 13
    try:
        pieces = fork(local.read(context(100), needs=method.needs), method)
    finally:
        local.read_chunk_tokens = before
    wanted = local.advance([Feed(whole, QUERY)])
    for piece in (QUERY[:5], QUERY[5:6], QUERY[6:]):
        logits = local.advance([Feed(pieces, piece)])
    torch.testing.assert_close(logits, wanted, atol=1e-3, rtol=1e-3)


def test_bytes_name_the_positions_that_are_turned_by() -> None:
    local = engine("gqa")
    h2o = opened(local, "h2o[budget_tokens=20,rolling=yes,position_mode=cache]")
    assert h2o.held_by_name()["rolling_positions"] == 3 * 2 * 20 * 4
    sinks = opened(local, "streaming-llm[budget_tokens=20,rolling=yes,position_mode=cache]")
    assert "rolling_positions" not in sinks.held_by_name()
    local.advance([Feed(h2o, (5,))])
    assert h2o.loaded_bytes == 3 * 2 * 21 * (2 * 32 * 4 + 4)
    assert (
        "rolling_positions" not in opened(local, "h2o[budget_tokens=20,rolling=yes]").held_by_name()
    )


def test_keys_are_held_as_they_came_so_that_no_error_adds_up() -> None:
    local = engine("gqa")
    stream = opened(local, "streaming-llm[budget_tokens=20,rolling=yes,position_mode=cache]")
    tail = stream.layers[0].tail
    assert isinstance(tail, RollingTail)
    sinks = tail.k_HSD[:, :4].clone()
    for at in range(30):
        local.advance([Feed(stream, [at])])
    assert torch.equal(tail.k_HSD[:, :4], sinks)
    assert not torch.equal(tail.placed()[:, :4], sinks)
    assert torch.equal(tail.placed()[:, 4:], tail.k_HSD[:, 4:])


@pytest.mark.parametrize(
    ("kind", "why"),
    [("jamba", "no rotary embedding"), ("long", "depend on the length of the text")],
)
def test_a_model_whose_keys_cannot_be_moved_is_refused_and_the_other_methods_of_the_read_go_on(
    kind: str, why: str
) -> None:
    local = shallow(kind) if kind == "long" else engine(kind)
    snapshot = local.read(context(40), needs=parse("streaming-llm[position_mode=cache]").needs)
    with pytest.raises(Mismatch, match=why):
        fork(snapshot, parse("streaming-llm[budget_tokens=20,position_mode=cache]"))
    assert (
        fork(snapshot, parse("streaming-llm[budget_tokens=20]")).stored_tokens(snapshot.shape) == 20
    )


def test_a_read_without_the_rotation_is_named() -> None:
    with pytest.raises(Mismatch, match="did not keep the model's rotation"):
        fork(
            engine("gqa").read(context(40)),
            parse("streaming-llm[budget_tokens=20,position_mode=cache]"),
        )


def test_a_prefix_from_the_pool_is_moved_like_a_fresh_one() -> None:
    local, method = (
        engine("gqa"),
        parse("streaming-llm[budget_tokens=20,position_mode=cache]+prefix[block_tokens=8]"),
    )
    fresh = local.read(context(64), needs=method.needs)
    reads = PooledReads.begin(local, method, context(64), lambda: local.read(context(64)))
    found, served = reads.get(context(64))
    assert served.tokens == 64
    wanted, ours = (
        local.advance([Feed(fork(snapshot, method), QUERY)]) for snapshot in (fresh, found)
    )
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)
    reads.close()


def test_the_form_of_its_own_paper_has_a_preset_and_a_scorer_moves_nothing() -> None:
    spelled = "streaming-llm[rolling=yes,position_mode=cache,sink_tokens=4,recent_tokens=2000]"
    assert parse("streaming-llm[preset=streaming-llm]").resolved == spelled
    with pytest.raises(Mismatch, match="moves nothing"):
        parse("adakv[scorer=h2o[position_mode=cache]]")
