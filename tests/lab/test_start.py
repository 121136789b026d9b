"""The first weights: words nearby are told apart in the first layer, and further layers find what
followed the same word.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from scbench.lab import shapes

VOCAB = 64


def attentions(model: Any, ids: torch.Tensor) -> Any:
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        return model(input_ids=ids, output_attentions=True).attentions


def test_head_h_of_the_first_layer_looks_h_plus_one_tokens_back() -> None:
    model = shapes.build("transformer", vocab=VOCAB, size="base", seed=3).eval()
    weights = attentions(model, torch.arange(40)[None] % VOCAB)[0][0]
    for head in range(weights.shape[0]):
        assert weights[head, 30].argmax() == 30 - (head + 1)
        assert weights[head, 30].max() > 0.5


def test_the_second_layer_finds_what_followed_the_same_word() -> None:
    """... 7 x ... 7: the first head looks to x, on the mean of twenty texts, ten times as much as
    if it looked everywhere alike.
    """
    model = shapes.build("transformer", vocab=1024, size="base", seed=1).eval()
    found = []
    for seed in range(20):
        ids = torch.randperm(900, generator=torch.Generator().manual_seed(seed))[:48] + 64
        ids[-1] = ids[10 + seed]
        found.append(attentions(model, ids[None])[1][0, 0, -1, 11 + seed])
    assert float(torch.stack(found).mean()) > 10 / 48


@pytest.mark.parametrize(("back", "layer", "group"), [(1, 1, 0), (2, 1, 1), (3, 3, 0)])
def test_a_convolution_leaves_the_codes_of_three_words_before_in_the_stream(
    back: int, layer: int, group: int
) -> None:
    """What the keys of a later attention layer read from it is like the code of the word that stood
    there, and of no other.
    """
    model: Any = shapes.build("hybrid", vocab=1024, size="base", seed=1).eval()
    ids = torch.randperm(900, generator=torch.Generator().manual_seed(2))[:32][None] + 64
    attention = [one.self_attn for one in model.base_model.layers if hasattr(one, "self_attn")][
        layer // 2
    ]
    own_code = model.base_model.layers[1].self_attn.q_proj.weight[
        :32
    ]  # the first query head reads the word itself
    with torch.inference_mode():
        after_first = model(input_ids=ids, output_hidden_states=True).hidden_states[1][0]
        found = after_first @ attention.k_proj.weight[32 * group : 32 * group + 32].T
        codes = model.base_model.embed_tokens(ids)[0] @ own_code.T
        likeness = functional.cosine_similarity(found[:, None], codes[None], dim=-1)
    right = sum(int(likeness[at].argmax()) == at - back for at in range(back, 32))
    assert right >= 0.8 * (32 - back)


def test_no_two_query_heads_of_a_kv_head_start_alike() -> None:
    """Heads that share keys and values and start alike get the same gradients for ever."""
    for arch in ("transformer", "hybrid"):
        for layer in shapes.build(arch, vocab=VOCAB, size="base").base_model.layers:
            if (attention := getattr(layer, "self_attn", None)) is not None:
                groups = attention.k_proj.weight.shape[0] // attention.head_dim
                for own in attention.q_proj.weight.chunk(groups):
                    heads = own.split(attention.head_dim)
                    assert not any(
                        torch.equal(one, two) for i, one in enumerate(heads) for two in heads[:i]
                    )


def test_in_the_first_matching_layer_outputs_copy_values() -> None:
    for arch in ("transformer", "hybrid"):
        attention = shapes.build(arch, vocab=VOCAB, size="base").base_model.layers[1].self_attn
        width = attention.head_dim
        shared = attention.q_proj.weight.shape[0] // attention.k_proj.weight.shape[0]
        for head in range(attention.q_proj.weight.shape[0] // width):
            own, group = (
                slice(head * width, (head + 1) * width),
                slice(head // shared * width, (head // shared + 1) * width),
            )
            back, view = attention.o_proj.weight[:, own], attention.v_proj.weight[group].T
            assert torch.allclose(back / back.norm(), view / view.norm(), atol=1e-6)


def test_a_state_reads_and_writes_the_same_codes_and_copies() -> None:
    """The second half matches the word two back with the word two back, the first half one back
    with none; outputs are the transposed inputs.
    """
    mixer: Any = shapes.build("mamba2", vocab=VOCAB).base_model.layers[1].mixer
    inner, state = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size
    rows = mixer.in_proj.weight
    B, C = rows[2 * inner : 2 * inner + state], rows[2 * inner + state : 2 * inner + 2 * state]
    assert torch.equal(B[32:64], C[32:64])
    assert not torch.equal(B[:32], C[:32])
    assert torch.equal(mixer.out_proj.weight, rows[inner : 2 * inner].T)


def test_the_same_seed_sets_the_same_first_weights_and_another_seed_others() -> None:
    for arch in shapes.ARCHITECTURES:
        one, two, other = (shapes.build(arch, vocab=VOCAB, seed=seed) for seed in (5, 5, 6))
        assert all(
            torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True)
        )
        assert not all(
            torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
        )


def test_the_smallest_size_has_the_same_start() -> None:
    for arch in shapes.ARCHITECTURES:
        model = shapes.build(arch, vocab=VOCAB, size="tiny")
        assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
