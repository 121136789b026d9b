"""Which sparse pattern keeps most of each head's attention: one dense read of a sample text, a
table of patterns per head out.
"""

from __future__ import annotations

from collections.abc import Sequence

from scbench.engines.local import LocalEngine
from scbench.errors import Mismatch
from scbench.methods.budget import DEFAULT_SHARE, rounded
from scbench.methods.generation.minference_patterns import Table
from scbench.methods.generation.minference_search import LEAST_BUDGET_TOKENS, Probe


def search_patterns(
    engine: LocalEngine, ids: Sequence[int], *, budget_tokens: int | None = None
) -> Table:
    """For every query head the candidate that keeps the most attention of `ids`, with that share as
    its score.

    After the search of MInference (arXiv 2407.02490). Ours compares candidates that see equally
    many keys a row (default: 1/32 of the tokens), scores rows drawn evenly from the second half,
    and writes down what it found; the published search renames A-shape and block-sparse winners.
    """
    tokens = len(ids)
    budget = (
        max(LEAST_BUDGET_TOKENS, rounded(DEFAULT_SHARE * tokens))
        if budget_tokens is None
        else budget_tokens
    )
    if budget < LEAST_BUDGET_TOKENS or 2 * budget > tokens:
        raise Mismatch(
            f"patterns of {budget:,} keys a row cannot be told apart on {tokens:,} tokens; at "
            f"least {LEAST_BUDGET_TOKENS} keys and twice as many tokens are needed: give a text of "
            f"{max(2 * LEAST_BUDGET_TOKENS, 2 * budget):,} tokens or more"
        )
    if not engine.facts.shape.attention_layers:
        raise Mismatch(
            f"{engine.facts.name} has no attention layers, so its heads have no patterns"
        )
    probe = Probe(budget)
    engine.read(ids, pattern=probe)
    return [probe.found[layer] for layer in sorted(probe.found)]
