"""What a model holds and needs, from the words of its public config.json alone. No torch: `scbench
list models` is instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BYTES = 2  # of a bf16 number; weights, K and V are kept in it on a GPU
STATE_BYTES = 4  # `transformers` keeps recurrent states in fp32 whatever the model's dtype
GIB = 1 << 30
LONG_TOKENS = 1 << 17  # the paper's length
CARDS_GIB = (24, 48, 80, 141, 192)  # memory of the GPUs one can rent, small to large
SHARED_CARD_GIB, SHARED_BY = 80, (2, 4, 8)
HEADROOM = 1.1  # activations of a read in chunks, and what an allocator cannot use

TRANSFORMER, RECURRENT, HYBRID = "transformer", "gated linear RNN", "SSM-attention hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Llm:
    """A model with a short name. `config` holds the words of its config.json that set sizes and
    positions; `params` is counted from them by a test.
    """

    name: str
    hub: str
    category: str
    architecture: str  # configuration class in `transformers`
    params: int
    template: str  # kind of chat template, and whether the tokenizer brings it
    config: Mapping[str, Any] = field(default_factory=dict)
    window_tokens: int  # as the checkpoint stands
    longer: Mapping[str, Any] = field(
        default_factory=dict
    )  # the rope_scaling its authors give for a longer window
    note: str = ""

    @property
    def longest_tokens(self) -> int:
        """The window with the authors' own extension, if there is one."""
        return int(self.longer.get("factor", 1) * self.window_tokens)

    @property
    def attention_layers(self) -> int:
        if self.category == RECURRENT:
            return 0
        layers: int = self.config["num_hidden_layers"]
        return (
            layers if self.category == TRANSFORMER else layers // self.config["attn_layer_period"]
        )

    @property
    def weights_bytes(self) -> int:
        return BYTES * self.params

    @property
    def token_bytes(self) -> int:
        """K and V of one token over all attention layers: 2 L Hk d e."""
        if not self.attention_layers:
            return 0
        heads: int = self.config["num_attention_heads"]
        dim = self.config.get("head_dim") or self.config["hidden_size"] // heads
        return (
            2 * self.attention_layers * int(self.config["num_key_value_heads"]) * int(dim) * BYTES
        )

    @property
    def state_bytes(self) -> int:
        """All recurrent states, whatever was read: the window of each convolution in bf16, and the
        state proper in fp32.
        """
        words = self.config
        if (
            self.category == RECURRENT
        ):  # Mamba-2: x, B and C go through the convolution; a state per head
            inner = words["num_heads"] * words["head_dim"]
            wide, deep, layers = (
                inner + 2 * words["n_groups"] * words["state_size"],
                inner,
                words["num_hidden_layers"],
            )
            return int(
                layers
                * (wide * words["conv_kernel"] * BYTES + deep * words["state_size"] * STATE_BYTES)
            )
        if (
            self.category == HYBRID
        ):  # Mamba-1: only x goes through the convolution; a state per channel
            inner, layers = (
                words["mamba_expand"] * words["hidden_size"],
                words["num_hidden_layers"] - self.attention_layers,
            )
            return int(
                layers
                * inner
                * (words["mamba_d_conv"] * BYTES + words["mamba_d_state"] * STATE_BYTES)
            )
        return 0

    def cache_bytes(self, tokens: int) -> int:
        """The full cache of one stream of `tokens` tokens."""
        return self.token_bytes * tokens + self.state_bytes

    @property
    def long_tokens(self) -> int:
        """128K, or all the model can hold if that is less."""
        return min(LONG_TOKENS, self.longest_tokens)

    @property
    def needed_gib(self) -> float:
        """Weights and the full cache of one long context, with headroom; methods that hold less,
        and other streams' tails, come on top or off.
        """
        return HEADROOM * (self.weights_bytes + self.cache_bytes(self.long_tokens)) / GIB

    @property
    def gpus(self) -> str:
        """The smallest usual card that takes it alone, or how many of the shared kind (the local
        engine uses one: then for an endpoint).
        """
        for card in CARDS_GIB:
            if self.needed_gib <= card:
                return f"one of {card} GB"
        count = next(count for count in SHARED_BY if self.needed_gib <= count * SHARED_CARD_GIB)
        return f"{count} of {SHARED_CARD_GIB} GB"
