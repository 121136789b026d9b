"""What `scbench analyze` says: a few tables for a terminal, the same with pictures as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table as RichTable

from scbench.console import counted, plain
from scbench.report.shown import markdown_text as escape
from scbench.report.words import interval, percent
from scbench.stats.attention import RETRIEVAL_SHARE, AttentionFacts, AttentionTables
from scbench.stats.intervals import Estimate

STEPS = ((1, 1), (2, 7), (8, 31), (32, None))  # tokens of a long answer, told together
NAMED_HEADS = 6
PAIRS = (
    ("answers of two turns", "answers", False),
    ("questions with answers, of two turns", "turns", False),
    ("a question and its own answer", "question-answer", True),
    ("a question and another turn's answer", "question-answer", False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTable:
    """A table of words, with what must be known to read it."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def title_of(facts: AttentionFacts) -> str:
    """What was looked at, in a line."""
    fewest, most = facts.context_tokens
    tokens = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    sessions = sorted(set(facts.sessions.values()))
    each = " to ".join(str(count) for count in dict.fromkeys((sessions[0], sessions[-1])))
    many = " a task" if len(facts.tasks) > 1 else ""
    return (
        f"{facts.model}, {', '.join(facts.tasks)}, {tokens} tokens of context, "
        f"{each} {'session' if each == '1' else 'sessions'}{many} x {counted(facts.turns, 'turn')}"
    )


def sheets(tables: AttentionTables, facts: AttentionFacts) -> list[WordTable]:
    """All that is told of an analysis, in order."""
    found = [_overlaps(tables, facts)]
    if not tables.along.is_empty():
        found.append(_along(tables, facts))
    found.append(_sparsity(tables, facts))
    if len(facts.methods) > 1:
        found.append(_kept(tables, facts))
    return found


def notes_of(tables: AttentionTables, facts: AttentionFacts) -> list[str]:
    """What stands under the tables: heads that carry the answer, what was not looked at."""
    return [
        _retrieval(tables, facts),
        *(f"left out: {method} {why}" for method, why in facts.left_out.items()),
        *(f"no session: {why}" for why in facts.missing),
    ]


def terminal(tables: AttentionTables, facts: AttentionFacts) -> Group:
    """At most forty lines or so."""
    drawn: list[RenderableType] = [plain(title_of(facts), style="bold")]
    for sheet in sheets(tables, facts):
        table = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column(plain(sheet.title), overflow="fold")
        for head in sheet.heads[1:]:
            table.add_column(plain(head), justify="right", overflow="fold")
        for row in sheet.rows:
            table.add_row(*(plain(cell) for cell in row))
        drawn += [table, *(plain(f"  {note}", style="dim") for note in sheet.notes)]
    return Group(*drawn, *(plain(note) for note in notes_of(tables, facts)))


def markdown(
    tables: AttentionTables, facts: AttentionFacts, pictures: Sequence[tuple[str, str, str]]
) -> str:
    """The page; `pictures` are title, file and caption of each."""
    lines = ["# Attention over a life", "", escape(title_of(facts)) + "."]
    if facts.source:
        lines += ["", f"Sessions of the run {escape(facts.source)}, which was not touched."]
    lines += ["", *(f"- {escape(note)}" for note in (*_read_so(facts), *notes_of(tables, facts)))]
    for sheet in sheets(tables, facts):
        lines += ["", f"## {escape(sheet.title)}", "", *pipe_table(sheet), ""]
        lines += [f"- {escape(note)}" for note in sheet.notes]
    for title, name, caption in pictures:
        lines += ["", f"## {escape(title)}", "", f"![{escape(title)}]({name})", "", escape(caption)]
    return "\n".join(lines) + "\n"


def pipe_table(sheet: WordTable) -> list[str]:
    ruler = ["---", *["---:"] * (len(sheet.heads) - 1)]
    rows = [[escape(cell) for cell in row] for row in (sheet.heads, *sheet.rows)]
    return [f"| {' | '.join(row)} |" for row in (rows[0], ruler, *rows[1:])]


def _read_so(facts: AttentionFacts) -> list[str]:
    return [
        "Dense plays a conversation with the gold answers as history; each gold answer is fed, and "
        "the queries that write it are looked at, in all layers and query heads.",
        "Only keys of the shared context count. Inner keys are those of the document itself: what "
        "a template puts before it, the first 4 and the last 1/32 are attended to in any case.",
        f"{facts.layers} attention layers of {facts.query_heads} query heads "
        f"({facts.kv_heads} KV heads). Brackets: 95 % intervals over sessions.",
    ]


def told(estimate: Estimate) -> str:
    """21.3 [18.0, 25.1], in percent."""
    return f"{percent(estimate.value)} {interval(estimate)}".strip()


def _overlaps(tables: AttentionTables, facts: AttentionFacts) -> WordTable:
    columns = [
        (keys, share)
        for keys, shares in (("inner", facts.shares), ("all", facts.shares[:1]))
        for share in shares
    ]
    rows = [
        (
            name,
            *(told(tables.between(pair, keys, share, same=same)) for keys, share in columns),
        )
        for name, pair, same in PAIRS
        if facts.turns > 1 or same
    ]
    by_chance = (percent(tables.chance(keys, share)) for keys, share in columns)
    rows.append(("two sets drawn at random", *by_chance))
    return WordTable(
        title="Most-attended keys in common, %",
        heads=("of", *(f"{share} of {keys} keys" for keys, share in columns)),
        rows=rows,
    )


def _along(tables: AttentionTables, facts: AttentionFacts) -> WordTable:
    last = int(tables.along["step"].max() or 0)  # type: ignore[arg-type]
    spans = [(first, min(stop or last, last)) for first, stop in STEPS if first <= last]
    rows = [
        (
            name,
            *(told(tables.at_steps(against, "overlap", first, stop)) for first, stop in spans),
        )
        for name, against in (
            ("the answer's first token", "first"),
            ("the question", "asked"),
            ("the token before", "before"),
        )
    ]
    kept = (told(tables.at_steps("asked", "kept", first, stop)) for first, stop in spans)
    rows.append(("mass left on the question's keys", *kept))
    return WordTable(
        title=f"Along {facts.answer_tokens} tokens of answer, {facts.shares[0]} of inner keys, %",
        heads=("in common with", *(_span(first, stop) for first, stop in spans)),
        rows=rows,
        notes=(
            "mass: of a token's attention on its own most-attended keys, what as many keys of the "
            "question hold",
        ),
    )


def _span(first: int, last: int) -> str:
    """Tokens count from 0 in the tables and from 1 here."""
    return f"token {first + 1}" if first == last else f"tokens {first + 1}-{last + 1}"


def _sparsity(tables: AttentionTables, facts: AttentionFacts) -> WordTable:
    heads = tables.by_head()
    rows = []
    for keys in ("all", "inner"):
        for part in ("90", "99"):
            column = heads[f"{keys}_{part}"]
            spread = [column.quantile(level, "linear") for level in (0.1, 0.5, 0.9)]
            rows.append((f"{part} % on {keys} keys", *(percent(value) for value in spread)))
    return WordTable(
        title="Share of the context's keys that hold it, %",
        heads=("attention of a token", "sparsest tenth of heads", "median", "flattest tenth"),
        rows=rows,
    )


def _retrieval(tables: AttentionTables, facts: AttentionFacts) -> str:
    found = tables.retrieval_heads()
    heads = facts.layers * facts.query_heads
    start = f"retrieval heads: {found.height} of {heads} pay the evidence {RETRIEVAL_SHARE:.0%} "
    start = start.replace("%", " %") + "of their attention or more"
    named = [
        f"layer {row['layer']} head {row['head']} ({percent(row['evidence_mass'])})"
        for row in found.head(NAMED_HEADS).iter_rows(named=True)
    ]
    return f"{start}: {', '.join(named)}" if named else start


def _kept(tables: AttentionTables, facts: AttentionFacts) -> WordTable:
    whens = ("first", "later") if facts.turns > 1 else ("first",)
    heads = [
        "method",
        "keys read",
        *(f"of exact top-k, {when}" for when in whens),
        *(f"of evidence, {when}" for when in whens),
    ]
    rows = []
    for method in facts.methods:
        ratios = (told(tables.ratio(method, "inner", when)) for when in whens)
        parts = (told(tables.part(method, "evidence", when)) for when in whens)
        if method == "dense":
            ratios = (percent(tables.ratio(method, "inner", when).value) for when in whens)
            parts = (percent(tables.part(method, "evidence", when).value) for when in whens)
        rows.append((method, percent(tables.held(method)), *ratios, *parts))
    return WordTable(
        title="Dense's attention on a method's keys, %",
        heads=tuple(heads),
        rows=rows,
        notes=(
            "of exact top-k: on inner keys, against exact top-k with as many keys",
            "of evidence: of dense's attention on what the answer rests on; first turn, later ones",
        ),
    )
