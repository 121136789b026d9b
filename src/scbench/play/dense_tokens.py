"""What dense says next at every token of a gold answer, and how far from it a method's stream is.

Kept of dense are its `KEPT` likeliest next tokens and one bucket for all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

KEPT = 64
LEAST_MASS = 1e-12  # of the bucket for all other tokens: a divergence stays finite


@dataclass(frozen=True, slots=True)
class DenseTokens:
    """Dense's distribution of the next token at T places: (T, K) ids and log-probabilities, the
    likeliest first, and what is left for all other tokens, (T,)."""

    ids_TK: Tensor
    logps_TK: Tensor
    others_T: Tensor

    @classmethod
    def of(cls, logps_TV: Tensor) -> DenseTokens:
        """What is kept of log-probabilities over the whole vocabulary."""
        top = logps_TV.double().topk(min(KEPT, logps_TV.shape[1]), dim=1)
        ids_TK = top.indices.to(torch.int32).cpu()
        logps_TK = top.values.float().cpu()
        is_whole = logps_TV.shape[1] <= KEPT
        others_T = torch.zeros(len(ids_TK)) if is_whole else _others(logps_TK).float()
        return cls(ids_TK, logps_TK, others_T)

    def divergence(self, logps_TV: Tensor) -> float:
        """KL(dense || method) in nats, mean over the places; `logps_TV` are the method's.

        Over the kept tokens and the one bucket, which makes it a lower bound of the whole.
        """
        theirs_TK = logps_TV.cpu().double().gather(1, self.ids_TK.long())
        ours_TK = self.logps_TK.double()
        kept_T = (ours_TK.exp() * (ours_TK - theirs_TK)).sum(dim=1)
        mass_T = self.others_T.double()
        theirs_T = _others(theirs_TK)
        rest_T = mass_T * (mass_T.clamp_min(LEAST_MASS).log() - theirs_T.log())
        return max(0.0, float((kept_T + rest_T).mean()))

    def agreement(self, logps_TV: Tensor) -> float:
        """Share of the places where the method's likeliest token is dense's."""
        likeliest_T = logps_TV.argmax(dim=1).cpu()
        return float((likeliest_T == self.ids_TK[:, 0].long()).double().mean())


def _others(logps_TK: Tensor) -> Tensor:
    """The probability that is left beside these, (T,), never quite nothing."""
    return (1 - logps_TK.double().exp().sum(dim=1)).clamp_min(LEAST_MASS)
