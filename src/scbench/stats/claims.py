"""The six questions, in words, and the methods each is asked of.

Rules and reasons: docs/decisions/0105-findings-on-any-model.md, committed before there were
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from scbench.stats.headroom import CONTROLS, DENSE
from scbench.stats.paper import GLOBAL, PAPER_BOOK, SEMANTIC, STRING

MARGIN = 0.05  # what counts as close, as better, as hurt
# what counts as answered and as lost where a method keeps a fraction of the cache
ANSWER_IN_TEN = 0.10
HALF = 0.50  # less than every second answer is a failure
LEAST_GOLD_TOKENS = 3.0  # the first answer token of a turn comes from the cache before dropping
MOST_UNLIKE = 0.10  # by how much bytes may differ that are called equal
STRINGS = PAPER_BOOK.tasks_of(STRING)
RECALL = (*STRINGS, *PAPER_BOOK.tasks_of(SEMANTIC))
OTHERS = (*PAPER_BOOK.tasks_of(SEMANTIC), *PAPER_BOOK.tasks_of(GLOBAL))
ABILITY = {"strings": STRINGS, "others": OTHERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed, what decides, in words, and the stage whose control must lose for it."""

    key: str
    claim: str
    rule: str
    stage: str


CLAIMS = (
    Claim(
        key="a",
        claim="Query-aware dropping answers turn 1 and loses later turns.",
        rule="Multi-turn, gold answers of three tokens or more; each of snapkv, pyramidkv, adakv "
        "against dense: turn 1 above -10 points, later turns below -10 points.",
        stage="compression",
    ),
    Claim(
        key="b",
        claim="Sparse prefill with O(n) memory stays close to dense over all turns.",
        rule="Each of a-shape, tri-shape, minference, xattention, flexprefill against dense: above "
        "-5 points over all turns of both modes, and above -5 points over the later turns of "
        "multi-turn.",
        stage="generation",
    ),
    Claim(
        key="c",
        claim="Dynamic sparsity beats static sparsity at equal cost.",
        rule="Mean of minference, xattention, flexprefill minus mean of a-shape, tri-shape at the "
        "same budget, all turns of both modes: above +5 points. Where the static ones surely lose "
        "less than 5 points there is nothing to beat.",
        stage="generation",
    ),
    Claim(
        key="d",
        claim="A recurrent model fails recall after the context, and a hybrid keeps more per byte "
        "than a transformer compressed to its bytes.",
        rule="String and semantic tasks that the transformer solves. Recurrent model: below 50, "
        "asked if it solves such a task at a shorter length. Hybrid minus the transformer under "
        "kvzip and under keydiff at the hybrid's measured bytes (within 10 %): each above +5 "
        "points.",
        stage="",
    ),
    Claim(
        key="e",
        claim="Exact top-k at the same budget keeps what dropping loses.",
        rule="All turns of both modes: exact-topk against dense above -5 points, and exact-topk "
        "minus each of snapkv, pyramidkv, adakv, h2o above +5 points.",
        stage="compression",
    ),
    Claim(
        key="f",
        claim="Low-bit quantisation hurts exact-string recall first.",
        rule="Each of kivi and turboquant at 2 bits: its difference to dense on string tasks minus "
        "that on semantic and global ones below -5 points. One that surely loses less than 5 "
        "points on both is not low enough and does not decide.",
        stage="codec",
    ),
)


@dataclass(frozen=True, slots=True)
class Roles:
    """The methods of each question, at one share of the cache.

    >>> Roles("1/4").aware
    ('snapkv[tau=1/4]', 'pyramidkv[tau=1/4]', 'adakv[tau=1/4]')
    """

    tau: str

    def _at(self, *names: str) -> tuple[str, ...]:
        return tuple(f"{name}[tau={self.tau}]" for name in names)

    @property
    def aware(self) -> tuple[str, ...]:
        """Droppers that choose by the question."""
        return self._at("snapkv", "pyramidkv", "adakv")

    @property
    def dropping(self) -> tuple[str, ...]:
        return (*self.aware, *self._at("h2o"))

    @property
    def static(self) -> tuple[str, ...]:
        return self._at("a-shape", "tri-shape")

    @property
    def dynamic(self) -> tuple[str, ...]:
        return self._at("minference", "xattention", "flexprefill")

    @property
    def top_k(self) -> str:
        return self._at("exact-topk")[0]

    @property
    def codecs(self) -> tuple[str, ...]:
        return ("kivi", "turboquant[bits=2]")  # kivi has two bits unless told otherwise

    @property
    def at_equal_bytes(self) -> tuple[str, ...]:
        """Without a share: it is the hybrid's."""
        return ("kvzip", "keydiff")

    def of_stage(self, stage: str) -> tuple[str, ...]:
        """What is played where a cell counts for a stage."""
        return {
            "generation": (*self.static, *self.dynamic),
            "compression": (*self.dropping, self.top_k),
            "codec": self.codecs,
        }[stage]

    @property
    def first(self) -> tuple[str, ...]:
        """What is played before all others: dense, and the controls."""
        return (DENSE, *CONTROLS.values())
