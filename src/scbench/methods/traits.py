"""What the runner must know of a stage before it runs: questions with an answer, in one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Answers that hold for a stage under its parameters; what it does not say is the usual.

    >>> Traits(is_rolling=True).has_own_cache
    True
    """

    # Of any stage.
    is_simulated: bool = False  # it masks where it should free
    uses_gold: bool = False  # it is told what the gold answers rest on: a ceiling, and no method
    has_foreign_code: bool = False  # it hands tensors to code that is not ours
    extra_passes: int = 0  # forwards over the context beyond the read

    # Of a generation.
    # Reading C and then Q densely equals reading C + Q in one go with this pattern on the rows of
    # C. If not, the runner reads C + Q at once where the protocol compresses after a first query.
    is_prefix_stable: bool = True
    is_rewriting: bool = False  # the model is shown only `kept_ranges` of the context
    leaves_nothing: bool = False  # nothing of the context is shown
    # It also says how what follows the context attends: `cache` then makes the stream's layers.
    # InfLLM does: questions and answers look up its block memory. A-shape does not.
    governs_decoding: bool = False

    # Of an eviction.
    has_uneven_heads: bool = False  # heads keep different numbers of slots
    # Ranks of different heads are on one scale: shares of attention, each summing to the same.
    has_comparable_ranks: bool = False
    is_rolling: bool = False  # it goes on evicting while tokens are appended
    # Its `cache` makes something else than stores of K and V and a plain tail: no codec and no
    # loading stage can build on it. So it is wherever it is rolling.
    has_own_cache: bool = False

    # Of a retrieval.
    is_pooled: bool = False  # requests go through a pool, and do not fork from their session's read
    is_blended: bool = False  # the context is put together from stored chunks

    # Of a tier.
    has_slow_tier: bool = False  # what a step reads is moved from there to the device

    # Of a selection.
    needs_even_layers: bool = False  # it can only work on layers that hold equally many slots

    def __post_init__(self) -> None:
        if self.is_rolling:
            object.__setattr__(self, "has_own_cache", True)


@dataclass(frozen=True, slots=True)
class Knob:
    """The parameter of a stage that sets how many bytes are held.

    `steps` are all its values, ascending, where these are few; it is a share otherwise.
    """

    parameter: str
    steps: tuple[object, ...] = ()
