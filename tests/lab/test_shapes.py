"""The three shapes are equally large, run through our engine, and start alike."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.load import from_model
from scbench.errors import BadConfig
from scbench.exam.laws import read
from scbench.lab.scan import fast
from scbench.lab.shapes import ARCHITECTURES, DT_RANGE, SIZES, WINDOW_TOKENS, build, params
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.prompts import ByteTokenizer

CLASSES = {
    "transformer": "LlamaForCausalLM",
    "mamba2": "Mamba2ForCausalLM",
    "hybrid": "BambaForCausalLM",
}
FAMILIES = {"transformer": "transformer", "mamba2": "recurrent", "hybrid": "hybrid"}
CONTEXT = [(at * at * 31 + at * 7) % 250 for at in range(90)]


@pytest.mark.parametrize("size", SIZES)
def test_parameters_are_equal_within_three_in_a_hundred(size: str) -> None:
    counts = [params(build(arch, vocab=2000, size=size)) for arch in ARCHITECTURES]
    assert max(counts) <= 1.03 * min(counts)
    if size == "base":
        assert min(counts) > 1.2e6
        assert max(counts) < 1.6e6


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_shape_is_of_its_class_in_fp32_with_tied_embeddings_and_the_ids_it_was_given(
    arch: str,
) -> None:
    model: Any = build(arch, vocab=300, size="tiny", bos=5, eos=7)
    assert type(model).__name__ == CLASSES[arch]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert model.lm_head.weight.shape[0] == 300
    config = model.config
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (5, 7, None)
    assert config.max_position_embeddings == WINDOW_TOKENS
    assert all(bool(row.any()) for row in model.lm_head.weight), (
        "a token's embedding starts at zero and would never be trained"
    )


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_seed_decides_the_weights_and_nothing_else_does(arch: str) -> None:
    torch.manual_seed(1)
    one = build(arch, vocab=50, size="tiny", seed=4)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1)), "building a model used up the caller's random numbers"
    torch.manual_seed(2)
    same, other = (
        build(arch, vocab=50, size="tiny", seed=4),
        build(arch, vocab=50, size="tiny", seed=5),
    )
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(
        torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("arch", ["mamba2", "hybrid"])
def test_every_mamba_layer_starts_with_steps_that_remember(arch: str) -> None:
    biases = [
        bias for name, bias in build(arch, vocab=50).named_parameters() if name.endswith("dt_bias")
    ]
    assert len(biases) == {"mamba2": 4, "hybrid": 2}[arch]
    for bias in biases:
        steps = torch.nn.functional.softplus(bias.detach())
        assert DT_RANGE[0] * 0.9 <= float(steps.min()) < float(steps.max()) <= DT_RANGE[1] * 1.01
    for one, other in itertools.pairwise(biases):
        assert not torch.equal(one, other)


def test_the_hybrid_has_attention_where_its_size_says() -> None:
    model: Any = build("hybrid", vocab=50)
    assert [at for at, layer in enumerate(model.model.layers) if hasattr(layer, "self_attn")] == [
        1,
        3,
    ]
    assert not [
        at
        for at, layer in enumerate(model.model.layers)
        if hasattr(layer, "self_attn") == hasattr(layer, "mamba")
    ]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("quick", [False, True])
def test_our_engine_reads_and_extends_a_shape_as_the_model_itself_does(
    arch: str, quick: bool
) -> None:
    model = build(arch, vocab=512, size="tiny", seed=1).eval()
    with torch.inference_mode():
        wanted = model(input_ids=torch.tensor([CONTEXT]), use_cache=False).logits[0]
    engine = from_model(fast(model) if quick else model, ByteTokenizer(), name=arch)
    assert engine.facts.family == FAMILIES[arch]
    assert engine.facts.window_tokens == WINDOW_TOKENS
    assert not engine.grows_by_token
    snapshot = engine.read(CONTEXT[:70])
    torch.testing.assert_close(snapshot.logits_V, wanted[69], atol=1e-4, rtol=1e-3)
    stream = snapshot.fork()
    torch.testing.assert_close(
        engine.advance([Feed(stream, CONTEXT[70:80])])[0], wanted[79], atol=1e-4, rtol=1e-3
    )
    for at in range(80, 90):
        logits = engine.advance([Feed(stream, CONTEXT[at : at + 1])])[0]
    torch.testing.assert_close(logits, wanted[89], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("method", ["snapkv[tau=1/4]", "kivi", "quest[tau=1/4]"])
@pytest.mark.parametrize("arch", ["transformer", "hybrid"])
def test_methods_act_on_the_attention_layers_of_a_shape(arch: str, method: str) -> None:
    model = build(arch, vocab=512, size="tiny", seed=1).eval()
    for name, weight in model.named_parameters():
        if "q_proj" in name or "k_proj" in name:
            weight.data.normal_(
                std=0.6
            )  # with flat attention, or all of it on the token itself, a method changes nothing
    engine, parsed = from_model(fast(model), ByteTokenizer(), name=arch), parse(method)
    snapshot = read(engine, parsed, CONTEXT)
    stream = fork(snapshot, parsed)
    assert stream.held_bytes() == parsed.held_bytes(shape=engine.facts.shape, tokens=len(CONTEXT))
    assert stream.held_bytes() < snapshot.fork().held_bytes() or "quest" in method
    moved = engine.advance([Feed(stream, [40, 41, 42])]) - engine.advance(
        [Feed(snapshot.fork(), [40, 41, 42])]
    )
    assert 0 < float(moved.abs().max()) < float("inf")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arch": "rnn", "vocab": 50}, "rnn.*transformer, mamba2, hybrid"),
        ({"arch": "mamba2", "vocab": 50, "size": "huge"}, "huge.*base, tiny"),
        ({"arch": "mamba2", "vocab": 0}, "vocab=0"),
        ({"arch": "mamba2", "vocab": 50, "eos": 50}, "eos=50.*49"),
        ({"arch": "mamba2", "vocab": 50, "bos": -1}, "bos=-1"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        build(**given)
