"""Every architecture answers through streams what it answers by itself; what cannot be honoured is
refused by name.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest
import torch
import transformers

from scbench.engines.contract import Feed
from scbench.engines.load import from_model, refuse_by_config
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch, OutOfDevice, TooLong, Unknown
from scbench.exam.laws import read
from scbench.kv import Stream
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.prompts import ByteTokenizer

ATTENTION = ["llama", "qwen2", "qwen3", "mistral", "phi3", "glm", "glm4", "olmo2"]
HYBRID = ["jamba", "bamba"]
RECURRENT = ["mamba2"]
CONTEXT = [(at * at * 31 + at * 7) % 96 + 32 for at in range(90)]
QUERY, MORE, OTHER = [40, 41, 42, 43, 44], [50], [90, 91, 92]


@cache
def engine(kind: str) -> LocalEngine:
    return tiny(kind)


@cache
def plain_model(kind: str) -> Any:
    """The same weights under the model's own attention."""
    local = tiny(kind)
    local.model.set_attn_implementation("eager")
    return local.model


@torch.inference_mode()
def own(kind: str, ids: list[int]) -> torch.Tensor:
    """The model's own logits after the last token, read from scratch."""
    logits: torch.Tensor = (
        plain_model(kind)(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()
    )
    return logits


def close(ours: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", [*ATTENTION, *HYBRID, *RECURRENT])
def test_read_fork_and_advance_equal_reading_everything_from_scratch(kind: str) -> None:
    local = engine(kind)
    snapshot = local.read(CONTEXT)
    close(snapshot.logits_V, own(kind, CONTEXT))
    one, two = snapshot.fork(), snapshot.fork()
    first = local.advance([Feed(one, QUERY), Feed(two, OTHER)])
    close(first[0], own(kind, CONTEXT + QUERY))
    close(first[1], own(kind, CONTEXT + OTHER))
    child = one.fork()
    second = local.advance(
        [Feed(one, MORE), Feed(two, QUERY), Feed(child, OTHER)]
    )  # lengths differ, and one has forked
    close(second[0], own(kind, CONTEXT + QUERY + MORE))
    close(second[1], own(kind, CONTEXT + OTHER + QUERY))
    close(second[2], own(kind, CONTEXT + QUERY + OTHER))


@pytest.mark.parametrize("kind", [*ATTENTION, *HYBRID, *RECURRENT])
def test_a_read_in_chunks_is_a_read_in_one_piece(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = engine(kind)
    whole = local.read(CONTEXT)
    monkeypatch.setattr(local, "read_chunk_tokens", 13)
    pieces = local.read(CONTEXT)
    close(pieces.logits_V, whole.logits_V)
    close(local.advance([Feed(pieces.fork(), QUERY)]), local.advance([Feed(whole.fork(), QUERY)]))


@pytest.mark.parametrize("kind", ["llama", *HYBRID, *RECURRENT])
def test_a_read_on_top_of_another_shares_it_and_equals_one_read(kind: str) -> None:
    local = engine(kind)
    base = local.read(CONTEXT[:60])
    seal = base.digest()
    grown = local.read(CONTEXT[60:], base=base)
    close(grown.logits_V, own(kind, CONTEXT))
    assert base.digest() == seal
    assert grown.ids == tuple(CONTEXT)
    for layer, pieces in grown.layers.items():
        assert pieces[0] is base.layers[layer][0]
        assert [piece.k_HSD.shape[1] for piece in pieces] == [60, 30]
        for piece in pieces:
            assert (
                piece.k_HSD.untyped_storage().nbytes()
                == piece.k_HSD.numel() * piece.k_HSD.element_size()
            )
    assert grown.fork().held_bytes() == local.facts.shape.dense_bytes(len(CONTEXT))


@pytest.mark.parametrize("kind", ["llama", "qwen3", *HYBRID, *RECURRENT])
def test_many_turns_on_one_stream_equal_re_encoding_the_conversation(kind: str) -> None:
    local = engine(kind)
    stream, said = local.read(CONTEXT).fork(), list(CONTEXT)
    for turn in range(4):
        piece = [(turn * 17 + at) % 96 + 32 for at in range(3 + 4 * turn)]
        logits = local.advance([Feed(stream, piece)])[0]
        said += piece
        close(logits, own(kind, said))
        throwaway = stream.fork()  # the model's own answer, which history replaces by the gold one
        local.advance([Feed(throwaway, [60, 61])])


@pytest.mark.parametrize("kind", ["llama", "bamba", "mamba2"])
def test_greedy_answers_are_those_of_generate(kind: str) -> None:
    local = engine(kind)
    with torch.inference_mode():
        wanted = plain_model(kind).generate(
            torch.tensor([CONTEXT]), max_new_tokens=12, do_sample=False, eos_token_id=None
        )[0, len(CONTEXT) :]
    assert greedy(local, CONTEXT, 12) == wanted.tolist()


def greedy(local: LocalEngine, ids: list[int], tokens: int) -> list[int]:
    snapshot = local.read(ids)
    stream, said = snapshot.fork(), [int(snapshot.logits_V.argmax())]
    while len(said) < tokens:
        said.append(int(local.advance([Feed(stream, said[-1:])])[0].argmax()))
    return said


@pytest.mark.parametrize("kind", HYBRID)
@pytest.mark.parametrize(
    "method", ["snapkv[tau=1/4]", "streaming-llm[tau=1/4]", "kivi", "quest[tau=1/4]"]
)
def test_the_attention_layers_of_a_hybrid_take_any_method(kind: str, method: str) -> None:
    local = engine(kind)
    parsed = parse(method)
    snapshot = read(local, parsed, CONTEXT)
    stream = fork(snapshot, parsed)
    assert stream.held_bytes() == parsed.held_bytes(shape=local.facts.shape, tokens=len(CONTEXT))
    seal = snapshot.digest()
    ours = local.advance([Feed(stream, QUERY)])
    dense = local.advance([Feed(snapshot.fork(), QUERY)])
    assert snapshot.digest() == seal
    assert 0 < float((ours - dense).abs().max()) < float("inf")
    lossless = parsed.lossless(len(CONTEXT))
    close(local.advance([Feed(fork(read(local, lossless, CONTEXT), lossless), QUERY)]), dense)


@pytest.mark.parametrize("method", ["snapkv[tau=1/2]", "kivi", "quest", "a-shape", "prefix"])
def test_a_model_without_attention_takes_dense_only(method: str) -> None:
    with pytest.raises(Mismatch, match="use dense"):
        parse(method).check(shape=engine("mamba2").facts.shape, tokens=500)
    parse("dense").check(shape=engine("mamba2").facts.shape, tokens=500)


def test_a_state_serves_no_shorter_prefix_so_prefix_reuse_is_refused_on_hybrids() -> None:
    with pytest.raises(Mismatch, match="recurrent state"):
        parse("prefix").check(shape=engine("bamba").facts.shape, tokens=500)


@pytest.mark.parametrize("kind", [*HYBRID, *RECURRENT])
def test_states_are_counted_and_do_not_grow(kind: str) -> None:
    local = engine(kind)
    shape = local.facts.shape
    assert shape.recurrent_bytes > 0
    for tokens in (10, 90):
        assert local.read(CONTEXT[:tokens]).fork().held_bytes() == shape.dense_bytes(tokens)


@pytest.mark.parametrize("kind", [*HYBRID, *RECURRENT])
def test_using_one_fork_leaves_the_states_of_others_alone(kind: str) -> None:
    local = engine(kind)
    snapshot = local.read(CONTEXT)
    seal = snapshot.digest()
    kept: Stream = snapshot.fork()
    local.advance([Feed(snapshot.fork(), OTHER)])
    used = kept.fork()
    local.advance([Feed(used, OTHER)])
    assert snapshot.digest() == seal
    close(local.advance([Feed(kept, QUERY)])[0], own(kind, CONTEXT + QUERY))


@pytest.mark.parametrize(
    ("kind", "restarts"), [("jamba", True), ("bamba", False), ("mamba2", False)]
)
def test_a_model_that_restarts_its_states_is_extended_token_by_token_and_says_so(
    kind: str, restarts: bool
) -> None:
    """The first Mamba's scan in `transformers` takes no initial state: a follow-up of several
    tokens in one forward forgets what was read.
    """
    local = engine(kind)
    assert local.grows_by_token is restarts
    assert ("growing" in local.facts.choices) is restarts
    local.grows_by_token = False
    try:
        once = local.read(CONTEXT).fork()
        ours = local.advance([Feed(once, QUERY)])[0]
    finally:
        local.grows_by_token = restarts
    assert (float((ours - own(kind, CONTEXT + QUERY)).abs().max()) > 1e-4) is restarts


def test_a_follow_up_of_several_tokens_is_no_decode_step_even_token_by_token() -> None:
    local = engine("jamba")
    stream = local.read(CONTEXT).fork()
    local.advance([Feed(stream, QUERY)])
    assert (stream.loaded_bytes, stream.steps) == (0, 0)
    local.advance([Feed(stream, MORE)])
    assert stream.steps == 1


# -- what is refused -------------------------------------------------------------------------------

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 512,
}


def made(name: str, **more: Any) -> LocalEngine:
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = getattr(transformers, name)(**{**SIZES, **more})
        model = transformers.AutoModelForCausalLM.from_config(config)
        return from_model(model, ByteTokenizer(), name=name)


@pytest.mark.parametrize(
    ("config", "more", "why"),
    [
        ("Gemma2Config", {"head_dim": 16}, "soft-capped"),
        ("GptOssConfig", {"head_dim": 16}, "s_aux"),
        (
            "FalconH1Config",
            {},
            r"2 of 2 layers that keep K and V of 2 heads of 16 beside a recurrent",
        ),
        (
            "LlamaConfig",
            {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
            "dynamic-NTK",
        ),
        ("MistralConfig", {"sliding_window": 16}, "sliding-window layers of 16 tokens"),
    ],
)
def test_attention_that_is_not_computed_is_refused_by_name(
    config: str, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(Mismatch, match=why):
        made(config, **more)


def test_latent_attention_is_refused_by_name() -> None:
    with pytest.raises(Mismatch, match="multi-head latent attention"):
        refuse_by_config(transformers.DeepseekV3Config(), "deepseek-v3")


@pytest.mark.parametrize(
    ("config", "more"),
    [("MistralConfig", {}), ("Qwen2Config", {"use_sliding_window": True, "max_window_layers": 0})],
)
def test_a_sliding_window_is_fine_until_it_binds(config: str, more: dict[str, Any]) -> None:
    local = made(config, sliding_window=60, **more)
    ids = [token % 97 for token in CONTEXT]
    stream = local.read(ids[:50]).fork()
    local.advance([Feed(stream, list(range(33, 43)))])
    with pytest.raises(Mismatch, match="would reach 61"):
        local.advance([Feed(stream, [40])])
    with pytest.raises(Mismatch, match="would reach 90"):
        local.read(ids)


def test_what_does_not_fit_the_window_is_refused_before_the_forward() -> None:
    local = made("LlamaConfig", max_position_embeddings=64)
    with pytest.raises(TooLong, match="holds 64 tokens"):
        local.read(CONTEXT)


def test_a_read_of_nothing_and_an_unknown_observation_are_refused() -> None:
    with pytest.raises(Mismatch, match="at least one token"):
        engine("llama").read([])
    with pytest.raises(Mismatch, match="cannot observe moonlight"):
        engine("llama").read(CONTEXT, needs={"moonlight"})


def test_an_unknown_tiny_model_names_those_that_exist() -> None:
    with pytest.raises(Unknown, match="there are mha, gqa, mqa"):
        tiny("bert")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError()]
)
def test_memory_that_ran_out_is_said_so(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = engine("llama")

    class Full:
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            raise error

    monkeypatch.setattr(local, "model", Full())
    with pytest.raises(OutOfDevice, match="no memory left"):
        local.read(CONTEXT)


def test_a_step_too_long_for_one_forward_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    local = engine("llama")
    snapshot = local.read(CONTEXT)
    feeds = [QUERY, OTHER, QUERY + OTHER, MORE]
    whole = local.advance([Feed(snapshot.fork(), ids) for ids in feeds])
    monkeypatch.setattr(local, "step_tokens", 6)
    close(local.advance([Feed(snapshot.fork(), ids) for ids in feeds]), whole)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_decode_step_counts_the_bytes_it_reads(kind: str) -> None:
    local = engine(kind)
    stream = local.read(CONTEXT).fork()
    local.advance([Feed(stream, QUERY)])
    assert (stream.loaded_bytes, stream.steps) == (0, 0)  # a prefill is no decode step
    local.advance([Feed(stream, MORE)])
    assert stream.steps == 1
    assert stream.loaded_bytes == local.facts.shape.token_bytes * (len(CONTEXT) + len(QUERY) + 1)
