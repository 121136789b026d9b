"""What the runner asks of an engine that runs a model in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from scbench.kernels import Partial
from scbench.kv import CacheShape, Snapshot, Stream
from scbench.kv.store import Holder
from scbench.prompts import Tokenizer
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a record must know of a model.

    `weights_digest` covers every byte of configuration and weights; `params` counts all weights.
    `notes` are what was found when it was loaded and is no error: tensors of no use, code that was
    not run, what the tokenizer warned of.
    """

    name: str
    family: str  # transformer, recurrent, hybrid, toy
    architecture: str
    shape: CacheShape
    window_tokens: int
    params: int
    hidden: int
    dtype: str
    device: str
    weights_digest: str
    trained_tokens: int | None = None  # the longest texts it learned from, by card or configuration
    sliding_tokens: int | None = None  # the narrowest sliding window; streams must stay below it
    tokenizer_digest: str = ""  # of every byte of the tokenizer's files; "" where it has none
    generation_digest: str = ""  # of generation_config.json
    embedded_ids: int | None = None  # ids below this have an embedding
    notes: tuple[str, ...] = ()
    choices: dict[str, str] = field(
        default_factory=dict
    )  # automatic choices and why, e.g. attention: "cpu flash: fp32 on CPU"


class ReadPattern(Protocol):
    """How the rows of a prefix attend while it is read (a generation stage)."""

    @property
    def name(self) -> str: ...

    @property
    def is_one_shot(self) -> bool: ...

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial: ...


class Reader(ReadPattern, Protocol):
    """A pattern in the middle of one read."""

    @property
    def piece_tokens(self) -> int:
        """The prefix comes in chunks of whole multiples of this, but for its end."""
        ...

    def remembered(self, layer: int) -> Holder | None:
        """What a stream over the prefix goes on from. `layer` counts attention layers from 0."""
        ...


@runtime_checkable
class Remembering(ReadPattern, Protocol):
    """A pattern whose rows depend on what earlier rows attended to: every read begins a reader of
    its own.
    """

    def begin(self, turn: Any, total_tokens: int) -> Reader:
        """`turn` is the model's rotation (engines.rotation.Rotation). Raises Mismatch if it cannot
        work with it.
        """
        ...


@runtime_checkable
class Gated(ReadPattern, Protocol):
    """A pattern that treats KV heads by their head gates: every read hands it the model's, unless
    it has gates of its own.
    """

    @property
    def wants_gates(self) -> bool: ...

    def gated(self, gates: Sequence[Sequence[float]] | None) -> ReadPattern:
        """`gates`: per attention layer one number per KV head; None where they are not wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens to append to a stream; with `every`, the logits after each of them are wanted."""

    stream: Stream
    ids: Sequence[int]
    every: bool = False


def stacked(feeds: Sequence[Feed], logits: list[Tensor]) -> Tensor | list[Tensor]:
    """What `Engine.advance` returns of the logits of each feed."""
    return logits if any(feed.every for feed in feeds) else torch.stack(logits)


class Engine(Protocol):
    """One loaded model. `read` makes snapshots, `advance` moves streams; nothing else runs the
    model.

    >>> from scbench.engines.toy import ToyEngine
    >>> engine: Engine = ToyEngine()
    >>> snapshot = engine.read([7, 8, 9])
    >>> stream = snapshot.fork()
    >>> logits_V = engine.advance([Feed(stream, [10])])[0]
    >>> snapshot.logical_tokens, stream.logical_tokens
    (3, 4)
    """

    facts: ModelFacts
    tokenizer: Tokenizer

    def read(
        self,
        ids: Sequence[int],
        *,
        pattern: ReadPattern | None = None,
        needs: Iterable[str] = (),
        base: Snapshot | None = None,
        on_tokens: Callable[[int], None] | None = None,
    ) -> Snapshot:
        """Read a prefix once, in chunks of bounded memory, and seal it. `pattern` None is dense.
        With `base`, `ids` continue it (densely) and share its stores. `needs` names what to
        observe. `on_tokens` is told tokens as they are read. Raises OutOfDevice.
        """
        ...

    def advance(self, feeds: Sequence[Feed]) -> Tensor | list[Tensor]:
        """Append each feed's ids to its stream in one packed forward.

        For each feed, in the order given, fp32 logits after its last token, (V,), or after each
        of its T tokens, (T, V), where it wants `every`; stacked where none does. They do not
        depend on what else is packed (to floating point). Raises OutOfDevice.
        """
        ...
