"""A watch on an engine: what it was shown, and how close its two best tokens came.

It stands around `read` and `advance` of one engine object and changes nothing of what they return.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

Ids = tuple[int, ...]


class Watch:
    """Every token sequence after which the engine gave logits, with their margin."""

    def __init__(self) -> None:
        # by length, ids, and the bytes of the stores they were read over: those tell methods apart
        self._margins: dict[int, dict[tuple[Ids, int | None], float]] = {}
        self._shown: dict[int, set[str]] = {}  # digests of those that end in a prompt

    def see(
        self,
        ids: Sequence[int],
        logits_V: torch.Tensor,
        *,
        is_prompt: bool,
        store_bytes: int | None,
    ) -> None:
        best = torch.topk(logits_V.float(), 2).values
        margin, key = float(best[0] - best[1]), tuple(int(token) for token in ids)
        if margin == margin:  # a cropped prefix has no logits of its own
            at, over = self._margins.setdefault(len(key), {}), (key, store_bytes)
            at[over] = min(margin, at.get(over, margin))
        if is_prompt:
            seal = hashlib.sha256(",".join(map(str, key)).encode()).hexdigest()[:10]
            self._shown.setdefault(len(key), set()).add(seal)

    def margin(self, prompt_tokens: int, answer: Ids, step: int, store_bytes: int | None) -> float:
        """The closest call at this step of an answer over such stores, or of a read, after any
        prompt of that length."""
        close = self._margins.get(prompt_tokens + step, {})
        ends = (
            margin
            for (ids, over), margin in close.items()
            if ids[prompt_tokens:] == answer[:step] and over in (None, store_bytes)
        )
        return min(ends, default=float("inf"))

    def shown(self, prompt_tokens: int) -> list[str]:
        """Digests of all prompts of that length."""
        return sorted(self._shown.get(prompt_tokens, ()))


@contextmanager
def watched(engine: Any) -> Iterator[Watch]:
    """The engine with a watch around its two verbs, which come off again."""
    watch, read, advance = Watch(), engine.read, engine.advance

    def reading(ids: Sequence[int], **words: Any) -> Any:
        snapshot = read(ids, **words)
        watch.see(snapshot.ids, snapshot.logits_V, is_prompt=True, store_bytes=None)
        return snapshot

    def advancing(feeds: Sequence[Any]) -> Any:
        logits = advance(feeds)
        for feed, logits_V in zip(feeds, logits, strict=True):
            if getattr(feed, "every", False):  # a gold answer, which chooses no token
                continue
            stream, is_prompt = feed.stream, len(feed.ids) > 1
            over = stream.shared_bytes()
            watch.see(stream.ids, logits_V, is_prompt=is_prompt, store_bytes=over)
        return logits

    engine.read, engine.advance = reading, advancing
    try:
        yield watch
    finally:
        del engine.read, engine.advance
