"""The reads of one session: each distinct prefix once, however many methods ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from scbench.engines.contract import Engine
from scbench.kv import Snapshot
from scbench.kv.fingerprint import fingerprint
from scbench.methods.contract import Generation, is_default
from scbench.methods.method import Method
from scbench.methods.retrieval.blended_chunks import Chunked, chunked
from scbench.play.blending import Blended, Blending
from scbench.prompts import Prompt, Rendering

# Stages count by value and snapshots by identity: two strangers may look alike in words.
Key: TypeAlias = tuple[object, tuple[int, ...]]


class Reads:
    """Snapshots of a session's prefixes. `needs` is what its methods have to see of a read."""

    def __init__(
        self,
        engine: Engine,
        on_tokens: Callable[[int], None] | None,
        on_read: Callable[[int], None] | None = None,
    ) -> None:
        self.engine = engine
        self.on_tokens = on_tokens
        self.on_read = on_read  # told the tokens of every read that begins from nothing
        self.needs: frozenset[str] = frozenset()
        self._snapshots: dict[Key, Snapshot] = {}
        self._blending = Blending(engine)
        self._blends: dict[Key, Blended] = {}
        # Of each snapshot as it was when a stranger's method could first touch it; None: not now.
        self._seals: dict[Key, int] | None = None

    def context(self, method: Method, talk: Rendering) -> Snapshot:
        """The context as a method reads it, or puts it together from stored chunks."""
        stage = chunked(method)
        if stage is not None:
            snapshot = self._blend(stage, talk.context.ids).snapshot
        else:
            snapshot = self.read(talk.context.ids, method.generation)
        snapshot.evidence = talk.context.rests_on()
        return snapshot

    def with_query(self, method: Method, talk: Rendering, prompt: Prompt) -> Snapshot:
        """Context and one query: the query read densely on top, or with the context where the
        pattern's last rows matter."""
        if not method.generation.traits.is_prefix_stable:
            snapshot = self.read(prompt.ids, method.generation)
        else:
            base = self.context(method, talk)
            snapshot = self.read(talk.delta(base.ids, prompt), method.generation, base)
        snapshot.question_tokens = len(prompt.ids) - len(talk.context.ids)
        snapshot.evidence = talk.context.rests_on()
        return snapshot

    def read(
        self, ids: Sequence[int], generation: Generation, base: Snapshot | None = None
    ) -> Snapshot:
        """A prefix, read once however many methods ask for it."""
        whole = (*(base.ids if base else ()), *ids)
        key: Key = (generation if base is None else id(base), whole)
        if key not in self._snapshots:
            pattern = None if is_default(generation) or base is not None else generation
            if self.on_read is not None and base is None:
                self.on_read(len(ids))
            snapshot = self.engine.read(
                ids, pattern=pattern, needs=self.needs, base=base, on_tokens=self.on_tokens
            )
            self._keep(key, snapshot)
        return self._snapshots[key]

    def _blend(self, stage: Chunked, ids: tuple[int, ...]) -> Blended:
        """A context put together from stored chunks, once for all methods and modes."""
        key: Key = (stage, ids)
        if key not in self._blends:
            self._blends[key] = self._blending.read(ids, stage, self.on_tokens)
            self._keep(key, self._blends[key].snapshot)
        return self._blends[key]

    def blend_notes(self, method: Method, talk: Rendering) -> tuple[str, ...]:
        """What is to be said of the blend that a method's answers rest on."""
        blended = self._blends.get((method.retrieval, talk.context.ids))
        return () if blended is None else (blended.note(),)

    def _keep(self, key: Key, snapshot: Snapshot) -> None:
        self._snapshots[key] = snapshot
        if self._seals is not None:
            self._seals[key] = fingerprint(snapshot)

    def forget(self) -> None:
        """Let all snapshots go; the chunks that are stored stay."""
        for snapshot in self._snapshots.values():
            snapshot.release()
        self._snapshots.clear()
        self._blends.clear()

    def forget_all(self) -> None:
        """Stored chunks too: somebody may have written into them."""
        self.forget()
        self._blending = Blending(self.engine)

    @contextmanager
    def watched(self) -> Iterator[list[bool]]:
        """While this lasts every snapshot is sealed; afterwards the list holds whether all are as
        they were."""
        whole: list[bool] = []
        self._seals = {key: fingerprint(snapshot) for key, snapshot in self._snapshots.items()}
        try:
            yield whole
        finally:
            seals, self._seals = self._seals, None
        now = {key: fingerprint(snapshot) for key, snapshot in self._snapshots.items()}
        whole.append(now == seals)
