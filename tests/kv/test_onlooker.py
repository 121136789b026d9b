"""Who looks on while a stream is read from: what is told, to whom, and that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.kv import ChosenSlots, LayerCache, Stream
from scbench.methods import parse
from scbench.methods.fork import fork

CONTEXT = [(7 * at) % 90 + 5 for at in range(96)]


@dataclass
class Noted:
    """An onlooker that keeps all that it is told."""

    masses: list[tuple[int, Tensor]] = field(default_factory=list)
    choices: list[tuple[int, Tensor]] = field(default_factory=list)

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        assert rank == 0
        assert chosen.slots_HCTR is not None
        self.choices.append((layer, chosen.slots_HCTR[:, :, rows.start : rows.stop]))

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        held = torch.cat(
            [*(store.tensors()["k"] for store in cache.stores), cache.tail.tensors()["k"]], dim=1
        )
        logits_HGTS = torch.einsum("hgtd,hsd->hgts", q_HGTD, held) * scale
        self.masses.append((layer, (logits_HGTS - lse_HGT.unsqueeze(-1)).exp().sum(dim=-1)))


def two(spelling: str) -> tuple[Stream, Stream]:
    engine = tiny("gqa")
    snapshot = engine.read(CONTEXT)
    left, right = (fork(snapshot, parse(spelling)) for _ in range(2))
    return left, right


def test_an_onlooker_is_told_the_whole_mass_of_its_own_rows_and_no_others() -> None:
    engine = tiny("gqa")
    watched, plain = two("dense")
    watched.onlooker = seen = Noted()
    together = engine.advance([Feed(plain, [3, 4]), Feed(watched, [5]), Feed(plain.fork(), [6])])
    assert [layer for layer, _ in seen.masses] == list(watched.layers)
    for _, mass_HGT in seen.masses:
        assert mass_HGT.shape[2] == 1
        assert torch.allclose(mass_HGT, torch.ones_like(mass_HGT), atol=1e-5)
    alone = engine.advance([Feed(two("dense")[1], [5])])[0]
    assert torch.allclose(together[1], alone, atol=1e-5)


def test_an_onlooker_is_told_what_was_chosen_for_its_own_tokens() -> None:
    engine = tiny("gqa")
    watched, plain = two("exact-topk[budget_tokens=8]")
    watched.onlooker, other = Noted(), Noted()
    plain.onlooker = other
    engine.advance([Feed(watched, [5]), Feed(plain, [9])])
    lone = two("exact-topk[budget_tokens=8]")[0]
    lone.onlooker = alone = Noted()
    engine.advance([Feed(lone, [9])])
    assert [layer for layer, _ in other.choices] == list(plain.layers)
    for (_, together), (_, apart) in zip(other.choices, alone.choices, strict=True):
        assert torch.equal(together.sort(dim=-1).values, apart.sort(dim=-1).values)


def test_a_child_of_a_watched_stream_is_not_watched() -> None:
    watched, _ = two("dense")
    watched.onlooker = Noted()
    assert watched.fork().onlooker is None
