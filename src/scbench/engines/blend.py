"""Stored chunks blended into one prefix: keys moved to where they stand now, some tokens computed
anew, layer by layer.

The model's own modules are called one layer at a time, so that rows can leave between layers. That
this is what the model computes is not assumed but tried, on a few tokens, before the first blend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scbench.engines.contract import ModelFacts
from scbench.engines.local import LocalEngine
from scbench.engines.rotation import QueryProbe, Rotation
from scbench.engines.vocabulary import input_ids
from scbench.errors import Mismatch, OutOfDevice
from scbench.kernels import full, masked, merge
from scbench.kv import DenseStore, Snapshot
from scbench.kv.tail import newest

MOST_ROWS, MOST_SCORES = 256, 1 << 26  # of one masked attention: rows, and scores held at once
TRIED_TOKENS, TRIED_APART = 24, 11
MOVING_FREQUENCIES = (
    "dynamic",
    "longrope",
)  # the turn of a position depends on how far the whole text reaches


class Rule(Protocol):
    """Which rows a blend computes (a retrieval stage that blends)."""

    @property
    def writes(self) -> bool: ...

    def rows_at(self, layer: int, *, layers: int, tokens: int) -> int: ...

    def best(self, k_gap_N: Tensor, v_gap_N: Tensor, rows: int) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Blend:
    """A blended prefix, and the positions that were computed in every layer (ascending, on the
    CPU).
    """

    snapshot: Snapshot
    rows: tuple[Tensor, ...]

    @property
    def computed_share(self) -> float:
        """Rows computed over those of a full read: of the linear layers' work."""
        return sum(len(rows) for rows in self.rows) / (
            len(self.rows) * self.snapshot.logical_tokens
        )

    @property
    def pairs(self) -> int:
        """Query-key pairs scored, over all layers, per query head."""
        return sum(int(rows.sum()) + len(rows) for rows in self.rows)


class Blender:
    """Blends for one engine. Raises Mismatch, saying why, for a model that cannot be run layer by
    layer or whose keys cannot be moved.
    """

    def __init__(self, engine: LocalEngine) -> None:
        if engine.facts.family != "transformer":
            raise Mismatch(
                f"{engine.facts.name} has recurrent states, and those of chunks read apart cannot "
                f"be put together"
            )
        self.engine, base = engine, engine.model.base_model
        lacks = [
            word for word in ("layers", "norm", "rotary_emb") if getattr(base, word, None) is None
        ]
        if lacks:
            raise Mismatch(
                f"{engine.facts.name} has no {', '.join(lacks)} where most models have them, so it "
                f"cannot be run layer by layer"
            )
        kind = getattr(base.rotary_emb, "rope_type", "default")
        if kind in MOVING_FREQUENCIES:
            raise Mismatch(
                f"{engine.facts.name} turns keys by {kind} frequencies, which depend on the whole "
                f"text; stored keys cannot be moved"
            )
        self._base, self.rotation = base, Rotation(engine.model)
        self._try()

    def moved(self, k_HSD: Tensor, start: int, stop: int) -> Tensor:
        """Keys that stand at positions `start`, `start` + 1, ... as they would at `stop`, ...:
        R(stop - start) k, in fp32. A copy.
        """
        if start == stop:
            return k_HSD.clone()
        at = torch.arange(k_HSD.shape[1], device=k_HSD.device)
        before = self.rotation.backward(k_HSD.float(), at + start)
        return self.rotation.forward(before, at + stop).to(k_HSD.dtype)

    @torch.inference_mode()
    def piece(self, snapshot: Snapshot, start: int, stop: int) -> Snapshot:
        """Tokens [start, stop) of a prefix as a snapshot of their own, as if they began at position
        0. It has no logits (NaN).
        """
        layers = dict[int, tuple[DenseStore, ...]]()
        for layer in snapshot.layers:
            view = snapshot.view(layer)
            k_HSD, v_HSD = (
                self.moved(view.k_HSD[:, start:stop], start, 0),
                view.v_HSD[:, start:stop].clone(),
            )
            layers[layer] = (DenseStore(k_HSD, v_HSD),)
        none = torch.full_like(snapshot.logits_V, float("nan"))
        return Snapshot(
            shape=snapshot.shape,
            layers=layers,
            ids=snapshot.ids[start:stop],
            logits_V=none,
            scales=snapshot.scales,
            read_by=snapshot.read_by,
        )

    @torch.inference_mode()
    def blend(
        self,
        pieces: Sequence[Snapshot],
        rule: Rule,
        *,
        read_by: str,
        on_tokens: Callable[[int], None] | None = None,
    ) -> Blend:
        """The prefix that `pieces` (each from position 0) make in this order. Rows leave as `rule`
        says; the last token is always computed.
        """
        ids = tuple(token for piece in pieces for token in piece.ids)
        tokens, layers = len(ids), self.engine.facts.shape.attention_layers
        self.engine._check_window(tokens)
        rows = torch.arange(
            tokens - rule.rows_at(0, layers=len(layers), tokens=tokens),
            tokens,
            device=self.engine.device,
        )
        sealed, scales, computed = (
            dict[int, tuple[DenseStore, ...]](),
            dict[int, float](),
            list[Tensor](),
        )
        try:
            hidden = self._embedded([ids[at] for at in rows.tolist()])
            for order, layer in enumerate(layers):
                batch = _Layer(*self._side_by_side(pieces, layer), rule.writes)
                hidden = self._through(layer, hidden, rows, batch)
                sealed[layer], scales[layer] = (DenseStore(batch.k_HSD, batch.v_HSD),), batch.scale
                computed.append(rows.cpu())
                if order + 1 < len(layers):
                    stay = self._staying(
                        batch,
                        rows,
                        rule,
                        rule.rows_at(order + 1, layers=len(layers), tokens=tokens),
                    )
                    rows, hidden = rows[stay], hidden[:, stay]
            logits_V = self._logits(hidden[:, -1:])
        except (torch.OutOfMemoryError, MemoryError) as err:
            raise OutOfDevice(
                f"{self.engine.facts.name}: no memory left to blend {tokens:,} tokens"
            ) from err
        if on_tokens is not None:
            on_tokens(tokens)
        snapshot = Snapshot(
            shape=self.engine.facts.shape,
            layers=sealed,
            ids=ids,
            logits_V=logits_V,
            scales=scales,
            read_by=read_by,
            rotate=self.rotation.forward,
        )
        return Blend(snapshot, tuple(computed))

    # -- one layer ---------------------------------------------------------------------------------

    def _side_by_side(self, pieces: Sequence[Snapshot], layer: int) -> tuple[Tensor, Tensor]:
        keys, values, at = list[Tensor](), list[Tensor](), 0
        for piece in pieces:
            view = piece.view(layer)
            keys.append(self.moved(view.k_HSD.to(self.engine.device), 0, at))
            values.append(view.v_HSD.to(self.engine.device))
            at += piece.logical_tokens
        return torch.cat(keys, dim=1), torch.cat(values, dim=1)

    def _through(self, layer: int, hidden: Tensor, rows: Tensor, batch: _Layer) -> Tensor:
        """One decoder layer over some rows, in blocks of bounded memory; a block's rows see those
        of the blocks before it.
        """
        done, module = list[Tensor](), self._base.layers[layer]
        for start in range(0, len(rows), self.engine.read_chunk_tokens):
            part = slice(start, start + self.engine.read_chunk_tokens)
            at, block = rows[part].unsqueeze(0), hidden[:, part]
            batch.rows = rows[part]
            turn = self._base.rotary_emb(block, position_ids=at)
            try:
                out = module(
                    block,
                    attention_mask=None,
                    position_ids=at,
                    position_embeddings=turn,
                    use_cache=False,
                    scbench_pass=batch,
                )
            except TypeError as err:
                raise Mismatch(
                    f"{self.engine.facts.name} calls its layers in a way of its own ({err}); it "
                    f"cannot be run layer by layer"
                ) from err
            done.append(out[0] if isinstance(out, tuple) else out)
        return torch.cat(done, dim=1)

    @staticmethod
    def _staying(batch: _Layer, rows: Tensor, rule: Rule, wanted: int) -> Tensor:
        """Indices into `rows` of those that the next layer computes; the last token, whose logits
        are wanted, is always among them.
        """
        if wanted >= len(rows):
            return torch.arange(len(rows), device=rows.device)
        k_gap, v_gap = torch.cat(batch.k_gaps), torch.cat(batch.v_gaps)
        k_gap[-1] = v_gap[-1] = float("inf")
        return rule.best(k_gap, v_gap, wanted)

    def _embedded(self, ids: Sequence[int]) -> Tensor:
        hidden: Tensor = self.engine.model.get_input_embeddings()(input_ids(self.engine, ids))
        return hidden

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.engine.model.get_output_embeddings()(self._base.norm(hidden))
        cap = getattr(self.engine.config, "final_logit_softcapping", None)
        last = logits[0, -1].float()
        return last if not cap else cap * torch.tanh(last / cap)

    # -- trying it out -----------------------------------------------------------------------------

    @torch.inference_mode()
    def _try(self) -> None:
        """A few tokens: keys moved must be those read elsewhere, in every layer, and a blend that
        computes all must be the model's own read.
        """
        engine, half = self.engine, TRIED_TOKENS // 2
        ids = [(29 * at + 3) % engine.config.vocab_size for at in range(TRIED_TOKENS)]
        near, far = QueryProbe(), QueryProbe()
        for probe, start in ((near, 0), (far, TRIED_APART)):
            engine._forward(probe, ids, range(start, start + len(ids)), [0], engine.empty())
        for layer, k_HSD in near.keys.items():
            _alike(
                self.moved(k_HSD, 0, TRIED_APART),
                far.keys[layer],
                f"{engine.facts.name}, layer {layer}: keys moved by {TRIED_APART} positions",
            )
        pieces = [self.piece(engine.read(part), 0, half) for part in (ids[:half], ids[half:])]
        ours, whole = self.blend(pieces, _All(), read_by="").snapshot, engine.read(ids)
        _alike(
            ours.logits_V, whole.logits_V, f"{engine.facts.name}: logits computed layer by layer"
        )


class _All:
    """Everything is computed."""

    writes = True

    def rows_at(self, layer: int, *, layers: int, tokens: int) -> int:
        return tokens

    def best(self, k_gap_N: Tensor, v_gap_N: Tensor, rows: int) -> Tensor:
        raise AssertionError("all rows stay")


class _Layer:
    """One layer's fused K and V while rows of it are computed: the pass that our attention function
    finds.
    """

    def __init__(self, k_HSD: Tensor, v_HSD: Tensor, writes: bool) -> None:
        self.k_HSD, self.v_HSD, self.writes = k_HSD, v_HSD, writes
        self.rows = torch.empty(0, dtype=torch.long)
        self.k_gaps, self.v_gaps = list[Tensor](), list[Tensor]()
        self.scale = 1.0

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        self.scale, rows = scale, self.rows
        if self.writes:
            self.k_gaps.append(
                (k_HND.float() - self.k_HSD[:, rows].float()).square().sum(dim=(0, 2))
            )
            self.v_gaps.append(
                (v_HND.float() - self.v_HSD[:, rows].float()).square().sum(dim=(0, 2))
            )
            self.k_HSD[:, rows], self.v_HSD[:, rows] = k_HND, v_HND
        first, last = int(rows[0]), int(rows[-1])
        if last - first + 1 == len(rows):
            return newest(
                q_HGND, self.k_HSD[:, : last + 1], self.v_HSD[:, : last + 1], scale=scale
            ).partial.out
        return self._scattered(q_HGND, scale)

    def _scattered(self, q_HGND: Tensor, scale: float) -> Tensor:
        """Rows with gaps between them: a block of them sees all slots before its first row, and of
        those up to its last row its own past.
        """
        done, start = list[Tensor](), 0
        while start < len(self.rows):
            rows = self.rows[start : start + self._block(start, q_HGND.shape[0] * q_HGND.shape[1])]
            first, stop, q = (
                int(rows[0]),
                int(rows[-1]) + 1,
                q_HGND[:, :, start : start + len(rows)],
            )
            mask_TS = torch.arange(first, stop, device=rows.device) <= rows.unsqueeze(1)
            parts = [
                masked(
                    q, self.k_HSD[:, first:stop], self.v_HSD[:, first:stop], mask_TS, scale=scale
                )
            ]
            if first:
                parts.append(full(q, self.k_HSD[:, :first], self.v_HSD[:, :first], scale=scale))
            done.append(merge(parts).out)
            start += len(rows)
        return torch.cat(done, dim=2)

    def _block(self, start: int, heads: int) -> int:
        """How many rows from `start` on are attended together: at most MOST_ROWS, fewer where they
        stand so far apart that scores would not fit.
        """
        rows = min(MOST_ROWS, len(self.rows) - start)
        while (
            rows > 1
            and heads * rows * int(self.rows[start + rows - 1] - self.rows[start] + 1) > MOST_SCORES
        ):
            rows //= 2
        return rows


def _alike(ours: Tensor, wanted: Tensor, what: str) -> None:
    far, size = (
        float((ours.float() - wanted.float()).abs().max()),
        max(float(wanted.float().abs().max()), 1e-6),
    )
    if not far < 0.05 * size:
        raise Mismatch(
            f"{what} differ by {far / size:.2g} of their size from the model's own; its chunks "
            f"cannot be blended"
        )


def dense_pairs(tokens: int, layers: int) -> int:
    """Query-key pairs of a full causal read, per query head."""
    return layers * tokens * (tokens + 1) // 2


def blend_flops(facts: ModelFacts, *, rows: int, pairs: int, layers: int) -> float:
    """Linear layers over `rows` token-layers of `layers`, and QK^T and PV over `pairs` per query
    head: as `run.plan.read_flops` counts.
    """
    attending = facts.shape.attending
    widths = [layer.query_heads * (layer.key_dim + layer.value_dim) for layer in attending]
    width = sum(widths) / max(1, len(widths))
    return 2.0 * facts.params * rows / max(1, layers) + 2.0 * width * pairs
