"""The numbers of a model that set the size of its cache: what each of its layers keeps of a
text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from scbench.errors import Mismatch


class LayerKind(StrEnum):
    """What a layer keeps of a text."""

    FULL = "full"  # K and V of every token
    WINDOW = "window"  # K and V of the newest tokens
    CHUNK = "chunk"  # K and V of the tokens of the running chunk
    LATENT = "latent"  # one vector a token, from which keys and values of all heads are made
    SHARED = "shared"  # nothing of its own: it reads another layer's K and V
    STATE = "state"  # a recurrent state, as large after one token as after a million
    BOTH = "both"  # K and V, and a state
    NOTHING = "nothing"  # no attention and no state: an MLP, a layer of experts


KEEPS_KV = frozenset(
    {LayerKind.FULL, LayerKind.WINDOW, LayerKind.CHUNK, LayerKind.LATENT, LayerKind.BOTH}
)
KEEPS_STATE = frozenset({LayerKind.STATE, LayerKind.BOTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """The shape of one layer's cache: its kind, its heads, the sizes of a key and of a value.

    Sizes are in numbers, and `dtype_bytes` says what one takes. A latent layer has one KV head
    whose key is the latent with its rotary part, and no value.

    >>> near = LayerShape(
    ...     kind=LayerKind.WINDOW, span_tokens=1024, query_heads=8, kv_heads=4, key_dim=256,
    ...     value_dim=256, dtype_bytes=2)
    >>> near.slot_bytes, near.dense_bytes(1_000), near.dense_bytes(100_000)
    (4096, 4096000, 4194304)
    """

    kind: LayerKind
    query_heads: int = 0
    kv_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    span_tokens: int | None = None  # of a window or a chunk, of whatever keeps K and V
    shares_with: int | None = None  # the layer whose K and V a shared one reads
    state_bytes: int = 0
    dtype_bytes: int

    @property
    def keeps_kv(self) -> bool:
        """Whether it holds keys and values (or latents) of its own."""
        return self.kind in KEEPS_KV

    @property
    def keeps_state(self) -> bool:
        """Whether it holds a recurrent state, of however many bytes."""
        return self.kind in KEEPS_STATE

    @property
    def group(self) -> int:
        """Query heads that read one KV head."""
        return self.query_heads // self.kv_heads if self.kv_heads else 0

    @property
    def head_dim(self) -> int:
        """Numbers of a key, and of a value. Raises Mismatch where they are not equally many."""
        if self.key_dim != self.value_dim:
            raise Mismatch(
                f"its keys have {self.key_dim} numbers and its values {self.value_dim}; what "
                "needs one size of both cannot act on such a layer: use dense"
            )
        return self.key_dim

    @property
    def dims(self) -> tuple[int, ...]:
        """The sizes of what a slot holds in each KV head: key and value, or a latent alone."""
        return tuple(dim for dim in (self.key_dim, self.value_dim) if dim)

    @property
    def slot_numbers(self) -> int:
        """Numbers of one slot in all KV heads."""
        return self.kv_heads * (self.key_dim + self.value_dim) if self.keeps_kv else 0

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot in all KV heads: Hk (Dk + Dv) e."""
        return self.slot_numbers * self.dtype_bytes

    @property
    def pair_bytes(self) -> int:
        """Bytes of a key with its value: of one slot in one KV head."""
        return self.slot_bytes // self.kv_heads if self.kv_heads else 0

    def slides(self, tokens: int) -> bool:
        """Whether it has let go of some of `tokens` tokens, by window or chunk."""
        return self.keeps_kv and self.span_tokens is not None and tokens > self.span_tokens

    def dense_slots(self, tokens: int) -> int:
        """Slots that its full cache has after `tokens` tokens."""
        if not self.keeps_kv:
            return 0
        return tokens if self.span_tokens is None else min(tokens, self.span_tokens)

    def dense_bytes(self, tokens: int) -> int:
        """What its full cache holds after `tokens` tokens, its state included."""
        return self.slot_bytes * self.dense_slots(tokens) + self.state_bytes

    def counted(self, dtype_bytes: int) -> Self:
        """The same layer with numbers of `dtype_bytes`, those of its state included."""
        states = self.state_bytes * dtype_bytes // max(1, self.dtype_bytes)
        return replace(self, dtype_bytes=dtype_bytes, state_bytes=states)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheShape:
    """The shape of a model's cache: that of each of its layers, first to last.

    >>> llama = CacheShape.even(
    ...     layers=32, query_heads=32, kv_heads=8, head_dim=128, dtype_bytes=2)
    >>> llama.token_bytes, llama.dense_bytes(131_072) >> 30
    (131072, 16)
    """

    layers: tuple[LayerShape, ...]
    # Whose cache this is, so that a file made for one model is refused by another; "" where weights
    # are not known.
    model_digest: str = field(default="", compare=False)

    @classmethod
    def even(
        cls,
        *,
        layers: int,
        attention_layers: Iterable[int] | None = None,
        query_heads: int,
        kv_heads: int,
        head_dim: int,
        dtype_bytes: int,
        recurrent_bytes: int = 0,
        model_digest: str = "",
    ) -> CacheShape:
        """Attention layers that are all alike (None: every layer is one), the others recurrent.

        `recurrent_bytes` are of all states together; the first of these layers is said to hold
        them.
        """
        attending = range(layers) if attention_layers is None else tuple(attention_layers)
        full = LayerShape(
            kind=LayerKind.FULL,
            query_heads=query_heads,
            kv_heads=kv_heads,
            key_dim=head_dim,
            value_dim=head_dim,
            dtype_bytes=dtype_bytes,
        )
        state = LayerShape(kind=LayerKind.STATE, dtype_bytes=dtype_bytes)
        made = [full if at in attending else state for at in range(layers)]
        rest = [at for at in range(layers) if at not in attending]
        shape = cls(layers=tuple(made), model_digest=model_digest)
        return shape.with_states({rest[0]: recurrent_bytes}) if rest else shape

    @property
    def attention_layers(self) -> tuple[int, ...]:
        """Indices, of all layers, of those that keep K and V; a pure recurrent model has none."""
        return tuple(at for at, layer in enumerate(self.layers) if layer.keeps_kv)

    @property
    def attending(self) -> tuple[LayerShape, ...]:
        """The layers that keep K and V, first to last."""
        return tuple(layer for layer in self.layers if layer.keeps_kv)

    @property
    def has_states(self) -> bool:
        """Whether some layer keeps a recurrent state."""
        return any(layer.keeps_state for layer in self.layers)

    @property
    def dtype_bytes(self) -> int:
        """Bytes of a number."""
        return self.layers[0].dtype_bytes

    @property
    def recurrent_bytes(self) -> int:
        """Of all recurrent states together, however much was read."""
        return sum(layer.state_bytes for layer in self.layers)

    @property
    def token_bytes(self) -> int:
        """KV bytes of one token over all layers: 2 L Hk d e where all are alike and full."""
        return sum(layer.slot_bytes for layer in self.layers)

    @property
    def alike(self) -> LayerShape:
        """What all layers that keep K and V have in common, kinds and windows apart.

        Raises Mismatch where heads or sizes differ between them: what shares one budget out over
        layers, or has one table of heads, needs them equal.
        """
        return LayerShape(
            kind=LayerKind.FULL,
            query_heads=self.query_heads,
            kv_heads=self.kv_heads,
            key_dim=self._common("key_dim", "numbers a key"),
            value_dim=self._common("value_dim", "numbers a value"),
            dtype_bytes=self.dtype_bytes,
        )

    @property
    def query_heads(self) -> int:
        """Of every layer that keeps K and V. Raises Mismatch where they differ, as do the next
        four."""
        return self._common("query_heads", "query heads")

    @property
    def kv_heads(self) -> int:
        """Of every layer that keeps K and V."""
        return self._common("kv_heads", "KV heads")

    @property
    def head_dim(self) -> int:
        """Numbers of a key, and of a value, in every layer that keeps K and V."""
        return self._common("head_dim", "numbers a key")

    @property
    def group(self) -> int:
        """Query heads that read one KV head, in every layer that keeps K and V."""
        return self._common("group", "query heads for each KV head")

    @property
    def pair_bytes(self) -> int:
        """Bytes of a key with its value, in every layer that keeps K and V."""
        return self._common("pair_bytes", "bytes a pair of key and value")

    def _common(self, name: str, what: str) -> int:
        values = sorted({getattr(layer, name) for layer in self.attending})
        if len(values) > 1:
            raise Mismatch(
                f"the layers of this model have {' and '.join(map(str, values))} {what}; what "
                "needs them alike cannot act on it: use dense"
            )
        return values[0] if values else 0

    @property
    def distinct(self) -> tuple[LayerShape, ...]:
        """The layers that keep K and V, each shape once."""
        return tuple(dict.fromkeys(self.attending))

    def dense_bytes(self, tokens: int) -> int:
        """What the full cache of `tokens` tokens holds."""
        return sum(layer.dense_bytes(tokens) for layer in self.layers)

    def acted_on(self, tokens: int) -> CacheShape:
        """The same cache with only those K and V that a method acts on after a context of `tokens`
        tokens: of all layers that still hold every token.

        A window that has begun to slide is like a state: as large whatever the method does.
        """
        if not any(layer.span_tokens or layer.state_bytes for layer in self.layers):
            return self
        nothing = LayerShape(kind=LayerKind.NOTHING, dtype_bytes=self.dtype_bytes)
        layers = tuple(
            nothing if layer.slides(tokens) else replace(layer, span_tokens=None, state_bytes=0)
            for layer in self.layers
        )
        return replace(self, layers=layers)

    def beside_bytes(self, tokens: int, appended: int) -> int:
        """What is held beside the layers of `acted_on(tokens)`, `appended` tokens later: states,
        and windows that slide."""
        sliding = [layer for layer in self.attending if layer.slides(tokens)]
        windows = sum(layer.slot_bytes * layer.dense_slots(tokens + appended) for layer in sliding)
        return self.recurrent_bytes + windows

    def counted(self, dtype_bytes: int) -> CacheShape:
        """The same cache with numbers of `dtype_bytes`, recurrent states included."""
        return replace(self, layers=tuple(layer.counted(dtype_bytes) for layer in self.layers))

    def with_states(self, state_bytes: Mapping[int, int]) -> CacheShape:
        """The same cache, knowing what the states of its layers hold, by index of the layer."""
        layers = tuple(
            replace(layer, state_bytes=state_bytes.get(at, layer.state_bytes))
            for at, layer in enumerate(self.layers)
        )
        return replace(self, layers=layers)

    def kinds_told(self) -> tuple[str, ...]:
        """What its layers keep, in words, where that is more than K and V of every token.

        >>> far = LayerShape(kind=LayerKind.FULL, kv_heads=1, key_dim=2, value_dim=2, dtype_bytes=2)
        >>> near = replace(far, kind=LayerKind.WINDOW, span_tokens=1024)
        >>> CacheShape(layers=(near, near, far)).kinds_told()
        ('layers: 2 window (1,024 tokens), 1 full',)
        """
        counts: dict[str, int] = {}
        for layer in self.layers:
            span = f" ({layer.span_tokens:,} tokens)" if layer.span_tokens else ""
            counts[f"{layer.kind}{span}"] = counts.get(f"{layer.kind}{span}", 0) + 1
        if counts.keys() <= {LayerKind.FULL, LayerKind.STATE}:
            return ()
        return ("layers: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()),)

    def told(self) -> dict[str, Any]:
        """Plain data for a run's manifest: the numbers that all layers have in common, as they
        have been written since the first format, and the layers one by one where they differ."""
        plain = {
            "": type(self).__name__,
            "layers": len(self.layers),
            "attention_layers": list(self.attention_layers),
            "dtype_bytes": self.dtype_bytes,
            "recurrent_bytes": self.recurrent_bytes,
            "model_digest": self.model_digest,
        }
        kinds = {layer.kind for layer in self.layers}
        try:
            alike = self.alike
            plain |= {"query_heads": alike.query_heads, "kv_heads": alike.kv_heads}
            plain |= {"head_dim": alike.head_dim}
        except Mismatch:
            kinds.add(LayerKind.NOTHING)
        if kinds <= {LayerKind.FULL, LayerKind.STATE}:
            return plain
        return {**plain, "by_layer": [layer_words(layer) for layer in self.layers]}


def layer_words(layer: LayerShape) -> dict[str, Any]:
    """The numbers of a layer as plain data; what it does not have is left out."""
    words = {name: getattr(layer, name) for name in LayerShape.__dataclass_fields__}
    return {name: value for name, value in words.items() if value or name == "kind"}
