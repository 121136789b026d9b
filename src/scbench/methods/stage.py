"""What every stage has, and what those with a token budget have; `contract.py` has the stages
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Self

from scbench.errors import BadConfig, Mismatch
from scbench.kv import CacheShape
from scbench.methods import spelling
from scbench.methods.budget import DEFAULT_SHARE, rounded, smallest_share
from scbench.methods.described import house_card, mend_super
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Knob, Traits
from scbench.types import NOT_BINDING

WINDOW = "window"  # the last 64 queries after RoPE
COLUMN_SUMS = "column-sums"  # attention received by every key over all rows
QUERY_MOMENTS = "query-moments"  # mean and scatter of the queries before RoPE
# most attention every key received while the model repeated its own context: one more pass
REPEAT_SCORES = "repeat-scores"
HEAD_GATES = "head-gates"  # how far back each KV head looks, from the model alone
# the model's RoPE, of angles fixed per position, so that keys can be moved; nothing is observed for
# it
ROTATION = "rotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every stage has. Subclasses are frozen keyword-only dataclasses.

    Their fields are the method's parameters. What people should know of a class that has no card
    stands in class attributes of the names in `card.py`: category, about, paper ...

    >>> from scbench.methods import parse
    >>> snapkv = parse("snapkv[tau=1/4]").eviction
    >>> snapkv.stage, snapkv.name, sorted(snapkv.needs)
    ('compression', 'snapkv', ['window'])
    """

    name: ClassVar[str] = ""  # on the command line
    stage: ClassVar[str] = ""
    role: ClassVar[str] = ""  # its kind in the table of pairs (`pairs.py`)
    needs: ClassVar[frozenset[str]] = frozenset()  # what must be observed during the read
    traits: ClassVar[Traits] = Traits()
    knob: ClassVar[Knob | None] = None  # None: nothing changes how many bytes are held
    _unit_fields: ClassVar[tuple[str, ...]] = ()  # parameters that the rule of units sets if None
    # Which preset it was made from. That is how it is written, not what it is: equal parameters
    # are equal stages.
    preset: str = field(default="", repr=False, compare=False)

    def __init_subclass__(cls) -> None:
        """Give a class of ours the name on its card (`cards/`)."""
        mend_super(cls)
        card = house_card(cls)
        if card is not None:
            cls.name = card.name

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        """Raise Mismatch if this stage cannot work on `tokens` tokens of this model; called before
        anything is computed.
        """

    def lossless(self, tokens: int) -> Self:
        """This stage with a budget, or bits, that lose nothing of `tokens` tokens: it must then
        equal dense (law 1).
        """
        return self

    def parts(self) -> tuple[Stage, ...]:
        """This stage and those it is made of: its answers depend on the source of all."""
        return (self,)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        """The sizes that are in force on `tokens` tokens, by the name of the parameter that sets
        them (docs/units.md). `question_tokens` of them are a question; None: not known."""
        return {}

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        """This stage with the units that the rule gives on `tokens` tokens spelled out."""
        if not self._unit_fields:
            return self
        sizes = self.units(shape=shape, tokens=tokens)
        is_open = {
            name: getattr(self, name) is None and name in sizes for name in self._unit_fields
        }
        spelled: dict[str, Any] = {name: sizes[name] for name in self._unit_fields if is_open[name]}
        return replace(self, **spelled)

    def coarse(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        """A note for each unit that was spelled out and is larger than the rule would have it: on
        so short a context it does not mean what its paper means."""
        given = [name for name in self._unit_fields if getattr(self, name) is not None]
        if not given:
            return ()
        ruled = self._under_rule(tokens).units(shape=shape, tokens=tokens)
        sizes = self.units(shape=shape, tokens=tokens)
        return tuple(
            f"literal_unit_too_coarse={self.name}.{name}:{sizes[name]}>{ruled[name]}"
            for name in given
            if name in sizes and name in ruled and sizes[name] > ruled[name]
        )

    def _under_rule(self, tokens: int) -> Self:
        """This stage with its units left to the rule, at the same budget."""
        left_open: dict[str, Any] = dict.fromkeys(self._unit_fields)
        return replace(self, **left_open)

    def invariants(self) -> Invariants:
        """What it promises beyond the laws of all methods: checks by what they say, which `scbench
        doctor` plays (`invariants.py`)."""
        return {}

    def data_digest(self) -> str:
        """SHA-256 of the files this stage reads, where its parameters name any: part of a cell's
        identity.
        """
        return ""

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        """What a reader of the numbers should know of this stage on `tokens` tokens of this model;
        each record carries it.
        """
        return ()

    def __str__(self) -> str:
        return spelling.spell(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeted(Stage):
    """A stage with a token budget per KV head, given as a share `tau` of the tokens it acts on or
    as `budget_tokens`, not both.
    """

    tau: Fraction | None = None
    budget_tokens: int | None = None
    minimum_tokens: ClassVar[int] = 1

    def __post_init__(self) -> None:
        name = self.name or type(self).__name__
        if self.tau is not None and self.budget_tokens is not None:
            raise Mismatch(
                f"{name} was given tau={self.tau} and budget_tokens={self.budget_tokens}; give one "
                f"of them"
            )
        if self.tau is not None and not isinstance(self.tau, int | float | Fraction):
            raise BadConfig(
                f"{name}(tau={self.tau!r}): a share is a number; in Python write Fraction(1, 8)"
            )
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"{name}[tau={self.tau}]: a share lies in (0, 1]; for instance tau=1/8")
        if self.budget_tokens is not None and self.budget_tokens < self.minimum_tokens:
            raise Mismatch(
                f"{name}[budget_tokens={self.budget_tokens}]: at least {self.minimum_tokens} "
                f"tokens are needed"
            )

    def own_tokens(self) -> int | None:
        """The budget of the method's own parameters where neither tau nor budget_tokens is given;
        None where those are not given either.
        """
        return None

    def budget(self, tokens: int) -> int:
        """K, slots to keep (or to read) per KV head out of `tokens`: floor(tau T + 1/2), as an
        exact rational. Nothing given at all means DEFAULT_SHARE.
        """
        if self.tau is None and (own := self.budget_tokens or self.own_tokens()):
            return own
        if self.tau is None:
            return max(self.minimum_tokens, rounded(DEFAULT_SHARE * tokens))
        return rounded(self.tau * tokens)

    @property
    def _has_budget(self) -> bool:
        """Whether tau or budget_tokens was given: sizes of its own are then not in force."""
        return self.tau is not None or self.budget_tokens is not None

    def coarse(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        own = None if self._has_budget else self.own_tokens()
        if own is not None and own >= tokens:
            return () if self.stage == "compression" else (NOT_BINDING,)  # an eviction says so
        return super().coarse(shape=shape, tokens=tokens)

    def _check_unit(self, name: str, size: int, *, units: int, tokens: int, budget: int) -> None:
        """Raise Mismatch where a unit that was spelled out leaves a budget less than it needs."""
        if budget >= tokens or budget >= units * size:
            return
        share = smallest_share(min(units * size, tokens), tokens)
        raise Mismatch(
            f"{self}: a budget of {budget:,} of {tokens:,} tokens holds {budget // size} of "
            f"{name}={size}, and needs {units}; leave {name} out, or use tau={share} "
            f"(about {float(share):.4f}) or more"
        )

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, budget_tokens=max(tokens, self.minimum_tokens))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        budget, minimum = self.budget(tokens), min(self.minimum_tokens, tokens)
        if budget < minimum:
            least = smallest_share(minimum, tokens)
            raise Mismatch(
                f"{self} allows {budget} of {tokens:,} tokens, below its minimum of "
                f"{self.minimum_tokens}; the smallest share for this length is tau={least} (about "
                f"{float(least):.4f})"
            )
