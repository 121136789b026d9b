"""The memory tier: segments where the model runs, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from scbench.kv.pool.segment import Segment


class Memory:
    """Segments of which no two hold the same block, never more than `capacity_bytes` together
    (None: no limit).

    A prefix must not leave before what continues it: whoever uses a chain touches its last segment
    first and its root last.
    """

    def __init__(self, capacity_bytes: int | None) -> None:
        self.capacity_bytes = capacity_bytes
        self.held_bytes = 0
        self.segments: OrderedDict[str, Segment] = OrderedDict()  # least recently used first
        self._by_link: dict[bytes, str] = {}
        self._by_end: dict[bytes, str] = {}

    def has(self, link: bytes) -> bool:
        return link in self._by_link

    def by_link(self, link: bytes) -> Segment | None:
        name = self._by_link.get(link)
        return None if name is None else self.segments[name]

    def by_end(self, end: bytes) -> Segment | None:
        name = self._by_end.get(end)
        return None if name is None else self.segments[name]

    def ends(self) -> set[int]:
        """Lengths in tokens of the prefixes that end here with what was observed."""
        return {self.segments[name].stop for name in self._by_end.values()}

    def add(self, segment: Segment) -> bool:
        """Keep a segment as the most recently used. False, and nothing is kept, if it alone is
        above the limit. Call `shrink` afterwards.
        """
        size = segment.held_bytes()
        if self.capacity_bytes is not None and size > self.capacity_bytes:
            return False
        earlier = self._by_end.get(segment.end) if segment.ending is not None else None
        if (
            earlier is not None and not self.segments[earlier].links
        ):  # the same end, observed otherwise
            self.remove(earlier)
        self.remove(segment.name)
        self.segments[segment.name] = segment
        self.held_bytes += size
        for link in segment.links:
            assert link not in self._by_link, f"block {link.hex()[:8]} is held twice"
            self._by_link[link] = segment.name
        if segment.ending is not None:
            self._by_end[segment.end] = segment.name
        return True

    def touch(self, names: Iterable[str]) -> None:
        """Mark as used, the last named most recently."""
        for name in names:
            if name in self.segments:
                self.segments.move_to_end(name)

    def shrink(self) -> list[Segment]:
        """Let the least recently used go until the limit holds; they are returned in the order they
        left.
        """
        gone = []
        while self.capacity_bytes is not None and self.held_bytes > self.capacity_bytes:
            gone.append(self.remove(next(iter(self.segments))))
        return [segment for segment in gone if segment is not None]

    def remove(self, name: str) -> Segment | None:
        segment = self.segments.pop(name, None)
        if segment is None:
            return None
        self.held_bytes -= segment.held_bytes()
        for link in segment.links:
            del self._by_link[link]
        if self._by_end.get(segment.end) == name:
            del self._by_end[segment.end]
        return segment
