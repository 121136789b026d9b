"""A method: one choice for each of the four stages of a cache's life, and what they make
together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerShape
from scbench.methods.contract import (
    Codec,
    Compression,
    Dense,
    Eviction,
    Generation,
    LoadAll,
    OnDevice,
    OwnSession,
    Placing,
    Retrieval,
    Selection,
    Stage,
    is_default,
)
from scbench.methods.foreign import ForeignMethod
from scbench.methods.origin import Origin, origin_of, shown_name, written_name
from scbench.methods.pairs import refusal
from scbench.methods.spelling import preset_sizes, spell


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What happens to a KV cache from birth to use. Its `str` is its identity: non-default stages
    joined by `+`, or `dense`.

    >>> from scbench.methods import parse
    >>> method = parse("kivi[bits=2]+snapkv[tau=1/4]")
    >>> str(method), method.eviction.name, method.codec.bits
    ('snapkv[tau=1/4]+kivi', 'snapkv', 2)
    >>> str(Method())
    'dense'
    """

    generation: Generation = Dense()  # noqa: RUF009  (frozen, without fields)
    compression: tuple[Compression, ...] = ()
    retrieval: Retrieval = OwnSession()  # noqa: RUF009  (frozen, without fields)
    loading: Selection = LoadAll()  # noqa: RUF009  (frozen, without fields)
    tier: Placing = OnDevice()  # noqa: RUF009  (frozen, without fields)
    labels: tuple[tuple[str, str], ...] = ()  # (how a stage is shown, what the user calls it)
    foreign: ForeignMethod | None = None  # somebody's own object in place of the four stages
    eviction: Eviction | None = field(init=False, default=None, repr=False)
    codec: Codec | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.foreign is not None and self.chosen:
            beside = replace(self, foreign=None)
            raise Mismatch(
                f"{self.foreign} is an object of its own, whose cache nobody else sees; it is "
                f"joined with nothing: leave {beside} out"
            )
        of_role = {stage.role: stage for stage in self.compression}
        eviction: Any = of_role.get("eviction")
        object.__setattr__(self, "eviction", eviction)
        object.__setattr__(self, "codec", of_role.get("codec"))
        reading = None if eviction is None else eviction.reading
        if reading is not None and isinstance(self.generation, (Dense, type(reading))):
            object.__setattr__(self, "generation", reading)
        why = refusal(self.chosen)
        if why is not None:
            raise Mismatch(why)
        # One order, one spelling.
        order = {"eviction": 0, "": 1, "codec": 2}
        ordered = sorted(self.compression, key=lambda stage: order[stage.role])
        object.__setattr__(self, "compression", tuple(ordered))

    def lossless(self, tokens: int) -> Method:
        """Every stage at its lossless setting for `tokens` tokens."""
        return Method(
            generation=self.generation.lossless(tokens),
            compression=tuple(stage.lossless(tokens) for stage in self.compression),
            retrieval=self.retrieval.lossless(tokens),
            loading=self.loading.lossless(tokens),
            tier=self.tier.lossless(tokens),
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        return (self.generation, *self.compression, self.retrieval, self.loading, self.tier)

    @property
    def chosen(self) -> tuple[Stage, ...]:
        """The stages that it is spelled by: those that are no default. A reading that comes with
        its eviction is not one of them."""
        reading = None if self.eviction is None else self.eviction.reading
        comes_along = reading is not None and type(self.generation) is type(reading)
        spelled = self.stages[1:] if comes_along else self.stages
        return tuple(stage for stage in spelled if not is_default(stage))

    @property
    def reads_all(self) -> bool:
        """Whether a step reads the whole store, where the model is."""
        return is_default(self.loading) and is_default(self.tier)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(stage.needs for stage in self.stages))

    @property
    def is_simulated(self) -> bool:
        return any(stage.traits.is_simulated for stage in self.stages)

    @property
    def extra_passes(self) -> int:
        return sum(stage.traits.extra_passes for stage in self.stages)

    def __str__(self) -> str:
        labels = dict(self.labels)
        return self._joined(lambda cls: labels.get(shown_name(cls)) or shown_name(cls))

    @property
    def spelling(self) -> str:
        """What `parse` reads back to an equal method: files with their paths, and labels."""
        labels = {name: f"{label}=" for name, label in self.labels}

        def written(cls: type) -> str:
            return labels.get(shown_name(cls), "") + written_name(cls)

        return self._joined(written)

    @property
    def resolved(self) -> str:
        """The spelling with what presets stand for written out."""
        return str(
            replace(
                self,
                generation=replace(self.generation, preset=""),
                compression=tuple(replace(stage, preset="") for stage in self.compression),
                retrieval=replace(self.retrieval, preset=""),
                loading=replace(self.loading, preset=""),
                tier=replace(self.tier, preset=""),
            )
        )

    def _joined(self, name: Callable[[type], str]) -> str:
        if self.foreign is not None:
            return self.foreign.spelled(self.foreign.name or name(self.foreign.kind))
        return "+".join(spell(stage, name(type(stage))) for stage in self.chosen) or "dense"

    @property
    def is_foreign(self) -> bool:
        """Whether somebody's own object answers, and no stage of ours."""
        return self.foreign is not None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where its stages, and what these are made of, come from; the default ones left out."""
        return tuple(dict.fromkeys(map(origin_of, self.classes)))

    @property
    def classes(self) -> tuple[type, ...]:
        """The classes that its answers depend on."""
        parts = tuple(type(part) for part in self.parts)
        return parts if self.foreign is None else (*parts, self.foreign.kind)

    @property
    def parts(self) -> tuple[Stage, ...]:
        """Its stages, and what these are made of."""
        return tuple(part for stage in self.stages for part in stage.parts())

    @property
    def is_ours(self) -> bool:
        """Whether no code of somebody else's touches the cache; if some does, it is watched."""
        return all(origin_of(cls).is_ours for cls in self.classes) and not any(
            part.traits.has_foreign_code for part in self.parts
        )

    @property
    def source_digest(self) -> str:
        """SHA-256 over the source behind its stages and the files they read: edited code never
        meets old answers."""
        seal = hashlib.sha256()
        for cls in self.classes:
            seal.update(origin_of(cls).digest.encode())
        for part in self.parts:
            seal.update(part.data_digest().encode())
        return seal.hexdigest()

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        """Raise Mismatch, before anything is computed, if this method cannot work on `tokens`
        tokens of this model.
        """
        if self.is_foreign:
            return  # what it can take is its own affair
        beside = (
            replace(self, generation=Dense()) if self.generation.traits.is_rewriting else self
        )  # a shorter text is read by any model
        acted = shape.acted_on(tokens)
        if not acted.attention_layers and str(beside) != "dense":
            what = "window" if shape.attention_layers else "recurrent state"
            raise Mismatch(
                f"{self} works on attention layers that hold every token, and this model has none "
                f"at {tokens:,} tokens; its {what} is what it is: use dense or a shorter prompt"
            )
        for stage in (
            self.generation,
            self.retrieval,
            *(stage for stage in self.compression if stage is not self.codec),
        ):
            stage.check(shape=acted, tokens=tokens)
        layers = len(acted.attention_layers)
        left = {self._kept_slots(layer, layers, tokens) for layer in range(layers)}
        if len(left) > 1 and self.loading.traits.needs_even_layers:
            raise Mismatch(
                f"{self.loading} shares one budget out between layers of equally many slots, and "
                f"{self.eviction} leaves them {min(left):,} to {max(left):,}; take an eviction "
                f"that leaves all layers the same, or a budget for each layer by itself (quest: "
                f"count_exempt=no)"
            )
        for slots in sorted(left):  # a codec and a loading get what an eviction leaves
            for stage in (*((self.codec,) if self.codec else ()), self.loading, self.tier):
                stage.check(shape=acted, tokens=slots)

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        """What a reader should know of this method on `tokens` tokens; each record carries it."""
        shape = shape.acted_on(tokens)
        own = [note for stage in self.stages for note in stage.notes(shape=shape, tokens=tokens)]
        coarse = [
            note
            for stage, its_tokens in self._acts_on(shape, tokens)
            for note in stage.coarse(shape=shape, tokens=its_tokens)
        ]
        return tuple(dict.fromkeys((*own, *coarse)))

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        """The sizes in force where `tokens` tokens were read, `question_tokens` of them a question.

        Keys are stage and parameter, as in {"quest.page_tokens": 4}. A preset's own are among them.
        """
        shape = shape.acted_on(tokens)
        found: dict[str, int] = {}
        for stage, its_tokens in self._acts_on(shape, tokens, question_tokens):
            sizes = preset_sizes(stage)
            sizes |= stage.units(shape=shape, tokens=its_tokens, question_tokens=question_tokens)
            shown = shown_name(type(stage))
            name = dict(self.labels).get(shown, stage.name or shown)
            found |= {f"{name}.{unit}": size for unit, size in sizes.items()}
        return found

    def with_fixed_units(self, *, shape: CacheShape, tokens: int) -> Method:
        """This method with the units it has on `tokens` tokens spelled out: the same at every
        length (`--units fixed`)."""
        shape = shape.acted_on(tokens)
        fixed = {
            id(stage): stage.fixed(shape=shape, tokens=its_tokens)
            for stage, its_tokens in self._acts_on(shape, tokens)
        }
        generation: Any = fixed[id(self.generation)]
        compression: Any = tuple(fixed[id(stage)] for stage in self.compression)
        retrieval: Any = fixed[id(self.retrieval)]
        loading: Any = fixed[id(self.loading)]
        tier: Any = fixed[id(self.tier)]
        return replace(
            self,
            generation=generation,
            compression=compression,
            retrieval=retrieval,
            loading=loading,
            tier=tier,
        )

    def _acts_on(
        self, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> list[tuple[Stage, int]]:
        """Each stage with the tokens it acts on: a codec and a loading get what an eviction leaves
        (the mean over layers), and a pattern that reads a question densely has not seen it."""
        layers = len(shape.attention_layers)
        kept = [self._kept_slots(layer, layers, tokens) for layer in range(layers)] or [tokens]
        left = sum(kept) // len(kept)
        read = (
            tokens - (question_tokens or 0) if self.generation.traits.is_prefix_stable else tokens
        )
        evicted = [] if self.eviction is None else [self.eviction]
        others = [stage for stage in self.compression if stage is not self.eviction]
        return [
            (self.generation, read),
            *((stage, tokens) for stage in evicted),
            *((stage, left) for stage in others),
            (self.retrieval, read),
            (self.loading, left),
            (self.tier, left),
        ]

    def _kept_slots(self, layer: int, layers: int, tokens: int) -> int:
        return (
            self.eviction.kept_slots(layer=layer, layers=layers, tokens=tokens)
            if self.eviction
            else tokens
        )

    def held_bytes(
        self,
        *,
        shape: CacheShape,
        tokens: int,
        appended: int = 0,
        held: Sequence[Sequence[int]] | None = None,
    ) -> int:
        """Closed form of what a stream holds after compressing `tokens` tokens and appending
        `appended` more: all layers, those that no method acts on included.

        `held` are the slots that were left to each KV head of each layer that a method acts on. A
        codec over uneven heads rounds each of them to whole groups, so that without it the form is
        that of even heads.
        """
        if self.is_foreign:
            raise Mismatch(
                f"{self} is an object of its own: what it holds is what its held_bytes(handle) "
                "declares, and there is no formula for it"
            )
        acted = shape.acted_on(tokens)
        total = shape.beside_bytes(tokens, appended)
        if self.codec is None and self.eviction is None:
            total += acted.token_bytes * (tokens + appended)
        elif self.codec is None and self.eviction is not None:
            total += self.eviction.held_bytes(shape=acted, tokens=tokens, appended=appended)
        total += self.generation.more_bytes(shape=acted, tokens=tokens, appended=appended)
        for at, layer in enumerate(acted.attending):
            slots = self._kept_slots(at, len(acted.attending), tokens)
            counts = [slots] * layer.kv_heads if held is None else held[at]
            total += self._coded_bytes(layer, counts, appended)
            total += self.loading.index_bytes(shape=acted, slots=slots, layer=at)
            if self.tier.traits.has_slow_tier:
                total += self.loading.detached_bytes(shape=acted, slots=slots, layer=at)
        return total

    def _coded_bytes(self, shape: LayerShape, slots: Sequence[int], appended: int) -> int:
        """Of one layer, whose KV heads held `slots` when it was coded."""
        if self.codec is None:
            return 0
        if len(set(slots)) > 1:
            return self.codec.uneven_bytes(shape=shape, slots=slots, appended=appended)
        codec = self.codec.at(shape=shape, tokens=slots[0])
        return codec.coded_bytes(shape=shape, slots=slots[0] + appended)
