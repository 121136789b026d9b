"""How large the units of a method are: pages, blocks, clusters, pooling, voting rows, static zones.

One rule for all methods, in arithmetic on lengths and budgets alone: nothing here can see a turn, a
gold answer or the name of a task, and a test of imports holds that. `docs/units.md` has the rule in
words and what it gives, method by method; a test compares that table with this file.

Published sizes were chosen for budgets of thousands of tokens. Sixteen slots to a page are 1/256 of
Quest's 4,096, and a quarter of 64: kept literally on a short context they measure the grain of the
unit, not the method. So a unit shrinks with the context and with its budget, and never grows beyond
the size its paper chose.
"""

from __future__ import annotations

from fractions import Fraction

TEXT_PARTS = 128  # a unit is about this part of the context
BUDGET_UNITS = 16  # a budget holds at least as many units
LEAST_UNIT = 2

PAGE, BLOCK, CLUSTER = 16, 128, 16  # the papers' sizes: Quest; sparse prefill, InfLLM; RetroInfer
KERNEL = 7  # slots that votes are pooled over, with POOLING: SnapKV's and Ada-KV's own on LongBench
POOLING = "max"
VOTING_ROWS = 32  # SnapKV
ESTIMATE_ROWS = 64  # MInference
REPRESENTATIVES = 4  # InfLLM
BUDGET_SHARE_OF_ROWS = 8  # voting rows take at most 1/8 of a budget, and so does a local window


def rounded(x: Fraction) -> int:
    """floor(x + 1/2): no banker's rounding, no floats."""
    return int(x + Fraction(1, 2))


def power_below(x: int) -> int:
    """The largest power of two up to x; 1 below 1.

    >>> [power_below(x) for x in (0, 1, 3, 4, 31)]
    [1, 1, 2, 4, 16]
    """
    return 1 << max(0, x.bit_length() - 1)


def power_near(x: Fraction) -> int:
    """The power of two nearest to x, the larger of two; 1 below 1.5.

    >>> [power_near(Fraction(tokens, 128)) for tokens in (100, 256, 451, 512, 767, 768)]
    [1, 2, 4, 4, 4, 8]
    """
    low = power_below(int(x))
    return 2 * low if 2 * x >= 3 * low else low


def unit(*, tokens: int, budget: int, most: int) -> int:
    """Slots of a page, block or cluster: near min(T / 128, K / 16), within 2 .. `most`.

    A budget of K slots holds at least 16 units; below 32 slots it holds K / 2.

    >>> [unit(tokens=tokens, budget=tokens // 8, most=16) for tokens in (128, 512, 2048, 131072)]
    [2, 4, 16, 16]
    """
    near = min(power_near(Fraction(tokens, TEXT_PARTS)), power_below(budget // BUDGET_UNITS))
    return min(most, max(LEAST_UNIT, near))


def stride_of(block: int) -> int:
    """XAttention's stride for its block: a sixteenth of it, within 2 .. 8."""
    return min(8, max(2, block // 16))


def voting_rows(*, budget: int, most: int = VOTING_ROWS, question_tokens: int | None = None) -> int:
    """Rows that vote: those of the question where it has been read, else K / 8; `most` at most.

    Voters stay in the cache, so a question's rows take at most half the budget.

    >>> voting_rows(budget=128), voting_rows(budget=128, question_tokens=6)
    (16, 6)
    """
    if question_tokens is not None:
        return max(1, min(most, question_tokens, budget // 2))
    return max(1, min(most, budget // BUDGET_SHARE_OF_ROWS))


# -- static zones: each its paper's share of the budget ------------------------------------------


def sinks(budget: int) -> int:
    """First slots of streaming-llm, a-shape and retrieval-attention: 128 of 4,096, 4 at least."""
    return max(4, rounded(Fraction(budget, 32)))


def dense_rows(budget: int) -> int:
    """Last rows of tri-shape, which its budget does not pay for: 128 of 4,096.

    At least 32, whatever the budget: they are there to hold a question.
    """
    return max(32, rounded(Fraction(budget, 32)))


def columns(budget: int) -> int:
    """MInference's columns, a fifth of its budget; the rest are diagonals."""
    return max(4, rounded(Fraction(budget, 5)))


def recent_of_search(budget: int) -> int:
    """Last slots of retrieval-attention: 512 of some 4,700, 4 at least."""
    return max(4, rounded(Fraction(budget, 8)))


def recent_of_clusters(budget: int) -> int:
    """Last slots of RetroInfer's steady zone: an eighth of the budget, 64 at most."""
    return min(64, budget // BUDGET_SHARE_OF_ROWS)


def streaming_head(budget: int) -> tuple[int, int]:
    """(sink, recent) of DuoAttention's streaming heads: an eighth of the budget in 8 .. 320."""
    window = min(320, max(8, rounded(Fraction(budget, BUDGET_SHARE_OF_ROWS))))
    sink = max(4, rounded(Fraction(window, 5)))
    return sink, window - sink


def infllm_ends(budget: int) -> tuple[int, int]:
    """(init, local) of InfLLM, in the proportions of 128 : 4,096 : 2,048 for its blocks."""
    return max(4, rounded(Fraction(budget, 48))), rounded(Fraction(65 * budget, 100))


def representatives(block: int) -> int:
    """InfLLM's representative keys of a block: its own four, or all of a smaller block.

    A quarter of the block, one key of four, stood for nothing but itself: 62 against 100 per cent
    of the pairs of a lab context (docs/decisions/0084-units.md).
    """
    return min(REPRESENTATIVES, block)
