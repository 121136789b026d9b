"""The paper's central findings as claims with decision rules that were written down before there
were numbers (docs/decisions/0070-findings.md).

Only cells where full attention of the transformer passes the gate of its card count. A claim holds
if all its binding checks hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from scbench.stats.checks import (
    EVERY_TURN,
    FIRST_TURN,
    LATER_TURNS,
    Arm,
    CellName,
    Check,
    Side,
    Verdict,
    all_of,
    apart,
    check,
    difference,
    gated,
    judge,
    level,
)
from scbench.stats.frame import frame
from scbench.stats.intervals import Estimate
from scbench.stats.paper import GLOBAL, PAPER_BOOK, SEMANTIC, STRING
from scbench.types import Record

MARGIN = 0.05  # what counts as close, as better, as hurt
ANSWER_IN_TEN = (
    0.10  # what counts as answered and as lost where a method keeps a fraction of the cache
)
HALF = 0.50  # less than every second answer is a failure

# slots per KV head, keys per row, keys per step: the same for all methods with a budget, at all
# lengths
BUDGET_TOKENS = 64
DENSE = "dense"
STATIC = tuple(f"{name}[budget_tokens={BUDGET_TOKENS}]" for name in ("a-shape", "tri-shape"))
DYNAMIC = tuple(
    f"{name}[budget_tokens={BUDGET_TOKENS}]" for name in ("minference", "xattention", "flexprefill")
)
DROPPING = tuple(
    f"{name}[budget_tokens={BUDGET_TOKENS}]" for name in ("streaming-llm", "snapkv", "h2o")
)
TOP_K = f"exact-topk[budget_tokens={BUDGET_TOKENS}]"
CODECS = ("kivi", "rtn", "turboquant[bits=2]")  # kivi has 2 bits, rtn 4
METHODS = (DENSE, *STATIC, *DYNAMIC, *DROPPING, TOP_K, *CODECS)
RECALL = (*PAPER_BOOK.tasks_of(STRING), *PAPER_BOOK.tasks_of(SEMANTIC))
STRINGS = PAPER_BOOK.tasks_of(STRING)
OTHERS = (*PAPER_BOOK.tasks_of(SEMANTIC), *PAPER_BOOK.tasks_of(GLOBAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Names of the three matched models, as records have them."""

    transformer: str
    recurrent: str
    hybrid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed and what decides, in words."""

    key: str
    claim: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    claim: Claim
    checks: tuple[Check, ...]
    verdict: Verdict
    figures: Mapping[str, float] = field(
        default_factory=dict
    )  # other numbers to read it by; names end in their unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`reference` is what full attention of the transformer scores in these very records, on the
    cells that count.
    """

    roles: Roles
    cells: tuple[CellName, ...]
    reference: Estimate
    findings: tuple[Finding, ...]
    noted: Mapping[str, int] = field(default_factory=dict)  # of the reference's turns


CLAIMS = (
    Claim(
        key="a",
        claim="Methods with less than O(n) memory answer turn 1 and lose later turns.",
        rule="Multi-turn; each of streaming-llm, snapkv, h2o against dense: turn 1 above -10 "
        "points, later turns below -10 points.",
    ),
    Claim(
        key="b",
        claim="Sparse prefill with O(n) memory stays close to dense over all turns.",
        rule="Each of a-shape, tri-shape, minference, xattention, flexprefill against dense: above "
        "-5 points over all turns of both modes, "
        "and above -5 points over the later turns of multi-turn.",
    ),
    Claim(
        key="c",
        claim="Dynamic sparsity beats static sparsity at equal cost.",
        rule="Mean of minference, xattention, flexprefill minus mean of a-shape, tri-shape, same "
        "keys a row, all turns of both modes: above "
        "+5 points. The six pairs are shown and do not bind.",
    ),
    Claim(
        key="d",
        claim="The recurrent model fails recall after the context, while the hybrid keeps more per "
        "byte held.",
        rule="String and semantic retrieval, dense: score of the recurrent model below 50; hybrid "
        "minus each of the two others, scores at equal "
        "bytes (score x fewer bytes of the two / own bytes), above +5 points.",
    ),
    Claim(
        key="e",
        claim="Exact top-k at the same budget keeps what dropping loses.",
        rule="All turns of both modes: exact-topk against dense above -5 points, and exact-topk "
        "minus each of streaming-llm, snapkv, h2o above +5 points.",
    ),
    Claim(
        key="f",
        claim="Low-bit quantisation hurts exact-string recall first.",
        rule="Each of kivi (2 bits), rtn (4 bits), turboquant (2 bits): its difference to dense on "
        "string tasks minus that on semantic and global "
        "ones below -5 points. One that surely loses less than 5 points on both is not low enough "
        "and does not bind; if none binds, nobody can tell.",
    ),
)


def passing(cells: Iterable[Mapping[str, object]]) -> frozenset[CellName]:
    """The cells of a model's card that passed its gate."""
    return frozenset(
        (str(one["task"]), int(str(one["length_tokens"])), str(one["mode"]))
        for one in cells
        if one["passes"]
    )


def findings(records: Sequence[Record], gate: Collection[CellName], roles: Roles) -> Findings:
    """All six, whatever is missing: a claim without its numbers is one that nobody can tell. Raises
    BadRecord for mixed protocols or forms.
    """
    turns = gated(frame(records), gate)
    found = [finding(claim, turns, roles) for claim in CLAIMS]
    ran = {
        (str(task), int(length), str(mode))
        for task, length, mode in turns.select("task", "length_tokens", "mode").unique().iter_rows()
    }
    dense = level(turns, Arm(roles.transformer, (DENSE,)))
    return Findings(
        roles=roles,
        cells=tuple(sorted(ran)),
        reference=dense.estimate,
        findings=tuple(found),
        noted=dense.noted,
    )


def finding(claim: Claim, turns: pl.DataFrame, roles: Roles) -> Finding:
    """One claim on the turns that count (`checks.gated`)."""
    checks = MAKERS[claim.key](turns, roles)
    figures = held_bytes(turns, roles) if claim.key == "d" else {}
    return Finding(
        claim=claim,
        checks=tuple(checks),
        verdict=all_of(one.verdict for one in checks if one.binds),
        figures=figures,
    )


def short(method: str) -> str:
    """A method's name without its parameters."""
    return method.partition("[")[0]


def _against_dense(
    turns: pl.DataFrame,
    roles: Roles,
    method: str,
    where: pl.Expr,
    when: str,
    side: Side,
    threshold: float,
) -> Check:
    one, dense = (Arm(roles.transformer, (name,)) for name in (method, DENSE))
    return check(
        f"{short(method)} - dense, {when}", difference(turns, one, dense, where), side, threshold
    )


def dropping(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim a."""
    parts = ((FIRST_TURN, "turn 1", Side.ABOVE), (LATER_TURNS, "later turns", Side.BELOW))
    return [
        _against_dense(turns, roles, method, where, when, side, -ANSWER_IN_TEN)
        for method in DROPPING
        for where, when, side in parts
    ]


def sparse(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim b."""
    parts = ((EVERY_TURN, "all turns"), (LATER_TURNS, "later turns"))
    return [
        _against_dense(turns, roles, method, where, when, Side.ABOVE, -MARGIN)
        for method in (*STATIC, *DYNAMIC)
        for where, when in parts
    ]


def dynamic(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim c."""
    kinds = difference(turns, Arm(roles.transformer, DYNAMIC), Arm(roles.transformer, STATIC))
    found = [check("mean of dynamic - mean of static", kinds, Side.ABOVE, MARGIN)]
    for one in DYNAMIC:
        for other in STATIC:
            number = difference(
                turns, Arm(roles.transformer, (one,)), Arm(roles.transformer, (other,))
            )
            found.append(
                check(f"{short(one)} - {short(other)}", number, Side.ABOVE, MARGIN, binds=False)
            )
    return found


def architectures(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim d."""
    recall = pl.col("task").is_in(RECALL)
    transformer, recurrent, hybrid = (
        Arm(name, (DENSE,)) for name in (roles.transformer, roles.recurrent, roles.hybrid)
    )
    found = [
        check(
            f"score of {recurrent.model}",
            level(turns, recurrent, recall, reference=transformer),
            Side.BELOW,
            HALF,
            is_difference=False,
        )
    ]
    for other in (recurrent, transformer):
        number = difference(turns, hybrid, other, recall, is_per_byte=True)
        found.append(
            check(f"{hybrid.model} - {other.model}, at equal bytes", number, Side.ABOVE, MARGIN)
        )
    for other in (recurrent, transformer):
        number = difference(turns, hybrid, other, recall)
        found.append(
            check(
                f"{hybrid.model} - {other.model}, as they are",
                number,
                Side.ABOVE,
                -MARGIN,
                binds=False,
            )
        )
    return found


def held_bytes(turns: pl.DataFrame, roles: Roles) -> dict[str, float]:
    """Mean bytes that each model's dense cache held after an answer of the recall tasks."""
    seen, found = turns.filter(pl.col("task").is_in(RECALL)), dict[str, float]()
    for model in (roles.transformer, roles.recurrent, roles.hybrid):
        mean = Arm(model, (DENSE,)).scores(seen)["held_bytes"].mean()
        if isinstance(mean, float):
            found[f"{model} held_bytes"] = mean
    return found


def oracle(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim e."""
    found = [_against_dense(turns, roles, TOP_K, EVERY_TURN, "all turns", Side.ABOVE, -MARGIN)]
    for method in DROPPING:
        number = difference(
            turns, Arm(roles.transformer, (TOP_K,)), Arm(roles.transformer, (method,))
        )
        found.append(check(f"{short(TOP_K)} - {short(method)}", number, Side.ABOVE, MARGIN))
    return found


def codecs(turns: pl.DataFrame, roles: Roles) -> list[Check]:
    """Claim f: per codec the difference of two differences, and these two beside it."""
    found: list[Check] = []
    for method in CODECS:
        one, dense = (Arm(roles.transformer, (name,)) for name in (method, DENSE))
        parts = [
            (what, difference(turns, one, dense, pl.col("task").is_in(tasks)))
            for what, tasks in (("strings", STRINGS), ("others", OTHERS))
        ]
        shown = [
            check(f"{short(method)} - dense, {what}", number, Side.BELOW, -MARGIN, binds=False)
            for what, number in parts
        ]
        (_, strings), (_, others) = parts
        estimate = apart(strings.estimate, others.estimate)
        whole = replace(
            shown[0],
            what=f"{short(method)}, strings against others",
            estimate=estimate,
            verdict=judge(estimate, Side.BELOW, -MARGIN),
        )
        whole = replace(
            whole,
            binds=True,
            cells=strings.cells + others.cells,
            missing_turns=strings.missing_turns + others.missing_turns,
        )
        if incomplete := [one for one in shown if one.why]:
            whole = replace(whole, verdict=Verdict.UNKNOWN, why=incomplete[0].why)
        elif all(one.verdict is Verdict.FAILS for one in shown):
            whole = replace(whole, binds=False, why="not low enough to hurt either")
        found += [whole, *shown]
    return found


MAKERS: Mapping[str, Callable[[pl.DataFrame, Roles], list[Check]]] = {
    "a": dropping,
    "b": sparse,
    "c": dynamic,
    "d": architectures,
    "e": oracle,
    "f": codecs,
}
