"""The first weights: words nearby are told apart in the first layer, and further layers find what followed the same word."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from scbench.lab import shapes
from scbench.lab.start import MATCHES

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
    """... 7 x ... 7: the heads of KV head 0 look to x, on the mean of twenty texts, ten times as much as if they looked everywhere alike."""
    model = shapes.build("transformer", vocab=1024, size="base", seed=1).eval()
    found = []
    for seed in range(20):
        ids = torch.randperm(900, generator=torch.Generator().manual_seed(seed))[:48] + 64
        ids[-1] = ids[10 + seed]
        found.append(attentions(model, ids[None])[1][0, :3, -1, 11 + seed])
    assert float(torch.stack(found).mean()) > 10 / 48


@pytest.mark.parametrize("back", [1, 2, 3])
def test_a_convolution_leaves_the_code_of_the_words_before_in_the_stream(back: int) -> None:
    """What the first Mamba-2 layer writes in the direction of `back` is like the code of the word that stood there, and of no other."""
    model = shapes.build("hybrid", vocab=1024, size="base", seed=1).eval()
    ids = torch.randperm(900, generator=torch.Generator().manual_seed(2))[:32][None] + 64
    reader = model.base_model.layers[1].self_attn.k_proj.weight[:32] if back == 1 else None
    pairs = MATCHES[0] if back < 3 else MATCHES[1]
    layer = 1 if back < 3 else 2
    if reader is None:
        if layer == 1:
            reader = model.base_model.layers[1].self_attn.k_proj.weight[32:64]
        else:  # B of the Mamba-2 layer: its first half
            assert pairs[0][1] == 3
            mixer = model.base_model.layers[2].mamba
            reader = mixer.in_proj.weight[2 * mixer.intermediate_size : 2 * mixer.intermediate_size + 32]
    with torch.inference_mode():
        found = model(input_ids=ids, output_hidden_states=True).hidden_states[1][0] @ reader.T
        own = model.base_model.embed_tokens(ids)[0]
        code = model.base_model.layers[1].self_attn.q_proj.weight[:32]  # queries of KV head 0 read the word itself
        likeness = functional.cosine_similarity(found[:, None], (own @ code.T)[None], dim=-1)
    right = sum(int(likeness[at].argmax()) == at - back for at in range(back, 32))
    assert right >= 0.8 * (32 - back)


def test_in_the_first_matching_layer_outputs_copy_values() -> None:
    for arch in ("transformer", "hybrid"):
        attention = shapes.build(arch, vocab=VOCAB, size="base").base_model.layers[1].self_attn
        width = attention.head_dim
        shared = attention.q_proj.weight.shape[0] // attention.k_proj.weight.shape[0]
        for head in range(attention.q_proj.weight.shape[0] // width):
            own, group = slice(head * width, (head + 1) * width), slice(head // shared * width, (head // shared + 1) * width)
            back, view = attention.o_proj.weight[:, own], attention.v_proj.weight[group].T
            assert torch.allclose(back / back.norm(), view / view.norm(), atol=1e-6)


def test_a_state_reads_and_writes_the_same_codes_and_copies() -> None:
    """B one word further back than C, in both halves of the state; outputs are the transposed inputs."""
    mixer: Any = shapes.build("mamba2", vocab=VOCAB).base_model.layers[1].mixer
    inner, state = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size
    rows = mixer.in_proj.weight
    B, C = rows[2 * inner : 2 * inner + state], rows[2 * inner + state : 2 * inner + 2 * state]
    assert torch.equal(B[:32], C[32:])  # one word back: written by the first half, asked by the second
    assert not torch.equal(B[:32], C[:32])
    assert torch.equal(mixer.out_proj.weight, rows[inner : 2 * inner].T)


def test_the_same_seed_sets_the_same_first_weights_and_another_seed_others() -> None:
    for arch in shapes.ARCHITECTURES:
        one, two, other = (shapes.build(arch, vocab=VOCAB, seed=seed) for seed in (5, 5, 6))
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_smallest_size_has_the_same_start() -> None:
    for arch in shapes.ARCHITECTURES:
        model = shapes.build(arch, vocab=VOCAB, size="tiny")
        assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
