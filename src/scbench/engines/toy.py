"""A model that understands one thing: it answers `Key: "k"` with the value of the pair `"k": "v"`,
if its cache still holds that pair.

It has no weights; K and V are stand-ins of the right shapes, so every method runs on it, and
evicting a needle loses the answer. Tests of the runner use it, and whoever writes a method can
watch the whole way in a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from scbench.engines.contract import Feed, ModelFacts, ReadPattern, stacked
from scbench.engines.observe import (
    COLUMN_SUMS,
    HEAD_GATES,
    QUERY_MOMENTS,
    REPEAT_SCORES,
    WINDOW_ROWS,
    add_rows,
)
from scbench.errors import OutOfDevice
from scbench.kernels import merge
from scbench.kernels.column_max import column_max
from scbench.kernels.column_sums import column_sums
from scbench.kv import CacheShape, DenseStore, DenseTail, LayerCache, Observed, Snapshot, Stream
from scbench.kv.snapshot import MOMENTS_SKIP_ROWS
from scbench.kv.tail import newest
from scbench.prompts import ByteTokenizer

HOLE = "\x00"  # stands in the text where a token is no longer held
HEAD_DIM = 32


class ToyEngine:
    """One layer, one KV head, bytes as tokens. `fails_at` makes the n-th call of `advance` raise
    OutOfDevice, for tests of the runner.
    """

    def __init__(self, *, window_tokens: int = 1 << 20, fails_at: int | None = None) -> None:
        self.tokenizer = ByteTokenizer()
        shape = CacheShape.even(
            layers=1,
            attention_layers=(0,),
            query_heads=1,
            kv_heads=1,
            head_dim=HEAD_DIM,
            dtype_bytes=4,
        )
        self.facts = ModelFacts(
            name="toy",
            family="toy",
            architecture="ToyEngine",
            shape=shape,
            window_tokens=window_tokens,
            params=0,
            hidden=HEAD_DIM,
            dtype="float32",
            device="cpu",
            weights_digest="toy/1",
        )
        self.fails_at, self.calls, self.reads = fails_at, 0, 0

    def read(
        self,
        ids: Sequence[int],
        *,
        pattern: ReadPattern | None = None,
        needs: Iterable[str] = (),
        base: Snapshot | None = None,
        on_tokens: Callable[[int], None] | None = None,
    ) -> Snapshot:
        self.reads += 1
        stream = (
            base.fork()
            if base is not None
            else Stream(layers={0: LayerCache((), DenseTail())}, ids=[])
        )
        first = stream.logical_tokens
        self._append(stream, ids)
        tail = stream.layers[0].tail
        assert isinstance(tail, DenseTail)
        if on_tokens is not None:
            on_tokens(len(ids))
        earlier = base.layers[0] if base is not None else ()
        held = [stream.ids[at] for at in stream.positions(0, 0).tolist()]
        return Snapshot(
            shape=self.facts.shape,
            layers={0: (*earlier, DenseStore(tail.k_HSD, tail.v_HSD, first_position=first))},
            ids=tuple(stream.ids),
            logits_V=self._next(stream, is_prompt=True),
            observed={0: _observed(_vectors(held), frozenset(needs))},
            scales={0: 1.0},
            rotate=_unturned,
            new_from=0 if base is None else base.new_from,
            read_by=pattern.name if pattern is not None else "dense",
        )

    def advance(self, feeds: Sequence[Feed]) -> Tensor | list[Tensor]:
        self.calls += 1
        if self.fails_at is not None and self.calls == self.fails_at:
            raise OutOfDevice(f"the toy was told to fail at call {self.fails_at}")
        return stacked(feeds, [self._fed(feed) for feed in feeds])

    def _fed(self, feed: Feed) -> Tensor:
        if not feed.every:
            self._append(feed.stream, feed.ids)
            return self._next(feed.stream, is_prompt=len(feed.ids) > 1)
        rows = []
        for token in feed.ids:
            self._append(feed.stream, [token])
            rows.append(self._next(feed.stream, is_prompt=False))
        return torch.stack(rows)

    def _append(self, stream: Stream, ids: Sequence[int]) -> None:
        if stream.logical_tokens + len(ids) > self.facts.window_tokens:
            raise OutOfDevice(f"the toy holds {self.facts.window_tokens:,} tokens")
        cache, vectors = stream.layers[0], _vectors(ids)
        queries = vectors.unsqueeze(1)
        cache.tail.append(vectors, vectors)
        loaded = [
            *(store.attend(queries, scale=1.0) for store in cache.stores),
            cache.tail.attend(queries, scale=1.0),
        ]
        if stream.onlooker is not None:
            for rank, read in enumerate(loaded):
                if read.chosen is not None:
                    stream.onlooker.chose(0, rank, read.chosen, range(len(ids)))
            lse_HGT = merge([read.partial for read in loaded]).lse
            stream.onlooker.attended(0, queries, cache, lse_HGT, 1.0)
        cache.tail.settle()
        if len(ids) == 1:
            stream.loaded_bytes += sum(read.loaded_by(0) for read in loaded)
            stream.moved_bytes += sum(read.moved_by(0) for read in loaded)
            stream.steps += 1
        stream.ids.extend(int(token) for token in ids)

    def _next(self, stream: Stream, *, is_prompt: bool) -> Tensor:
        text = self._held_text(stream)
        value = _lookup(text)
        said = 0 if is_prompt else max(n for n in range(len(value) + 1) if text.endswith(value[:n]))
        token = (
            self.tokenizer.encode(value[said]).ids[0]
            if said < len(value)
            else min(self.tokenizer.end_ids)
        )
        logits = torch.zeros(max(512, token + 1))
        logits[token] = 1.0
        return logits

    def _held_text(self, stream: Stream) -> str:
        """The text of the tokens whose K and V are still there, a hole for each run of lost
        ones.
        """
        held = sorted(set(stream.positions(0, 0).tolist()))
        pieces, last = list[str](), -1
        for start, stop in _runs(held):
            pieces += [HOLE] * (start > last + 1) + [self.tokenizer.decode(stream.ids[start:stop])]
            last = stop - 1
        return "".join(pieces)


def _lookup(text: str) -> str:
    asked = re.findall(r'Key: "([^"\x00]+)"', text)
    if not asked:
        return ""
    found = re.search(rf'"{re.escape(asked[-1])}": "([^"\x00]+)"', text)
    return found[1] if found else ""


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Maximal runs [start, stop) of consecutive numbers in ascending `positions`."""
    runs: list[tuple[int, int]] = []
    for at in positions:
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs


def _observed(x_HTD: Tensor, needs: frozenset[str]) -> Observed:
    """What methods ask for; queries, keys and values are one and the same, and nothing is
    rotated.
    """
    q_HGTD = x_HTD.unsqueeze(1)
    seen = Observed(window_HGWD=q_HGTD[:, :, -WINDOW_ROWS:])
    if COLUMN_SUMS in needs:
        lse = newest(q_HGTD, x_HTD, x_HTD, scale=1.0).partial.lse
        seen.column_sums_HS = column_sums(q_HGTD, x_HTD, lse, scale=1.0)
    if QUERY_MOMENTS in needs:
        add_rows(seen, q_HGTD[:, :, MOMENTS_SKIP_ROWS:])
    if HEAD_GATES in needs:
        seen.head_gates_H = torch.full((1,), 0.5)
    if REPEAT_SCORES in needs:
        seen.repeat_scores_HS = column_max(q_HGTD, x_HTD, x_HTD, scale=1.0)
    return seen


def _unturned(x: Tensor, positions: Tensor) -> Tensor:
    return x


def _vectors(ids: Sequence[int]) -> Tensor:
    """A fixed vector per token id, (1, T, D)."""
    at = torch.tensor([int(token) for token in ids], dtype=torch.float32).unsqueeze(1)
    return torch.sin(at * torch.arange(1, HEAD_DIM + 1)).unsqueeze(0)
