"""The paper's six questions put to the records of a model, by the rules of `stats/claims.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from scbench.stats.checks import (
    EVERY_TURN,
    FIRST_TURN,
    LATER_TURNS,
    Arm,
    Check,
    Side,
    Verdict,
    all_of,
    apart,
    check,
    difference,
    judge,
    level,
)
from scbench.stats.claims import (
    ABILITY,
    ANSWER_IN_TEN,
    CLAIMS,
    HALF,
    LEAST_GOLD_TOKENS,
    MARGIN,
    MOST_UNLIKE,
    RECALL,
    Claim,
    Roles,
)
from scbench.stats.frame import frame
from scbench.stats.headroom import (
    CONTROLS,
    DENSE,
    By,
    CellGate,
    CellName,
    gate_of,
    turns_of,
    within,
)
from scbench.stats.intervals import Estimate
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.task_cards import TaskCard
from scbench.types import Mode, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Names as records have them; without a recurrent model and a hybrid claim (d) is not asked."""

    transformer: str
    recurrent: str = ""
    hybrid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`cells` are those that count for it; `why` says why there are no checks, or what is not
    among them."""

    claim: Claim
    verdict: Verdict
    checks: tuple[Check, ...] = ()
    cells: tuple[CellName, ...] = ()
    why: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)  # names end in their unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All six. `reference` is what dense scores over the cells that it solves."""

    models: Models
    tau: str
    gate: CellGate
    reference: Estimate
    findings: tuple[Finding, ...]
    noted: Mapping[str, int] = field(default_factory=dict)  # of the reference's turns


def findings(
    records: Sequence[Record],
    models: Models,
    *,
    tau: str = "1/4",
    by: By | None = None,
    task_cards: Mapping[str, TaskCard] | None = None,
) -> Findings:
    """All six, whatever is missing: a claim without its numbers is one that nobody can tell.

    `by` None: by score where dense solves a cell, else by agreement. `task_cards` are those of
    tasks that the run brought: their chance, and what they share questions with. Raises BadRecord
    for mixed protocols or forms.
    """
    table = frame(records)
    book = TaskBook(task_cards or {})
    turns, gate = judged_by(table, models.transformer, by, book)
    asking = Questioning(turns, models, gate, Roles(tau))
    dense = level(within(turns, gate.solved), Arm(models.transformer, (DENSE,)))
    return Findings(
        models=models,
        tau=tau,
        gate=gate,
        reference=dense.estimate,
        findings=tuple(MAKERS[claim.key](asking, claim) for claim in CLAIMS),
        noted=dense.noted,
    )


def judged_by(
    table: pl.DataFrame, model: str, by: By | None, book: TaskBook = PAPER_BOOK
) -> tuple[pl.DataFrame, CellGate]:
    """The rows and which of their cells count. Without `by`: by score if dense solves anything."""
    turns = turns_of(table, by or By.SCORE, book)
    gate = gate_of(turns, model, by or By.SCORE)
    if by is not None or gate.solved:
        return turns, gate
    turns = turns_of(table, By.AGREEMENT, book)
    return turns, gate_of(turns, model, By.AGREEMENT)


@dataclass(frozen=True, slots=True)
class Questioning:
    """The rows of one run, and what of them may be asked."""

    turns: pl.DataFrame
    models: Models
    gate: CellGate
    roles: Roles

    def arm(self, *methods: str) -> Arm:
        return Arm(self.models.transformer, methods)

    def rows(self, cells: Collection[CellName]) -> pl.DataFrame:
        return within(self.turns, cells)

    def played(self, methods: Sequence[str], cells: Collection[CellName]) -> tuple[str, ...]:
        mine = self.rows(cells).filter(pl.col("model") == self.models.transformer)
        known = set(mine["method"].unique())
        return tuple(method for method in methods if method in known)

    def against_dense(
        self, rows: pl.DataFrame, method: str, where: pl.Expr, when: str, side: Side, limit: float
    ) -> Check:
        number = difference(rows, self.arm(method), self.arm(DENSE), where)
        return check(f"{short(method)} - dense, {when}", number, side, limit)

    def untold(self, stage: str, cells: Collection[CellName]) -> tuple[Verdict, str] | None:
        """Why nothing can be asked of a stage; None if it can."""
        if cells:
            return None
        solved = self.gate.solved
        if not solved:
            return Verdict.UNKNOWN, "dense solves no cell that was played"
        if not self.gate.has_control(stage):
            return Verdict.UNKNOWN, f"{CONTROLS[stage]}, which must lose, was not played"
        lost = [one.losses.get(stage) for one in self.gate.standings if one.cell in solved]
        most = max(value for value in lost if value is not None)
        return (
            Verdict.NO_HEADROOM,
            f"{CONTROLS[stage]}, which must lose 20 points, loses {100 * most:.0f} at most in "
            f"{len(solved)} cells that dense solves",
        )


def short(method: str) -> str:
    """A method's name without its parameters."""
    return method.partition("[")[0]


def _untold(claim: Claim, told: tuple[Verdict, str]) -> Finding:
    return Finding(claim=claim, verdict=told[0], why=told[1])


def _found(
    claim: Claim, checks: Sequence[Check], cells: Collection[CellName], missing: Sequence[str] = ()
) -> Finding:
    names = ", ".join(short(method) for method in missing)
    return Finding(
        claim=claim,
        verdict=all_of(one.verdict for one in checks if one.binds),
        checks=tuple(checks),
        cells=tuple(sorted(cells)),
        why=f"not played: {names}" if missing else "",
    )


def _missing(methods: Sequence[str], played: Sequence[str]) -> tuple[str, ...]:
    return tuple(method for method in methods if method not in played)


def dropping(asking: Questioning, claim: Claim) -> Finding:
    """Claim a."""
    counting = asking.gate.counting(claim.stage)
    if told := asking.untold(claim.stage, counting):
        return _untold(claim, told)
    cells = {
        cell
        for cell in asking.gate.counting(claim.stage, LEAST_GOLD_TOKENS)
        if cell[2] == Mode.MULTI_TURN
    }
    if not cells:
        why = "no cell that counts is multi-turn with gold answers of three tokens or more"
        return _untold(claim, (Verdict.UNKNOWN, why))
    rows, played = asking.rows(cells), asking.played(asking.roles.aware, cells)
    parts = ((FIRST_TURN, "turn 1", Side.ABOVE), (LATER_TURNS, "later turns", Side.BELOW))
    checks = [
        asking.against_dense(rows, method, where, when, side, -ANSWER_IN_TEN)
        for method in played
        for where, when, side in parts
    ]
    return _found(claim, checks, cells, _missing(asking.roles.aware, played))


def sparse(asking: Questioning, claim: Claim) -> Finding:
    """Claim b."""
    cells = asking.gate.counting(claim.stage)
    if told := asking.untold(claim.stage, cells):
        return _untold(claim, told)
    methods = (*asking.roles.static, *asking.roles.dynamic)
    rows, played = asking.rows(cells), asking.played(methods, cells)
    checks = [
        asking.against_dense(rows, method, where, when, Side.ABOVE, -MARGIN)
        for method in played
        for where, when in ((EVERY_TURN, "all turns"), (LATER_TURNS, "later turns"))
    ]
    return _found(claim, checks, cells, _missing(methods, played))


def dynamic(asking: Questioning, claim: Claim) -> Finding:
    """Claim c."""
    cells = asking.gate.counting(claim.stage)
    if told := asking.untold(claim.stage, cells):
        return _untold(claim, told)
    roles, rows = asking.roles, asking.rows(cells)
    left, right = asking.played(roles.dynamic, cells), asking.played(roles.static, cells)
    missing = _missing((*roles.static, *roles.dynamic), (*left, *right))
    if not left or not right:
        return _found(claim, [], cells, missing)
    lost = difference(rows, asking.arm(*right), asking.arm(DENSE))
    loss = check("mean of static - dense", lost, Side.BELOW, -MARGIN, binds=False)
    kinds = difference(rows, asking.arm(*left), asking.arm(*right))
    both = check("mean of dynamic - mean of static", kinds, Side.ABOVE, MARGIN)
    if loss.verdict is Verdict.FAILS:
        why = "static sparsity surely loses less than 5 points: there is nothing to beat"
        both = replace(both, verdict=Verdict.NO_HEADROOM, why=why)
    checks = [both, loss]
    for one in left:
        for other in right:
            number = difference(rows, asking.arm(one), asking.arm(other))
            what = f"{short(one)} - {short(other)}"
            checks.append(check(what, number, Side.ABOVE, MARGIN, binds=False))
    return _found(claim, checks, cells, missing)


def oracle(asking: Questioning, claim: Claim) -> Finding:
    """Claim e."""
    cells = asking.gate.counting(claim.stage)
    if told := asking.untold(claim.stage, cells):
        return _untold(claim, told)
    roles, rows = asking.roles, asking.rows(cells)
    played = asking.played((roles.top_k, *roles.dropping), cells)
    missing = _missing((roles.top_k, *roles.dropping), played)
    if roles.top_k not in played or len(played) < 2:
        return _found(claim, [], cells, missing)
    checks = [asking.against_dense(rows, roles.top_k, EVERY_TURN, "all turns", Side.ABOVE, -MARGIN)]
    for method in played[1:]:
        number = difference(rows, asking.arm(roles.top_k), asking.arm(method))
        checks.append(check(f"exact-topk - {short(method)}", number, Side.ABOVE, MARGIN))
    return _found(claim, checks, cells, missing)


def codecs(asking: Questioning, claim: Claim) -> Finding:
    """Claim f: per codec the difference of two differences, and these two beside it."""
    cells = asking.gate.counting(claim.stage)
    if told := asking.untold(claim.stage, cells):
        return _untold(claim, told)
    lacking = [
        name for name, tasks in ABILITY.items() if not any(task in tasks for task, _, _ in cells)
    ]
    if lacking:
        kinds = {"strings": "string tasks", "others": "semantic and global tasks"}
        why = f"no cell that counts is of the {kinds[lacking[0]]}: there is nothing to compare with"
        return _untold(claim, (Verdict.UNKNOWN, why))
    played = asking.played(asking.roles.codecs, cells)
    checks = [one for method in played for one in _contrast(asking, method, cells)]
    return _found(claim, checks, cells, _missing(asking.roles.codecs, played))


def _contrast(asking: Questioning, method: str, cells: Collection[CellName]) -> list[Check]:
    rows = asking.rows(cells)
    shown, numbers = [], []
    for what, tasks in ABILITY.items():
        where = pl.col("task").is_in(tasks)
        number = difference(rows, asking.arm(method), asking.arm(DENSE), where)
        numbers.append(number)
        name = f"{short(method)} - dense, {what}"
        shown.append(check(name, number, Side.BELOW, -MARGIN, binds=False))
    strings, others = numbers
    estimate = apart(strings.estimate, others.estimate)
    whole = replace(
        shown[0],
        what=f"{short(method)}, strings against others",
        estimate=estimate,
        verdict=judge(estimate, Side.BELOW, -MARGIN),
        binds=True,
        cells=strings.cells + others.cells,
        missing_turns=strings.missing_turns + others.missing_turns,
    )
    if incomplete := [one for one in shown if one.why]:
        whole = replace(whole, verdict=Verdict.UNKNOWN, why=incomplete[0].why)
    elif all(one.verdict is Verdict.FAILS for one in shown):
        whole = replace(whole, binds=False, why="not low enough to hurt either")
    return [whole, *shown]


def architectures(asking: Questioning, claim: Claim) -> Finding:
    """Claim d: by score whatever the others are judged by."""
    models = asking.models
    if not (models.recurrent and models.hybrid):
        why = "it compares three matched models: name --recurrent and --hybrid"
        return _untold(claim, (Verdict.NOT_ASKED, why))
    cells = {cell for cell in asking.gate.solved if cell[0] in RECALL}
    if asking.gate.by is not By.SCORE or not cells:
        why = "the transformer solves no string or semantic task"
        return _untold(claim, (Verdict.UNKNOWN, why))
    checks, figures = [_recurrent(asking, cells)], dict[str, float]()
    for name in asking.roles.at_equal_bytes:
        one, held = _at_equal_bytes(asking, name, cells)
        checks.append(one)
        figures |= held
    plain = difference(asking.rows(cells), Arm(models.hybrid, (DENSE,)), asking.arm(DENSE))
    beside = check("hybrid - transformer, as they are", plain, Side.ABOVE, -MARGIN, binds=False)
    return replace(_found(claim, [*checks, beside], cells), figures=figures)


def _recurrent(asking: Questioning, cells: Collection[CellName]) -> Check:
    """Whether the recurrent model fails where it could have learned better."""
    name = asking.models.recurrent
    number = level(asking.rows(cells), Arm(name, (DENSE,)), reference=asking.arm(DENSE))
    found = check(f"score of {name}", number, Side.BELOW, HALF, is_difference=False)
    own = gate_of(asking.turns, name, By.SCORE)
    shortest = min(length for _, length, _ in cells)
    tasks = {task for task, _, _ in cells}
    learned = [one for one in own.solved if one[0] in tasks and one[1] < shortest]
    if learned:
        return found
    why = f"it solves none of these tasks at a length below {shortest:,} tokens either"
    return replace(found, verdict=Verdict.UNKNOWN, why=why)


def _at_equal_bytes(
    asking: Questioning, name: str, cells: Collection[CellName]
) -> tuple[Check, dict[str, float]]:
    """The hybrid against the transformer under a dropper at the hybrid's bytes: of the shares that
    were played, at each length, the one whose measured bytes are nearest."""
    models, rows = asking.models, asking.rows(cells)
    what = f"{models.hybrid} - {models.transformer}+{name}, at equal bytes"
    held = rows.group_by("model", "method", "length_tokens").agg(pl.col("held_bytes").mean())
    mine = held.filter(
        (pl.col("model") == models.transformer) & pl.col("method").str.starts_with(f"{name}[tau=")
    )
    wanted = held.filter((pl.col("model") == models.hybrid) & (pl.col("method") == DENSE))
    both = mine.join(wanted, on="length_tokens", suffix="_wanted").with_columns(
        (pl.col("held_bytes") / pl.col("held_bytes_wanted")).alias("ratio")
    )
    nearest = both.sort((pl.col("ratio") - 1.0).abs()).unique("length_tokens", keep="first")
    chosen = nearest.select("length_tokens", "method")
    fitted = (
        rows.filter(pl.col("model") == models.transformer)
        .join(chosen, on=["length_tokens", "method"], how="semi")
        .with_columns(pl.lit(name).alias("method"))
    )
    number = difference(pl.concat([rows, fitted]), Arm(models.hybrid, (DENSE,)), asking.arm(name))
    found = check(what, number, Side.ABOVE, MARGIN)
    ratios = {
        f"{name} at {length:,} tokens, times the hybrid's bytes": ratio
        for length, ratio in nearest.select("length_tokens", "ratio").sort("length_tokens").rows()
    }
    lengths = {length for _, length, _ in cells}
    off = [name for name, ratio in ratios.items() if abs(ratio - 1.0) > MOST_UNLIKE]
    if not found.why and (off or len(ratios) < len(lengths)):
        why = "its bytes are not the hybrid's" if off else "it was not played at every length"
        found = replace(found, verdict=Verdict.UNKNOWN, why=why)
    return found, ratios


MAKERS: Mapping[str, Callable[[Questioning, Claim], Finding]] = {
    "a": dropping,
    "b": sparse,
    "c": dynamic,
    "d": architectures,
    "e": oracle,
    "f": codecs,
}
