"""The fast scan is the recurrence of Mamba-2 and, inside a model, the layer of `transformers`:
outputs, states and gradients.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from scbench.errors import Mismatch
from scbench.lab.conv import causal_conv
from scbench.lab.scan import fast, plain, scan
from scbench.lab.shapes import build

VOCABULARY = 97


def step_by_step(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """The specification: S_t = exp(dt_t A) S_{t-1} + dt_t x_t B_t^T and y_t = S_t C_t, one position
    after the other.
    """
    per, outputs = x.shape[2] // B.shape[2], []
    for at in range(x.shape[1]):
        keys, queries = (z[:, at].repeat_interleave(per, dim=1)[:, :, None, :] for z in (B, C))
        write = (dt[:, at, :, None] * x[:, at])[..., None] * keys
        state = torch.exp(dt[:, at] * A)[..., None, None] * state + write
        outputs.append((state * queries).sum(-1))
    return torch.stack(outputs, dim=1), state


def inputs(tokens: int, groups: int, *, decay: float = 5.0) -> list[Tensor]:
    torch.manual_seed(tokens + groups)
    b, h, p, n = 2, 4, 3, 5
    drawn = [
        torch.randn(b, tokens, h, p),
        torch.rand(b, tokens, h) * 2,
        -torch.rand(h) * decay,
        torch.randn(b, tokens, groups, n),
        torch.randn(b, tokens, groups, n),
        torch.randn(b, h, p, n),
    ]
    return [z.double().requires_grad_() for z in drawn]


@pytest.mark.parametrize(
    ("tokens", "groups", "chunk"),
    [(1, 1, 8), (7, 2, 16), (37, 1, 8), (64, 2, 16), (50, 4, 13), (9, 1, 1)],
)
def test_outputs_last_state_and_every_gradient_are_those_of_the_recurrence(
    tokens: int, groups: int, chunk: int
) -> None:
    given = inputs(tokens, groups)
    wanted = step_by_step(*given)
    ours = scan(*given[:5], chunk_tokens=chunk, state=given[5])
    pull = [torch.randn_like(z) for z in wanted]
    for mine, theirs in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)
    gradients = [torch.autograd.grad(both, given, pull) for both in (ours, wanted)]
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_decays_that_underflow_give_neither_nan_nor_infinity() -> None:
    given = [z.detach().float() for z in inputs(70, 1, decay=500.0)]
    for z in given:
        z.requires_grad_()
    y, last = scan(*given[:5], chunk_tokens=32, state=given[5])
    torch.autograd.backward(y.square().sum() + last.sum())
    assert all(
        bool(z.isfinite().all()) for z in (y, last, *(z.grad for z in given if z.grad is not None))
    )
    torch.testing.assert_close(y, step_by_step(*given)[0], atol=1e-4, rtol=1e-4)


def test_a_scan_in_two_pieces_is_a_scan_in_one() -> None:
    x, dt, A, B, C, first = inputs(41, 2)
    whole, last = scan(x, dt, A, B, C, chunk_tokens=8, state=first)
    begun, between = scan(
        x[:, :17], dt[:, :17], A, B[:, :17], C[:, :17], chunk_tokens=8, state=first
    )
    ended, after = scan(
        x[:, 17:], dt[:, 17:], A, B[:, 17:], C[:, 17:], chunk_tokens=8, state=between
    )
    torch.testing.assert_close(torch.cat([begun, ended], 1), whole)
    torch.testing.assert_close(after, last)


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 19])
@pytest.mark.parametrize("has_bias", [True, False])
def test_the_convolution_and_its_gradients_are_those_of_conv1d(tokens: int, has_bias: bool) -> None:
    torch.manual_seed(tokens)
    x, weight = torch.randn(3, tokens, 6, dtype=torch.double), torch.randn(6, 4, dtype=torch.double)
    bias = torch.randn(6, dtype=torch.double) if has_bias else None
    given = [z.requires_grad_() for z in (x, weight, bias) if z is not None]
    padded = functional.conv1d(x.transpose(1, 2), weight[:, None], bias, padding=3, groups=6)[
        :, :, :tokens
    ]
    both = causal_conv(x, weight, bias), functional.silu(padded).transpose(1, 2)
    torch.testing.assert_close(*both)
    pull = torch.randn_like(x)
    for mine, theirs in zip(
        *(torch.autograd.grad((z * pull).sum(), given) for z in both), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def model(arch: str) -> Any:
    drawn = build(arch, vocab=VOCABULARY, seed=3, size="tiny")
    generator = torch.Generator().manual_seed(5)
    for (
        word,
        weight,
    ) in drawn.named_parameters():  # so far from where training starts that every term matters
        scale = (
            0.5 if word.endswith(("dt_bias", "A_log", ".D", "norm.weight", "conv1d.bias")) else 0.05
        )
        weight.data.add_(torch.randn(weight.shape, generator=generator) * scale)
    return drawn


def ids(tokens: int, rows: int = 2) -> Tensor:
    return torch.randint(
        0, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(tokens)
    )


def logits_and_gradients(
    of: Any, tokens: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    of.zero_grad()
    logits: Tensor = of(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    kept = logits[:, :-1] if mask is None else logits[:, :-1] * mask[:, 1:, None]
    torch.autograd.backward(functional.cross_entropy(kept.flatten(0, 1), tokens[:, 1:].flatten()))
    return logits.detach(), {word: p.grad.clone() for word, p in of.named_parameters()}


@pytest.mark.parametrize("arch", ["mamba2", "hybrid"])
@pytest.mark.parametrize("tokens", [5, 33, 150])
def test_a_fast_model_has_the_logits_and_gradients_of_transformers_own(
    arch: str, tokens: int
) -> None:
    theirs, ours = model(arch).train(), fast(model(arch)).train()
    wanted, wanted_gradients = logits_and_gradients(theirs, ids(tokens))
    got, gradients = logits_and_gradients(ours, ids(tokens))
    torch.testing.assert_close(got, wanted, atol=2e-5, rtol=1e-4)
    assert gradients.keys() == wanted_gradients.keys()
    for word, gradient in gradients.items():
        scale = float(wanted_gradients[word].abs().max())
        torch.testing.assert_close(gradient, wanted_gradients[word], atol=2e-4 * scale, rtol=1e-3)


@pytest.mark.parametrize("arch", ["mamba2", "hybrid"])
def test_masked_positions_do_to_a_fast_model_what_they_do_to_transformers_own(arch: str) -> None:
    tokens = ids(40)
    mask = torch.ones_like(tokens)
    mask[0, :13], mask[1, :2] = 0, 0
    wanted, wanted_gradients = logits_and_gradients(model(arch).train(), tokens, mask)
    got, gradients = logits_and_gradients(fast(model(arch)).train(), tokens, mask)
    seen = mask.bool()
    torch.testing.assert_close(got[seen], wanted[seen], atol=2e-5, rtol=1e-4)
    for word, gradient in gradients.items():
        scale = float(wanted_gradients[word].abs().max())
        torch.testing.assert_close(gradient, wanted_gradients[word], atol=2e-4 * scale, rtol=1e-3)


@pytest.mark.parametrize("arch", ["mamba2", "hybrid"])
def test_generation_with_states_is_that_of_transformers_own(arch: str) -> None:
    said = [
        of.eval().generate(
            ids(21, rows=1),
            max_new_tokens=9,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        for of in (model(arch), fast(model(arch)))
    ]
    torch.testing.assert_close(
        torch.stack(said[1].logits), torch.stack(said[0].logits), atol=2e-5, rtol=1e-4
    )


@pytest.mark.parametrize("arch", ["mamba2", "hybrid"])
def test_fast_touches_one_model_can_be_undone_and_leaves_no_trace_in_files(
    arch: str, tmp_path: Path
) -> None:
    one, other = model(arch), model(arch)
    fast(one)
    mixers = [m for m in one.modules() if "forward" in m.__dict__]
    assert mixers
    assert not [m for m in other.modules() if "forward" in m.__dict__]
    assert copy.deepcopy(one).state_dict().keys() == other.state_dict().keys()
    one.save_pretrained(tmp_path / "one")
    other.save_pretrained(tmp_path / "other")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert not [m for m in plain(one).modules() if "forward" in m.__dict__]


def test_a_copy_of_a_fast_model_computes_with_its_own_weights() -> None:
    one = fast(model("mamba2")).eval()
    two = copy.deepcopy(one)
    for weight in two.parameters():
        weight.data.mul_(0.5)
    alone = model("mamba2").eval()
    for weight in alone.parameters():
        weight.data.mul_(0.5)
    with torch.no_grad():
        torch.testing.assert_close(two(ids(30)).logits, alone(ids(30)).logits, atol=2e-5, rtol=1e-4)


def test_layers_that_the_fast_forward_would_compute_otherwise_are_refused_and_left_alone() -> None:
    coarse = model("mamba2").bfloat16()
    with pytest.raises(Mismatch, match="bfloat16"):
        fast(coarse)
    other = model("hybrid")
    next(m for m in other.modules() if hasattr(m, "A_log")).activation = "gelu"
    with pytest.raises(Mismatch, match="gelu"):
        fast(other)
    assert not [m for m in [*coarse.modules(), *other.modules()] if "forward" in m.__dict__]


def test_a_second_derivative_is_refused_instead_of_wrong() -> None:
    given = inputs(9, 1)
    (slope,) = torch.autograd.grad(scan(*given[:5])[0].square().sum(), given[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(slope.sum())
