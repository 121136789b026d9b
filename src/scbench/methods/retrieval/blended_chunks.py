"""Contexts put together from stored chunks: where a context is cut, in which order an earlier
request had the pieces, and who finds them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv.pool import Hit, Pool
from scbench.methods.contract import Retrieval
from scbench.methods.method import Method
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, torch

BLANK_LINE, LINE, SENTENCE, CLAUSE, NOTHING = (
    4,
    3,
    2,
    1,
    0,
)  # how good a border is after a token, best first
ENDS = ((SENTENCE, (".", "!", "?", "。", "！", "？")), (CLAUSE, (",", ";", "，", "；", "}", "]")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunked(Retrieval):
    """A retrieval stage that reads a context as pieces, finds each in a pool by its content, and
    mends what the pieces do not know of each other.

    The runner cuts the context at `borders`, reads and stores what the pool does not hold (`order`
    says whether alone or as part of an earlier request), and has the engine blend them under this
    stage's `rows_at` and `best`.
    """

    traits: ClassVar[Traits] = Traits(is_blended=True)

    @property
    def kept_as(self) -> str:
        """All parameters that change what is stored; stages that agree on it share their pools."""
        raise NotImplementedError

    @property
    def lead_tokens(self) -> int:
        """First tokens of the context that a piece read alone sees before it; they are not stored
        with it.
        """
        raise NotImplementedError

    def borders(self, texts: Sequence[str]) -> list[int]:
        """Ascending token indices at which new pieces begin (0 left out), from the text of every
        token. Raises Mismatch if there are none.
        """
        raise NotImplementedError

    def order(self, pieces: int) -> list[int] | None:
        """The order in which an earlier request had the pieces, whose read filled the pool; None if
        each piece was read alone.
        """
        raise NotImplementedError

    def rows_at(self, layer: int, *, layers: int, tokens: int) -> int:
        """How many tokens are computed in `layer` (0-based); the rest is taken from the pool. Never
        grows with the layer.
        """
        raise NotImplementedError

    @property
    def writes(self) -> bool:
        """Whether computed K and V replace the stored ones. False: plain concatenation; then only
        the last token is computed, for its logits.
        """
        raise NotImplementedError

    def best(self, k_gap_N: Tensor, v_gap_N: Tensor, rows: int) -> Tensor:
        """Which `rows` of N tokens stay, ascending, by the squared distance of their computed K and
        V from the stored ones.
        """
        raise NotImplementedError

    def pool(self, salt: str) -> Pool:
        return Pool(block_tokens=1, salt=f"{salt} chunks {self.kept_as}")

    def lookup(self, pool: Pool, ids: Sequence[int]) -> Hit | None:
        """A stored piece that begins with all of `ids`, or None: half a piece is of no use."""
        hit = pool.lookup(
            (*ids, 0)
        )  # a pool leaves one token to compute, and a piece is wanted whole
        return hit if hit is not None and hit.tokens == len(ids) else None


def by_units(texts: Sequence[str], chunk_tokens: int) -> list[int]:
    """Borders about every `chunk_tokens` tokens: the best end of a text unit within a quarter of a
    chunk, the nearest among equals.

    As many pieces as `rounded_pieces` says; the best end is a blank line, then a line, a sentence,
    a clause.
    """
    found, reach = list[int](), chunk_tokens // 4
    for at in range(
        chunk_tokens, chunk_tokens * rounded_pieces(len(texts), chunk_tokens), chunk_tokens
    ):
        near = range(max(1, at - reach), min(len(texts) - 1, at + reach) + 1)
        found.append(min(near, key=lambda cut: (-_rank(texts, cut), abs(cut - at), cut)))
    return found


def at_separator(texts: Sequence[str], separator: str) -> list[int]:
    """Borders before every token in which `separator` begins: each document with what marks it."""
    starts, whole = [0], "".join(texts)
    for text in texts:
        starts.append(starts[-1] + len(text))
    found, token, at = list[int](), 0, whole.find(separator)
    while at >= 0:
        while starts[token + 1] <= at:
            token += 1
        if token and token not in found[-1:]:
            found.append(token)
        at = whole.find(separator, at + len(separator))
    return found


def rounded_pieces(tokens: int, chunk_tokens: int) -> int:
    """Pieces of about `chunk_tokens`: none is shorter than a quarter of one."""
    return max(1, (2 * tokens + chunk_tokens) // (2 * chunk_tokens))


def no_piece_stays(pieces: int, seed: int) -> list[int]:
    """A seeded order of the pieces in which the first, which has the template's head, stays first
    and no other keeps its place (Sattolo).
    """
    if pieces < 3:
        raise Mismatch(
            f"{pieces} pieces have no other order (the first always opens the request); at least 3 "
            f"are needed"
        )
    order, draw = list(range(pieces)), Random(f"order of {pieces} pieces, seed {seed}")
    for last in range(pieces - 1, 1, -1):
        other = draw.randrange(1, last)
        order[last], order[other] = order[other], order[last]
    return order


def largest_rows(score_N: Tensor, rows: int) -> Tensor:
    """The `rows` largest, ascending; ties go to the lower index."""
    return torch.sort(score_N, descending=True, stable=True).indices[:rows].sort().values


def _rank(texts: Sequence[str], cut: int) -> int:
    """How good a border before token `cut` is."""
    last = texts[cut - 1]
    if last.endswith("\n"):
        before = last if len(last) > 1 or cut < 2 else texts[cut - 2] + last
        return BLANK_LINE if before.endswith("\n\n") else LINE
    said = last.rstrip(" ")
    return next((rank for rank, ends in ENDS if said.endswith(ends)), NOTHING)


def chunked(method: Method) -> Chunked | None:
    """The stage that puts a method's context together from stored chunks; None where it is read."""
    stage = method.retrieval
    return stage if isinstance(stage, Chunked) else None
