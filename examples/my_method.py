"""A method of one's own beside ours: every second token, and the newest."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

import scbench
from scbench.kv import LayerView
from scbench.methods.contract import Eviction

MODEL = "toy"  # or "lab-transformer": minutes, and it can lose


@dataclass(frozen=True, slots=True, kw_only=True)
class Strided(Eviction):
    """Keep the newest slots, and of the others first each `stride`-th, evenly over the text."""

    stride: int = 4
    recent_tokens: int = 8

    def rank(self, view: LayerView) -> Tensor:
        heads, tokens = view.k_HSD.shape[:2]
        at = torch.arange(tokens)
        scores = (at % self.stride == 0).float()
        scores[tokens - self.recent_tokens :] = float("inf")  # always kept
        return scores.expand(heads, tokens).clone()


if __name__ == "__main__":
    result = scbench.run(
        model=MODEL,
        tasks="kv",
        methods=["dense", Strided(tau=Fraction(1, 4)), "snapkv[tau=1/4]", "streaming-llm[tau=1/4]"],
        length="512",
        sessions=2,
        turns=3,
        cost_sessions=0,
        out="runs/my-method",
        quiet=True,
    )
    for row in result.scores().filter(task="Overall").iter_rows(named=True):
        print(f"{row['mode']:14} {row['method']:30} {100 * row['strict']:5.1f}")
    print("the laws: scbench doctor 'examples/my_method.py:Strided[tau=1/4]'")
