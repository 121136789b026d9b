"""The first weights: heads that look a fixed number of tokens back, and layers in which like finds like."""

from __future__ import annotations

import torch

from scbench.lab import shapes

VOCAB = 64


def test_head_h_of_the_first_layer_looks_h_plus_one_tokens_back() -> None:
    model = shapes.build("transformer", vocab=VOCAB, size="base", seed=3).eval()
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        weights = model(input_ids=torch.arange(40)[None] % VOCAB, output_attentions=True).attentions[0][0]
    for head in range(weights.shape[0]):
        assert weights[head, 30].argmax() == 30 - (head + 1)
        assert weights[head, 30].max() > 0.5


def test_in_further_layers_queries_equal_keys_and_outputs_copy_values() -> None:
    for arch, layer in (("transformer", 1), ("hybrid", 1), ("hybrid", 3)):
        attention = shapes.build(arch, vocab=VOCAB, size="base").base_model.layers[layer].self_attn
        width = attention.head_dim
        shared = attention.q_proj.weight.shape[0] // attention.k_proj.weight.shape[0]
        for head in range(attention.q_proj.weight.shape[0] // width):
            own, group = slice(head * width, (head + 1) * width), slice(head // shared * width, (head // shared + 1) * width)
            assert torch.equal(attention.q_proj.weight[own], attention.k_proj.weight[group])
            assert torch.equal(attention.o_proj.weight[:, own], attention.v_proj.weight[group].T)


def test_a_state_starts_with_b_equal_to_c() -> None:
    for arch in ("mamba2", "hybrid"):
        mixer = next(m for m in shapes.build(arch, vocab=VOCAB).modules() if hasattr(m, "A_log"))
        inner, state = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size
        rows, taps = mixer.in_proj.weight, mixer.conv1d.weight
        assert torch.equal(rows[2 * inner : 2 * inner + state], rows[2 * inner + state : 2 * inner + 2 * state])
        assert torch.equal(taps[inner : inner + state], taps[inner + state : inner + 2 * state])
        assert torch.equal(mixer.out_proj.weight, rows[inner : 2 * inner].T)


def test_the_first_weights_draw_no_random_number_of_their_own() -> None:
    one, two = (shapes.build("transformer", vocab=VOCAB, seed=5) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
