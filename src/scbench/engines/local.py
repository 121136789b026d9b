"""Any causal LM of `transformers` that dispatches through its attention interface, run over
streams.

Nothing is patched: one attention function is registered under our name, the batch is handed through
as an extra keyword argument, positions are explicit. A model that bends these points is refused by
name, and every model is checked on a few tokens against its own attention when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from scbench.engines import gates, repeat
from scbench.engines.contract import (
    Feed,
    Gated,
    ModelFacts,
    Reader,
    ReadPattern,
    Remembering,
    stacked,
)
from scbench.engines.dispatch import OURS
from scbench.engines.observe import (
    HEAD_GATES,
    OBSERVABLE,
    QUERY_MOMENTS,
    REPEAT_SCORES,
    ROTATION,
    Observer,
)
from scbench.engines.packed import Lane, ReadPass, StepPass
from scbench.engines.recurrent import States
from scbench.engines.rotation import QueryProbe, Rotation, check_inverse
from scbench.engines.vocabulary import input_ids
from scbench.errors import Mismatch, OutOfDevice, TooLong
from scbench.kv import DenseStore, DenseTail, LayerCache, Observed, Snapshot, Stream
from scbench.kv.snapshot import Piece
from scbench.kv.store import Holder
from scbench.prompts import Tokenizer

READ_CHUNK_TOKENS = 2048
STEP_TOKENS = 4096  # most tokens of one packed forward; more feeds are split into several


class LocalEngine:
    """A loaded model. Make one with `engines.load.load`; `facts` and `tokenizer` are what the
    runner needs to know.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, facts: ModelFacts) -> None:
        self.model, self.tokenizer, self.facts = model, tokenizer, facts
        self.device = next(model.parameters()).device
        self.config = model.config.get_text_config(decoder=True)
        self._cache_word = (
            "cache_params"
            if "cache_params" in model.forward.__code__.co_varnames
            else "past_key_values"
        )
        self.sliding_tokens: int | None = None
        # True: a forward of several tokens would restart the recurrent states (found out when
        # loaded)
        self.grows_by_token = False
        self._known_rotation: Rotation | None = None
        self._known_gates: dict[int, Tensor] | None = None
        self.read_chunk_tokens, self.step_tokens = READ_CHUNK_TOKENS, STEP_TOKENS
        model.set_attn_implementation(OURS)

    def empty(self, *, capacity_tokens: int = 64) -> Stream:
        """A stream that has seen nothing."""
        layers = {
            layer: LayerCache((), DenseTail(capacity_tokens=capacity_tokens))
            for layer in self.facts.shape.attention_layers
        }
        recurrent = None if self.facts.family == "transformer" else States.empty(self.config)
        return Stream(layers=layers, ids=[], recurrent=recurrent)

    @torch.inference_mode()
    def read(
        self,
        ids: Sequence[int],
        *,
        pattern: ReadPattern | None = None,
        needs: Iterable[str] = (),
        base: Snapshot | None = None,
        on_tokens: Callable[[int], None] | None = None,
    ) -> Snapshot:
        wanted = frozenset(needs)
        if wanted - OBSERVABLE:
            raise Mismatch(
                f"the local engine cannot observe {', '.join(sorted(wanted - OBSERVABLE))}; it "
                f"observes {', '.join(sorted(OBSERVABLE))}"
            )
        if not ids:
            raise Mismatch("a read needs at least one token")
        self._check_window((base.logical_tokens if base else 0) + len(ids))
        reader = (
            pattern.begin(self._rotation(), len(ids)) if isinstance(pattern, Remembering) else None
        )
        if isinstance(pattern, Gated):
            pattern = pattern.gated(
                [gate_H.tolist() for gate_H in self._head_gates().values()]
                if pattern.wants_gates
                else None
            )
        pattern = reader or pattern
        stream = self.empty(capacity_tokens=len(ids)) if base is None else base.fork()
        rotation, missing = self._turning(wanted & {QUERY_MOMENTS, ROTATION})
        observer = Observer(wanted - missing.keys(), base, rotation.backward if rotation else None)
        batch = ReadPass(stream, pattern=pattern, observer=observer, total_tokens=len(ids))
        logits = torch.empty(0)
        whole = 1 if reader is None else reader.piece_tokens
        for piece in self._pieces(
            ids, stream, one_shot=pattern is not None and pattern.is_one_shot, whole_tokens=whole
        ):
            logits = self._forward(
                batch,
                piece,
                range(stream.logical_tokens, stream.logical_tokens + len(piece)),
                [len(piece) - 1],
                stream,
            )
            stream.ids.extend(piece)
            if on_tokens is not None:
                on_tokens(len(piece))
        snapshot = self._sealed(stream, base, logits[0], batch, pattern, rotation)
        if reader is not None:
            snapshot.remembered = _remembered(reader, snapshot)
        if HEAD_GATES in wanted:
            missing |= self._gate(snapshot)
        if REPEAT_SCORES in wanted:
            missing |= self._repeat(snapshot, base)
        snapshot.missing = {**observer.unseen(), **missing}
        return snapshot

    def _pieces(
        self, ids: Sequence[int], stream: Stream, *, one_shot: bool, whole_tokens: int = 1
    ) -> list[list[int]]:
        """A prefix cut for its forwards: chunks of bounded memory, except where a state survives
        only forwards of one token.
        """
        chunk = len(ids) if one_shot else -(-self.read_chunk_tokens // whole_tokens) * whole_tokens
        if self.grows_by_token:
            chunk = len(ids) if stream.logical_tokens == 0 else 1
        return [list(ids[start : start + chunk]) for start in range(0, len(ids), chunk)]

    def _gate(self, snapshot: Snapshot) -> dict[str, str]:
        """Note the model's head gates. Says why it could not."""
        try:
            for layer, gate_H in self._head_gates().items():
                snapshot.observed.setdefault(layer, Observed()).head_gates_H = gate_H
        except Mismatch as err:
            return {HEAD_GATES: str(err)}
        return {}

    def _head_gates(self) -> dict[int, Tensor]:
        """By layer, ascending; computed once per model. Raises Mismatch."""
        if self._known_gates is None:
            probe, ids = QueryProbe(), gates.sample_ids(self.config.vocab_size)
            try:
                self._forward(probe, ids, range(len(ids)), [0], self.empty())
                self._known_gates = gates.proxy_gates(self._rotation(), probe)
            except Mismatch as err:
                raise Mismatch(
                    f"{err}; give duo-attention its gates in a file (`scbench search-gates`)"
                ) from err
        return self._known_gates

    def _repeat(self, snapshot: Snapshot, base: Snapshot | None) -> dict[str, str]:
        """Score every KV pair of the context by a repeat pass; what was read on top of a scored
        base scores 1. A context that was thinned out and has grown is repeated whole, over what is
        held of it. Says why it could not.
        """
        if base is not None and not base.new_from:
            for seen, pieces in zip(
                snapshot.observed.values(), snapshot.layers.values(), strict=True
            ):
                if seen.repeat_scores_HS is not None:
                    seen.repeat_scores_HS = functional.pad(
                        seen.repeat_scores_HS, (0, pieces[-1].slots.most), value=1.0
                    )
            return {}
        if self.grows_by_token:
            return {
                REPEAT_SCORES: f"{self.facts.name} can be extended only token by token, and a "
                f"repeat pass needs its pieces whole"
            }
        found, scores = repeat.pieces(snapshot.ids, self.tokenizer), dict[int, Tensor]()
        reach = snapshot.logical_tokens + max(len(piece.ids) for piece in found)
        if reach > self.facts.window_tokens or (
            self.sliding_tokens is not None and reach > self.sliding_tokens
        ):
            window = min(self.facts.window_tokens, self.sliding_tokens or self.facts.window_tokens)
            return {
                REPEAT_SCORES: f"repeating {snapshot.logical_tokens:,} tokens reaches {reach:,}, "
                f"and {self.facts.name} holds {window:,}"
            }
        for batch, piece, stream in repeat.passes(snapshot, found, scores):
            first = snapshot.logical_tokens
            self._forward(batch, piece.ids, range(first, first + len(piece.ids)), [0], stream)
        for layer, best in scores.items():
            snapshot.observed.setdefault(layer, Observed()).repeat_scores_HS = best
        return {}

    def _turning(self, asked: frozenset[str]) -> tuple[Rotation | None, dict[str, str]]:
        """The rotation where something needs it, and why what does cannot have it: other methods of
        the read go on.
        """
        if not asked:
            return None, {}
        try:
            rotation = self._rotation()
        except Mismatch as err:
            return None, dict.fromkeys(asked, str(err))
        return rotation, {
            ROTATION: rotation.stuck()
        } if ROTATION in asked and rotation.stuck() else {}

    def _rotation(self) -> Rotation:
        """The model's rotary embedding, tried once: tokens read at other positions must give the
        same queries and keys before it.
        """
        if self._known_rotation is None:
            rotation, seen, first = Rotation(self.model), list[QueryProbe](), 11
            ids = [(31 * at) % self.config.vocab_size for at in range(1, 9)]
            for start in (0, first):
                probe = QueryProbe()
                self._forward(probe, ids, range(start, start + len(ids)), [0], self.empty())
                seen.append(probe)
            near, far = seen
            check_inverse(rotation, near.queries, far.queries, first)
            check_inverse(rotation, near.keys, far.keys, first, "keys")
            self._known_rotation = rotation
        return self._known_rotation

    @torch.inference_mode()
    def advance(self, feeds: Sequence[Feed]) -> Tensor | list[Tensor]:
        out: dict[int, Tensor] = {}
        for group in self._groups(feeds):
            logits = (
                self._step_by_token(feeds[group[0]])
                if self.grows_by_token
                else self._step([feeds[at] for at in group])
            )
            for row, at in enumerate(group):
                out[at] = logits[row]
        return stacked(feeds, [out[at] for at in range(len(feeds))])

    def _groups(self, feeds: Sequence[Feed]) -> list[list[int]]:
        """Feeds that run in one forward: those that share stores side by side; recurrent models one
        stream at a time.
        """
        if self.facts.family != "transformer":
            return [[at] for at in range(len(feeds))]

        def shared(at: int) -> tuple[int, ...]:
            stream = feeds[at].stream
            first = next(iter(stream.layers.values()))
            return tuple(id(store) for store in first.stores)

        groups: list[list[int]] = []
        tokens = self.step_tokens + 1
        for at in sorted(range(len(feeds)), key=shared):
            if tokens + len(feeds[at].ids) > self.step_tokens:
                groups.append([])
                tokens = 0
            groups[-1].append(at)
            tokens += len(feeds[at].ids)
        return groups

    def _step_by_token(self, feed: Feed) -> list[Tensor]:
        """One feed, a forward per token; longer feeds are no decode steps and leave the counters
        alone.
        """
        stream = feed.stream
        counted = stream.loaded_bytes, stream.steps
        rows = [self._step([Feed(stream, [token])])[0] for token in feed.ids]
        if len(feed.ids) > 1:
            stream.loaded_bytes, stream.steps = counted
        return [torch.stack(rows) if feed.every else rows[-1]]

    def _step(self, feeds: Sequence[Feed]) -> list[Tensor]:
        lanes, ids, positions, wanted = [], list[int](), list[int](), list[int]()
        for feed in feeds:
            assert feed.ids, "a feed without tokens has no logits"
            start, seen = len(ids), feed.stream.logical_tokens
            self._check_window(seen + len(feed.ids))
            ids.extend(feed.ids)
            positions.extend(range(seen, seen + len(feed.ids)))
            lanes.append(Lane(feed.stream, start, len(ids)))
            wanted.extend(range(start if feed.every else len(ids) - 1, len(ids)))
        logits = self._forward(StepPass(lanes), ids, positions, wanted, feeds[0].stream)
        for feed in feeds:
            feed.stream.ids.extend(int(token) for token in feed.ids)
            feed.stream.steps += len(feed.ids) == 1
        counts = [len(feed.ids) if feed.every else 1 for feed in feeds]
        parts = torch.split(logits, counts)
        return [part if feed.every else part[0] for feed, part in zip(feeds, parts, strict=True)]

    def _forward(
        self,
        batch: StepPass | ReadPass | QueryProbe,
        ids: Sequence[int],
        positions: Sequence[int],
        rows: list[int],
        stream: Stream,
    ) -> Tensor:
        """One forward of the model; fp32 logits of `rows`."""
        words: dict[str, Any] = {"use_cache": False, "scbench_pass": batch}
        if isinstance(stream.recurrent, States):
            stream.recurrent.seen(stream.logical_tokens)
            words |= {self._cache_word: stream.recurrent.cache, "use_cache": True}
        if self.facts.family != "recurrent":
            words["position_ids"] = torch.tensor([list(positions)], device=self.device)
        else:
            del words["scbench_pass"]
        words["logits_to_keep"] = torch.tensor(rows, device=self.device)
        try:
            out = self.model(input_ids=input_ids(self, ids), **words)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as err:
            if not isinstance(
                err, torch.OutOfMemoryError | MemoryError
            ) and "allocate memory" not in str(err):
                raise
            raise OutOfDevice(
                f"{self.facts.name}: no memory left for a forward of {len(ids):,} tokens over "
                f"{stream.logical_tokens:,}"
            ) from err
        logits: Tensor = out.logits[0].float()
        return logits

    def _sealed(
        self,
        stream: Stream,
        base: Snapshot | None,
        logits_V: Tensor,
        batch: ReadPass,
        pattern: ReadPattern | None,
        rotation: Rotation | None,
    ) -> Snapshot:
        layers: dict[int, tuple[Piece, ...]] = {}
        for layer, cache in stream.layers.items():
            tail = cache.tail
            assert isinstance(tail, DenseTail), "a prefix is read into a dense tail"
            if not tail.slots:
                raise Mismatch(
                    f"{self.facts.name} ({self.facts.architecture}) keeps K and V in layer {layer} "
                    "by its configuration, and handed none of them to the attention function of "
                    "`transformers`, through which the local engine reads; ask it as an object of "
                    "your own (--methods file.py:Class)"
                )
            first = 0 if base is None else base.logical_tokens
            earlier = () if base is None else base.layers[layer]
            k_HSD, v_HSD = tail.sealed()
            layers[layer] = (*earlier, DenseStore(k_HSD, v_HSD, first_position=first))
        read_by = (
            pattern.name if pattern is not None else (base.read_by if base is not None else "dense")
        )
        return Snapshot(
            shape=self.facts.shape,
            layers=layers,
            ids=tuple(stream.ids),
            logits_V=logits_V,
            observed=batch.observer.layers,
            scales=batch.scales,
            recurrent=stream.recurrent,
            read_by=read_by,
            rotate=rotation.forward if rotation else None,
            new_from=0 if base is None else base.new_from,
        )

    def _check_window(self, tokens: int) -> None:
        if tokens > self.facts.window_tokens:
            window_tokens = self.facts.window_tokens
            text = (
                f"{self.facts.name} holds {window_tokens:,} tokens, and a stream would reach "
                f"{tokens:,}"
            )
            raise TooLong(text, tokens=tokens, window_tokens=window_tokens)
        if self.sliding_tokens is not None and tokens > self.sliding_tokens:
            raise Mismatch(
                f"{self.facts.name} has sliding-window layers of {self.sliding_tokens:,} tokens, "
                f"which the local engine does not compute; keep context and answers below that (a "
                f"stream would reach {tokens:,})"
            )


def _remembered(reader: Reader, snapshot: Snapshot) -> dict[int, Holder]:
    found = {layer: reader.remembered(at) for at, layer in enumerate(snapshot.layers)}
    return {layer: memory for layer, memory in found.items() if memory is not None}
