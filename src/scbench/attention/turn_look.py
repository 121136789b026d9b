"""What dense attends to in one turn: an onlooker of the stream that is fed question and gold.

It keeps sums and sets, and no matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from scbench.attention.held import MethodKeys
from scbench.attention.masses import KeySpan, best_masses, entropy, fewest_keys, logits
from scbench.kernels import largest
from scbench.kv import ChosenSlots, LayerCache

ASKED, ANSWER, TURN, FIRST = "asked", "answer", "turn", "first"
EVIDENCE = "evidence"
SPARSE_PARTS = (0.9, 0.99)
MOST_NUMBERS = 1 << 24  # of one matrix of masses; more rows are looked at in pieces


class TurnRows(NamedTuple):
    """Which tokens of a turn's feed are the question and which write the answer.

    The last token of the prompt writes the answer's first token, so that it is the first of
    `answer` and none of `asked`.
    """

    asked: range
    answer: range

    @property
    def stop(self) -> int:
        return self.answer.stop


class TopSet(NamedTuple):
    """Whose most-attended keys: of which rows, among which keys, how large a share of these."""

    rows: str
    keys: str
    share: Fraction


class KeptMass(NamedTuple):
    """Attention of a row and query head (means) on some keys: what the method's keys have, what as
    many keys of exact top-k have (None: not asked), what all of them have."""

    mass: float
    best: float | None
    whole: float


@dataclass(slots=True)
class LayerSight:
    """What was seen of one layer. Sets are numbered within their span of keys."""

    tops: dict[TopSet, Tensor] = field(default_factory=dict)  # (H, G, K), int32
    heads: dict[str, Tensor] = field(default_factory=dict)  # (H * G,), means over the answer's rows
    kept: dict[str, dict[str, KeptMass]] = field(default_factory=dict)  # method -> keys -> masses
    held: dict[str, float] = field(default_factory=dict)  # method -> share of the context's keys


@dataclass(slots=True)
class _Sums:
    """Of one layer while its rows come in."""

    seen: int = 0
    rows: dict[str, Tensor] = field(default_factory=dict)  # (H, G, S)
    heads: dict[str, Tensor] = field(default_factory=dict)  # (H, G)
    kept: dict[tuple[str, str], Tensor] = field(default_factory=dict)  # mass, best, whole
    held: dict[str, Tensor] = field(default_factory=dict)


def _add(sums: dict[str, Tensor], name: str, x: Tensor) -> None:
    sums[name] = sums[name] + x if name in sums else x


class TurnLook:
    """Looks at the rows of one turn, layer by layer; `layers` holds what was seen when all came.

    `spans` are all keys and the inner ones; `evidence` are the context tokens that the turn's
    answer rests on.
    """

    def __init__(
        self,
        rows: TurnRows,
        *,
        spans: tuple[KeySpan, KeySpan],
        shares: Sequence[Fraction],
        evidence: Sequence[int] = (),
        methods: Sequence[MethodKeys] = (),
    ) -> None:
        self.rows = rows
        self.shares = tuple(shares)
        self.spans = spans
        self.evidence = torch.tensor(list(evidence), dtype=torch.int64)
        self.methods = methods
        self.layers: dict[int, LayerSight] = {}
        self._sums: dict[int, _Sums] = {}

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        """Dense chooses nothing."""

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        k_HSD = cache.stores[0].tensors()["k"]
        sums = self._sums.setdefault(layer, _Sums())
        heads, group, tokens, _ = q_HGTD.shape
        step = max(1, MOST_NUMBERS // (heads * group * k_HSD.shape[1]))
        for name, wanted in ((ASKED, self.rows.asked), (ANSWER, self.rows.answer)):
            start = max(0, wanted.start - sums.seen)
            stop = min(tokens, wanted.stop - sums.seen)
            for at in range(start, stop, step):
                part = slice(at, min(at + step, stop))
                products = logits(q_HGTD[:, :, part], k_HSD, scale=scale)
                p_HGTS = (products - lse_HGT[:, :, part].unsqueeze(-1)).exp()
                _add(sums.rows, name, p_HGTS.sum(dim=2))
                if name == ANSWER:
                    sums.rows.setdefault(FIRST, p_HGTS[:, :, 0].clone())
                    self._spread(sums, p_HGTS)
                    self._kept(layer, sums, q_HGTD[:, :, part], products, p_HGTS, scale)
        sums.seen += tokens
        if sums.seen >= self.rows.stop:
            self.layers[layer] = self._reduced(self._sums.pop(layer))

    def _spread(self, sums: _Sums, p_HGTS: Tensor) -> None:
        """How the mass of each head lies on the context."""
        for span in self.spans:
            own = span.of(p_HGTS)
            for part in SPARSE_PARTS:
                few = fewest_keys(own, part) / span.keys
                _add(sums.heads, f"{span.name}_{round(100 * part)}", few.sum(dim=2))
            _add(sums.heads, f"{span.name}_mass", own.sum(dim=(2, 3)))
            _add(sums.heads, f"{span.name}_entropy", entropy(own).sum(dim=2))
        on_evidence = p_HGTS[..., self.evidence.to(p_HGTS.device)].sum(dim=(2, 3))
        _add(sums.heads, "evidence_mass", on_evidence)

    def _kept(
        self,
        layer: int,
        sums: _Sums,
        q_HGTD: Tensor,
        products: Tensor,
        p_HGTS: Tensor,
        scale: float,
    ) -> None:
        """The mass on each method's keys, and on as many of exact top-k."""
        best: dict[tuple[int, str], Tensor] = {}
        evidence = self.evidence.to(p_HGTS.device)
        for keys in self.methods:
            name = str(keys.method)
            mask = keys.mask(layer, q_HGTD, scale=scale)
            kept = p_HGTS * mask
            choices = mask.shape[1]
            for span in self.spans:
                own = span.of(p_HGTS)
                if (choices, span.name) not in best:
                    best[choices, span.name] = best_masses(own, span.of(products), choices=choices)
                counts = span.of(mask).sum(dim=-1, keepdim=True).expand(*p_HGTS.shape[:3], 1)
                reference = best[choices, span.name].gather(-1, counts)
                masses = (span.of(kept).sum(), reference.sum(), own.sum())
                self._note(sums, name, span.name, torch.stack(masses))
            whole = p_HGTS[..., evidence].sum()
            mass = kept[..., evidence].sum()
            self._note(sums, name, EVIDENCE, torch.stack([mass, torch.zeros_like(mass), whole]))
            _add(sums.held, name, mask.float().mean() * p_HGTS.shape[2])

    @staticmethod
    def _note(sums: _Sums, method: str, keys: str, masses: Tensor) -> None:
        before = sums.kept.get((method, keys))
        sums.kept[method, keys] = masses if before is None else before + masses

    def _reduced(self, sums: _Sums) -> LayerSight:
        """Sums of a layer to sets, means and shares; what is as long as the context is dropped."""
        rows = sums.rows
        # A question without a token of its own is the prompt's last token.
        asked = rows.setdefault(ASKED, rows[FIRST])
        rows[TURN] = asked + rows[ANSWER]
        seen = LayerSight()
        for name, mass_HGS in rows.items():
            for span in self.spans:
                for share in self.shares:
                    top = largest(span.of(mass_HGS), span.count(share))
                    seen.tops[TopSet(name, span.name, share)] = top.to("cpu", torch.int32)
        answers = len(self.rows.answer)
        heads, group, _ = rows[ANSWER].shape
        seen.heads = {name: (x / answers).flatten().cpu() for name, x in sums.heads.items()}
        of = answers * heads * group
        for (method, keys), masses in sums.kept.items():
            mass, best, whole = (masses / of).tolist()
            told = KeptMass(mass, None if keys == EVIDENCE else best, whole)
            seen.kept.setdefault(method, {})[keys] = told
        seen.held = {method: float(x) / answers for method, x in sums.held.items()}
        return seen
