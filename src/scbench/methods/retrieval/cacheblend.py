"""CacheBlend: stored chunks put side by side, and the tokens that know least of each other computed
anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.methods.budget import rounded, smallest_share
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.retrieval.blended_chunks import (
    Chunked,
    at_separator,
    by_units,
    largest_rows,
    no_piece_stays,
    rounded_pieces,
)
from scbench.tensors import Tensor, torch

OWN_RATIO = Fraction(3, 20)
STEEPNESS = Fraction(
    1, 5
)  # gradual filtering: the first filtered layer computes a fifth more than the mean, the last a fifth less
LEAST_CHUNK, MOST_CHUNK = 32, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBlend(Chunked):
    """The context is cut into chunks whose caches are found by content and re-rotated to where they
    stand now; the share `ratio` is recomputed.

    Source: CacheBlend (arXiv 2405.16444). Layers up to `check_layer` are computed for all tokens;
    after it the tokens whose K and V differ most from the stored ones go on (filtering=gradual:
    fewer from layer to layer, `ratio` on average; once: chosen at the check layer alone), and what
    they compute replaces what was stored. The paper gives no schedule for the filtering; ours falls
    linearly from 6/5 to 4/5 of the ratio.

    `stored` is the workload. alone: every chunk was read by itself, after the context's first
    `lead_tokens` tokens (the paper). reordered: an earlier request had the same chunks in another
    order (`seed`), and its read filled the pool: documents that come back in other orders.
    `chunk_tokens` 0 means a sixteenth of the context as a power of two in 32..256; chunks end with
    text units. `separator` cuts documents at a text instead (write \\n for a line break). `tau` is
    another word for `ratio`, as all methods have it.
    """

    ratio: Fraction | None = None
    tau: Fraction | None = None
    chunk_tokens: int = 0
    check_layer: int = 1
    filtering: Literal["gradual", "once"] = "gradual"
    deviation: Literal["kv", "v"] = "kv"
    stored: Literal["alone", "reordered"] = "alone"
    lead_tokens: int = 1
    separator: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ratio is not None and self.tau is not None:
            raise Mismatch(
                f"cacheblend was given ratio={self.ratio} and tau={self.tau}, two words for one "
                f"share; give one of them"
            )
        if not 0 <= self.share <= 1 or self.tau == 0:
            raise Mismatch(
                f"{self}: the share that is recomputed lies in [0, 1], for instance ratio=0.15; "
                f"tau lies in (0, 1]"
            )
        if min(self.chunk_tokens, self.check_layer, self.lead_tokens) < 0 or self.chunk_tokens == 1:
            raise Mismatch(
                f"{self}: chunk_tokens is 0 (chosen by the length) or at least 2, check_layer and "
                f"lead_tokens at least 0"
            )

    @property
    def share(self) -> Fraction:
        """Part of the context's tokens recomputed, mean over the layers after the check layer."""
        given = self.ratio if self.tau is None else self.tau
        return OWN_RATIO if given is None else given

    def lossless(self, tokens: int) -> Self:
        return replace(self, ratio=Fraction(1), tau=None)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if shape.has_states:
            raise Mismatch(
                f"{self}: a recurrent state covers all tokens it has seen, so the states of chunks "
                f"read apart cannot be put together; use dense"
            )
        layers, chunk = len(shape.attention_layers), self.chunk(tokens)
        if layers <= self.check_layer + 1:
            raise Mismatch(
                f"{self} computes layers 0..{self.check_layer} in full, and this model has "
                f"{layers}: nothing would be saved"
            )
        if self.share and not rounded(self.share * tokens):
            raise Mismatch(
                f"{self} recomputes none of {tokens:,} tokens; the smallest ratio is "
                f"{smallest_share(1, tokens)}, or 0 for none"
            )
        least = 3 if self.order_matters else 2
        if not self.separator and rounded_pieces(tokens, chunk) < least:
            raise Mismatch(
                f"{self}: {tokens:,} tokens are fewer than {least} chunks of {chunk}, and one "
                f"chunk is not blended; use a longer context, or chunk_tokens={max(2, tokens // 8)}"
            )

    @property
    def order_matters(self) -> bool:
        return self.stored == "reordered"

    @property
    def kept_as(self) -> str:
        cut = self.separator or self.chunk_tokens
        return (
            f"reordered {cut!r} {self.seed}"
            if self.order_matters
            else f"alone after {self.lead_tokens}"
        )

    def chunk(self, tokens: int) -> int:
        """Tokens of a chunk: as given, or clip(pow2(T / 16), 32, 256)."""
        return self.chunk_tokens or min(
            MOST_CHUNK, max(LEAST_CHUNK, 1 << max(0, (tokens // 16).bit_length() - 1))
        )

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        return {} if self.separator else {"chunk_tokens": self.chunk(tokens)}

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        is_open = not self.separator and not self.chunk_tokens
        return replace(self, chunk_tokens=self.chunk(tokens)) if is_open else self

    def borders(self, texts: Sequence[str]) -> list[int]:
        separator = self.separator.replace("\\n", "\n")
        found = (
            at_separator(texts, separator) if separator else by_units(texts, self.chunk(len(texts)))
        )
        if not found:
            why = (
                f"the context does not hold {separator!r}"
                if separator
                else f"{len(texts):,} tokens are one chunk"
            )
            raise Mismatch(f"{self}: {why}, and one chunk is not blended")
        return found

    def order(self, pieces: int) -> list[int] | None:
        return no_piece_stays(pieces, self.seed) if self.order_matters else None

    @property
    def writes(self) -> bool:
        return self.share > 0

    def rows_at(self, layer: int, *, layers: int, tokens: int) -> int:
        if not self.writes:
            return 1
        if layer <= self.check_layer:
            return tokens
        filtered, at = layers - self.check_layer - 1, layer - self.check_layer - 1
        share = self.share
        if self.filtering == "gradual" and filtered > 1:
            slope = min(
                STEEPNESS, (1 - share) / share
            )  # never more than all, so the mean stays `share`
            share *= 1 + slope * (1 - Fraction(2 * at, filtered - 1))
        return min(tokens, max(1, rounded(share * tokens)))

    def best(self, k_gap_N: Tensor, v_gap_N: Tensor, rows: int) -> Tensor:
        return largest_rows(v_gap_N if self.deviation == "v" else k_gap_N + v_gap_N, rows)

    def invariants(self) -> Invariants:
        return {
            "as many rows are computed as were asked for": self._computes_its_share,
            "the rows that differ most from what was stored go on": self._computes_the_worst,
            "what is computed in full is what a dense read makes": self._keeps_what_it_computes,
        }

    def _computes_its_share(self, trial: Trial) -> str:
        rows = [len(at) for at in trial.blended.rows]
        later = rows[self.check_layer + 1 :]
        mean, wanted = sum(later) / len(later), max(1.0, float(self.share * trial.tokens))
        if self.writes and abs(mean - wanted) > 1:
            return f"{mean:.1f} rows a layer are computed, and {wanted:.1f} were asked for"
        return ""

    def _computes_the_worst(self, trial: Trial) -> str | None:
        """At the check layer all rows are a dense read's, so what differs is known from outside."""
        if not self.writes:
            return None
        at = self.check_layer
        gaps_T = torch.zeros(trial.tokens)
        sides = zip(trial.blended.dense[at], trial.blended.stored[at], strict=True)
        for (dense, stored), is_value in zip(sides, (False, True), strict=True):
            if is_value or self.deviation == "kv":
                gaps_T += (dense - stored).square().sum(dim=(0, 2))
        gaps_T[-1] = float("inf")
        computed = trial.blended.rows[at + 1].tolist()
        least = float(gaps_T[computed].min())
        others = sorted(set(range(trial.tokens)) - set(computed))
        most = float(gaps_T[others].max()) if others else 0.0
        if most <= least * 1.01 + 1e-4:
            return ""
        return f"a row that differs by {most:.3g} is left, and one by {least:.3g} computed"

    def _keeps_what_it_computes(self, trial: Trial) -> str | None:
        if not self.writes:
            return None
        for layer in range(self.check_layer + 1):
            for name, dense, mixed in zip(
                ("keys", "values"),
                trial.blended.dense[layer],
                trial.blended.mixed[layer],
                strict=True,
            ):
                apart = float((dense - mixed).abs().max())
                if apart > 1e-3:
                    return f"{name} of layer {layer} are {apart:.3g} off"
        return ""
