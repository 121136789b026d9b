"""Three matched model shapes: attention, Mamba-2, and both, with the same width, the same
vocabulary and the same number of parameters.

What differs is the mixing of tokens and nothing else that could explain a result: width 192, four
layers, tied embeddings, fp32. The widths of the MLPs make the parameter counts equal (within 1 %),
because the mixers are not equally large and a Mamba-2 layer has no MLP at all.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import BambaConfig, LlamaConfig, Mamba2Config, PreTrainedModel

from scbench.errors import BadConfig
from scbench.lab.start import recall

ARCHITECTURES = ("transformer", "mamba2", "hybrid")
WINDOW_TOKENS = 4096
# few quick angles for what is near, many slow ones: content must look alike a thousand tokens away
ROPE_THETA = 1e6
INITIAL_STD = 0.04
DT_RANGE = (
    1e-3,
    1e-1,
)  # steps at the start of training: memories of ten to a thousand tokens (the Mamba-2 paper's initialisation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Numbers that the three shapes of one size share, and the two MLP widths that make them
    equally large.
    """

    hidden: int
    layers: int
    query_heads: int
    kv_heads: int
    attention_layers: tuple[int, ...]  # of the hybrid
    state: int  # numbers each channel of a Mamba-2 head remembers
    head_dim: int = 32
    chunk_tokens: int = 64
    transformer_mlp: int
    hybrid_mlp: int


SIZES = {
    "base": Size(
        hidden=192,
        layers=4,
        query_heads=6,
        kv_heads=2,
        attention_layers=(1, 3),
        state=64,
        transformer_mlp=264,
        hybrid_mlp=132,
    ),
    "tiny": Size(
        hidden=64,
        layers=2,
        query_heads=2,
        kv_heads=1,
        attention_layers=(1,),
        state=16,
        transformer_mlp=88,
        hybrid_mlp=44,
    ),
}


def build(
    arch: str,
    *,
    vocab: int,
    seed: int = 0,
    size: str = "base",
    bos: int | None = None,
    eos: int | None = None,
) -> PreTrainedModel:
    """A freshly drawn model of `arch` (transformer, mamba2, hybrid) in fp32; the same seed draws
    the same weights.

    There is no padding id: `transformers` would freeze the embedding of whatever token it names.
    Raises BadConfig.
    """
    if size not in SIZES:
        raise BadConfig(f"there is no model size {size!r}; there are {', '.join(SIZES)}")
    if vocab < 1:
        raise BadConfig(
            f"vocab={vocab}: a model needs a vocabulary of at least one token; give the "
            f"tokenizer's length"
        )
    for name, token in (("bos", bos), ("eos", eos)):
        if token is not None and not 0 <= token < vocab:
            raise BadConfig(
                f"{name}={token} is outside the vocabulary of {vocab} tokens; give an id from 0 to "
                f"{vocab - 1}, or none"
            )
    common = {
        "vocab_size": vocab,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": None,
        "tie_word_embeddings": True,
    }
    config = _config(arch, SIZES[size], common)
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        _draw_steps(model)
        recall(model)
    return model


def params(model: nn.Module) -> int:
    """Trainable numbers; tied embeddings count once."""
    return sum(p.numel() for p in model.parameters())


def _config(arch: str, size: Size, common: dict[str, Any]) -> Any:
    sizes = {
        **common,
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "initializer_range": INITIAL_STD,
        "max_position_embeddings": WINDOW_TOKENS,
    }
    attention = {
        "num_attention_heads": size.query_heads,
        "num_key_value_heads": size.kv_heads,
        "rope_theta": ROPE_THETA,
    }
    heads = 2 * size.hidden // size.head_dim
    if arch == "transformer":
        return LlamaConfig(
            **sizes,
            **attention,
            head_dim=size.head_dim,
            attention_bias=True,
            intermediate_size=size.transformer_mlp,
        )
    if arch == "mamba2":
        mamba = {
            "head_dim": size.head_dim,
            "num_heads": heads,
            "state_size": size.state,
            "n_groups": 1,
            "expand": 2,
            "use_bias": True,
        }
        return Mamba2Config(**sizes, **mamba, chunk_size=size.chunk_tokens)
    if arch == "hybrid":
        mamba = {
            "mamba_d_head": size.head_dim,
            "mamba_n_heads": heads,
            "mamba_d_state": size.state,
            "mamba_n_groups": 1,
        }
        return BambaConfig(
            **sizes,
            **attention,
            **mamba,
            mamba_expand=2,
            mamba_proj_bias=True,
            mamba_chunk_size=size.chunk_tokens,
            attn_layer_indices=list(size.attention_layers),
            intermediate_size=size.hybrid_mlp,
        )
    raise BadConfig(f"there is no architecture {arch!r}; there are {', '.join(ARCHITECTURES)}")


@torch.no_grad()
def _draw_steps(model: nn.Module) -> None:
    """The same first steps for every Mamba-2 layer, log-uniform in DT_RANGE.

    Bamba's class starts every step at softplus(1) = 1.3, with which a head forgets the token before
    last; in `mamba2` and `hybrid` alike the layers then start as the Mamba-2 paper's do.
    """
    low, high = torch.tensor(DT_RANGE).log()
    for name, bias in model.named_parameters():
        if name.endswith("dt_bias"):
            step = torch.exp(low + (high - low) * torch.rand(bias.shape))
            bias.copy_(step + torch.log(-torch.expm1(-step)))  # softplus of this is the step
