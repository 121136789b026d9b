"""What stages promise of themselves (`Stage.invariants`), played on a trial of the method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.repeat import pieces
from scbench.engines.rotation import QueryProbe
from scbench.exam.law import EVIDENCE, OTHER, QUERY, context, read
from scbench.exam.laws_positions import AsStored
from scbench.exam.masked_model import frequencies, turned
from scbench.exam.pattern_law import CHANNELS, SCALE, gates_of, probed
from scbench.kv import Read, Snapshot, Stream
from scbench.methods.contract import Generation, is_default
from scbench.methods.fork import fork
from scbench.methods.invariants import Check, Fed, Passed, Probed, Repeated, Trial
from scbench.methods.method import Method
from scbench.methods.retrieval.blended_chunks import chunked
from scbench.play.blending import Blending

FEEDS = (QUERY, (9,), OTHER)
TEXT = (
    "The red key opens door number seven. Why? Nobody knew, said Ann, and put the key back.\n"
    "Bob has twelve apples, and Ann has none; the apples of Bob are red, and so is the key.\n"
    "On Monday the keeper of the house, a tall man, counted eleven doors and only nine keys.\n"
) * 3


def promises(engine: LocalEngine, method: Method) -> dict[str, tuple[Check, Trial]]:
    """Every check that a stage brings along, by what it says, and what it is played on."""
    found: dict[str, tuple[Check, Trial]] = {}
    trial: Trial | None = None
    for stage in dict.fromkeys(method.stages):
        for statement, check in stage.invariants().items():
            trial = trial or trial_of(engine, method)
            found[f"{stage.name or type(stage).__name__} promises: {statement}"] = (check, trial)
    return found


def trial_of(engine: LocalEngine, method: Method) -> Trial:
    ids = context()
    snapshot = read(engine, method, ids)
    with_gold = method.eviction is not None and method.eviction.traits.uses_gold
    stream = fork(snapshot, method)
    is_dense = is_default(method.generation) and is_default(method.retrieval)
    makers: dict[str, Callable[[], Any]] = {
        "context": lambda: _context(engine, ids) if is_dense else None,
        "repeats": lambda: _repeats(engine, snapshot),
        "fed": lambda: _fed(engine, stream.fork()),
        "probed": lambda: _probed(engine, method.generation, len(ids)),
        "blended": lambda: _blended(engine, method, ids),
    }
    return Trial(
        shape=engine.facts.shape,
        tokens=len(ids),
        views=[snapshot.view(layer, with_gold=with_gold) for layer in snapshot.layers],
        stream=stream,
        evidence=EVIDENCE,
        text=TEXT,
        turn=lambda k_SD, by_S: turned(k_SD, by_S, frequencies(engine)),
        makers=makers,
    )


@torch.inference_mode()
def _context(engine: LocalEngine, ids: Sequence[int]) -> list[Passed]:
    probe = QueryProbe()
    engine._forward(probe, ids, range(len(ids)), [0], engine.empty())
    return [Passed(probe.queries[at], probe.keys[at], probe.keys[at]) for at in probe.queries]


class Listening:
    """A tail that notes what passes, and is otherwise the tail it stands for."""

    def __init__(self, tail: Any, heard: list[list[Tensor]]) -> None:
        self.tail, self.heard = tail, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tail, name)

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self.heard.append([k_HTD.clone(), v_HTD.clone()])
        self.tail.append(k_HTD, v_HTD)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        self.heard[-1].insert(0, q_HGTD.clone())
        found: Read = self.tail.attend(q_HGTD, scale=scale)
        return found


def _listened(engine: LocalEngine, stream: Stream, ids: Sequence[int]) -> list[Passed]:
    """What passes the layers while tokens are fed to a stream, which goes on as it was."""
    heard: list[list[list[Tensor]]] = []
    for cache in stream.layers.values():
        heard.append([])
        cache.tail = Listening(cache.tail, heard[-1])
    engine.advance([Feed(stream, ids)])
    for cache in stream.layers.values():
        assert isinstance(cache.tail, Listening), "every tail listens"
        cache.tail = cache.tail.tail
    return [Passed(*(torch.cat(side, dim=-2) for side in zip(*one, strict=True))) for one in heard]


def _fed(engine: LocalEngine, stream: Stream) -> list[Fed]:
    found = []
    for piece in FEEDS:
        passed = _listened(engine, stream, piece)
        held = [
            [stream.positions(layer, head) for head in range(len(passed[at].k_HTD))]
            for at, layer in enumerate(stream.layers)
        ]
        found.append(Fed(passed, held))
    return found


def _repeats(engine: LocalEngine, snapshot: Snapshot) -> list[Repeated]:
    return [
        Repeated(piece.start, piece.stop, _listened(engine, snapshot.fork(), piece.ids))
        for piece in pieces(snapshot.ids, engine.tokenizer)
    ]


def _probed(engine: LocalEngine, pattern: Generation, tokens: int) -> Probed:
    shape = engine.facts.shape.alike
    layer = 1  # of those that gates tell apart
    spin = Spin()
    seen = probed(pattern, shape, tokens, layer=layer, turning=spin)
    gates = gates_of(shape.kv_heads)
    return Probed(seen.q_HGTD, seen.k_HSD, seen.part.out, SCALE, gates, layer, spin.moved)


class Spin:
    """A rotation of the first channels, as a read has one that moves keys to other distances."""

    steady = True

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        return self.moved(flat, positions.repeat(len(flat) // len(positions))).view(x.shape)

    def backward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self.forward(x, -positions)

    @staticmethod
    def moved(x_SD: Tensor, by_S: Tensor) -> Tensor:
        frequencies_R = 0.6 ** torch.arange(1.0, CHANNELS // 2 + 1)
        return turned(x_SD, by_S, frequencies_R)


class BlendSeen(NamedTuple):
    """A blended context: the rows computed in each layer; K and V of each layer as they were found,
    side by side, as a dense read makes them, and as the blend left them."""

    rows: Sequence[Tensor]
    stored: list[tuple[Tensor, Tensor]]
    dense: list[tuple[Tensor, Tensor]]
    mixed: list[tuple[Tensor, Tensor]]


def _blended(engine: LocalEngine, method: Method, ids: list[int]) -> BlendSeen:
    stage = chunked(method)
    assert stage is not None, "only what blends is asked for it"
    kept: Any = AsStored(stage)
    made = Blending(engine).read(ids, stage).blend
    sides = (Blending(engine).read(ids, kept).snapshot, engine.read(ids), made.snapshot)
    stored, dense, mixed = (
        [(view.k_HSD, view.v_HSD) for view in (side.view(layer) for layer in side.layers)]
        for side in sides
    )
    return BlendSeen(made.rows, stored, dense, mixed)
