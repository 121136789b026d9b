"""What the columns of our tables are: `results`, `turns`, `cost` and `samples`, as CSV and Parquet.

docs/schema.md is `markdown()`. A column keeps its name and meaning; new ones are added, and
`SCHEMA` rises where one would have to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from scbench.report.shown import markdown_text
from scbench.stats.costs import MEASURED
from scbench.stats.frame import COLUMNS as TURN_KINDS

SCHEMA = 1
Kind: TypeAlias = type[pl.DataType]
TEXT, WHOLE, REAL, YES = pl.String, pl.Int64, pl.Float64, pl.Boolean
KINDS = {TEXT: "text", WHOLE: "whole number", REAL: "number", YES: "true or false"}


class Field(NamedTuple):
    """A column: its name, kind, and what it says. Empty: not known or not measured, never 0."""

    name: str
    kind: Kind
    about: str


def _mean(name: str, about: str, *, sessions: str = "") -> list[Field]:
    """A mean with its limits; with `sessions`, the columns that say how the interval was made."""
    prefix = "" if sessions == "strict" else f"{name}_"
    more = (
        [
            Field(f"{prefix}sessions", WHOLE, "sessions that these turns belong to"),
            Field(f"{prefix}interval", TEXT, "how the limits were made (docs/statistics.md)"),
            Field(f"{prefix}bootstrap_low", REAL, "lower limit by resampling sessions instead"),
            Field(f"{prefix}bootstrap_high", REAL, "upper limit by resampling sessions instead"),
        ]
        if sessions
        else []
    )
    return [
        Field(name, REAL, about),
        Field(f"{name}_low", REAL, "its lower 95 % limit"),
        Field(f"{name}_high", REAL, "its upper 95 % limit"),
        Field(f"{name}_n", WHOLE, "turns it is a mean of"),
        *more,
    ]


HEAD = [
    Field("model", TEXT, "the model's name"),
    Field("length_tokens", WHOLE, "context length that was asked for; 0: published rows"),
    Field("protocol", TEXT, "prompts, history and whatever else is not the default"),
    Field("form", TEXT, "full, or tiny (closed vocabulary; never comparable with full)"),
    Field("mode", TEXT, "multi-turn, multi-request, or another pattern of asking"),
    Field("method", TEXT, "canonical spelling, `snapkv[tau=1/4]`"),
]
RESULTS = [
    *HEAD,
    Field("stage", TEXT, "where in a cache's life the method acts, and its category"),
    Field("kind", TEXT, "task; part (a sub-task of a mix); average (an ability, or Overall)"),
    Field("task", TEXT, "short name of the task, or the average's name"),
    Field("part", TEXT, "the sub-task; empty but for `kind` part"),
    Field("title", TEXT, "as tables show it"),
    *_mean(
        "strict",
        "mean score by our rules, 0..1; averages are corrected for chance",
        sessions="strict",
    ),
    *_mean("official", "mean score by the published rules, uncorrected"),
    *_mean(
        "difference",
        "minus dense, over the turns that both have a score for",
        sessions="difference",
    ),
    Field("difference_joint_low", REAL, "lower limit that holds for the whole family at once"),
    Field("difference_joint_high", REAL, "upper limit that holds for the whole family at once"),
    Field("p", REAL, "that there is any difference, this row alone"),
    Field("p_holm", REAL, "the same, corrected over the family"),
    Field("p_within", REAL, "that the difference is beyond 5 points (low: equivalent)"),
    Field("p_within_holm", REAL, "the same, corrected over the family"),
    Field("family", WHOLE, "differences that are corrected for together"),
    Field("same_turns", WHOLE, "turns whose answers are the same tokens as dense's"),
    Field(
        "verdict", TEXT, "same answers, equivalent, worse, better, too few sessions, no headroom"
    ),
    Field(
        "more_sessions", WHOLE, "sessions a task until it could be told, where that is the verdict"
    ),
    *_mean("failed_as_zero", "the score if failed turns counted as 0"),
    *_mean("survived", "the score over turns whose evidence outlived truncation"),
    *_mean("shared", "the score over the turns that dense has a score for too"),
    Field("shared_baseline", REAL, "dense's score over those turns"),
    Field("planned_turns", WHOLE, "turns that would have a score if nothing were missing"),
    Field("gap_turns", WHOLE, "of these, turns without one"),
    Field("gaps", TEXT, "why, with counts"),
    Field("truncated_turns", WHOLE, "turns whose prompt was cut"),
    Field(
        "measurable",
        YES,
        "false: the model does not solve the task, so methods cannot be told apart",
    ),
    Field("simulated", YES, "true: entries were masked, not freed"),
    Field(
        "evidence_kept",
        REAL,
        "share of dense's attention to the evidence that falls on held tokens",
    ),
    Field("evidence_held", REAL, "share of the evidence's tokens that is held"),
    Field("evidence_loaded", REAL, "as kept, of what a selection read"),
    Field("missing", TEXT, "of an average: tasks that do not count, and why"),
    Field("marks", TEXT, "what tables mark the number with, in words"),
    *_mean("first_turn", "score of the first turn"),
    *_mean("later_turns", "score of the turns after it"),
    *_mean("later_minus_first", "their difference"),
    Field("later_minus_first_p", REAL, "that there is none"),
    *_mean("slope_per_turn", "change of the score a turn, within sessions"),
    *_mean("kl_to_dense", "KL(dense || method) along the gold answer, nats a token"),
    Field("kl_verdict", TEXT, "agrees, departs, too few sessions"),
    *_mean("top1_agreement", "share of the gold's tokens with dense's likeliest next token"),
    Field("top1_verdict", TEXT, "agrees, departs, too few sessions"),
    *_mean(
        "gold_nll_difference", "negative log-likelihood of the gold, minus dense's, nats a token"
    ),
    Field("agreement_missing", TEXT, "why agreement is empty"),
    Field("held_share", REAL, "bytes held after the context, of dense's"),
    Field("end_share", REAL, "bytes held at the session's end, of dense's"),
    Field("loaded_share", REAL, "bytes a decode step loads, of dense's"),
    Field("held_share_of", TEXT, "what these are shares of"),
    Field("strict_raw", REAL, "of an average: uncorrected, which compares with published ones"),
]

TURN_WORDS = {
    **{field.name: field.about for field in HEAD},
    "task": "short name of the task",
    "subtask": "the scorer's task; differs from `task` in the mixes",
    "session": "digest of the session: its context, questions and golds",
    "seed": "suite seed and number of the session",
    "turn": "0-based",
    "turns": "turns of the session",
    "samples": "answers that the row is a mean of",
    "key": "digest of all that made the answer",
    "strict": "score by our rules, 0..1; empty: a gap",
    "strict_rule": "rule and version",
    "official": "score by the published rules, 0..1",
    "official_rule": "rule and version",
    "gap": "why `strict` is empty",
    "official_gap": "why `official` is empty",
    "failure": "kind of failure, where the turn failed",
    "trace": "file of its traceback, in the run's folder",
    "cut": "1: the answer ended at its limit",
    "format_failure": "1: it scores 0, and yet an accepted answer stands in it",
    "answer": "digest of the answer's tokens: equal where these are",
    "prompt_tokens": "tokens of the whole prompt",
    "truncated_tokens": "of these, cut away",
    "evidence_survives": "whether the evidence outlived truncation",
    "evidence_kept": "share of dense's attention to the evidence that falls on held tokens",
    "evidence_held": "share of the evidence's tokens that is held",
    "evidence_loaded": "as kept, of what a selection read",
    "depth": "where in the context the answer stands, 0..1",
    "gold_tokens": "tokens of the gold answer that were fed",
    "gold_nll": "its negative log-likelihood, nats a token",
    "gold_kl": "KL(dense || method) along it, nats a token",
    "gold_top1": "share of its tokens with dense's likeliest next token",
    "gold_why": "why it was not compared with dense",
    "units": "sizes that the method resolved to at this length",
    "notes": "for instance budget_not_binding, answer-loops",
    "simulated": "true: entries were masked, not freed",
    "estimated": "columns that were computed, not measured",
}
COST_WORDS = {
    "context_tokens": "tokens of the contexts that were read",
    "prefill_s": "seconds to read the context",
    "compress_s": "seconds to compress it",
    "ttft_cold_s": "seconds to the first answer token, context read anew",
    "ttft_warm_s": "seconds to the first answer token, context in the cache",
    "ttft_disk_s": "seconds to the first answer token, the cache in files",
    "tpot_s": "seconds a token after the first",
    "held_bytes": "bytes held, as allocated",
    "held_accounted_bytes": "bytes held after the context, in the accounting dtype",
    "end_accounted_bytes": "bytes held at the session's end, in the accounting dtype",
    "shared_bytes": "bytes held in stores that other streams use too",
    "dense_bytes": "bytes of dense's cache, in the accounting dtype",
    "formula_bytes": "closed form for `held_bytes`",
    "peak_bytes": "most memory in use",
    "loaded_bytes": "KV bytes read a decode step, as allocated",
    "loaded_accounted_bytes": "KV bytes read a decode step, in the accounting dtype",
    "moved_bytes": "of these, fetched from a slower tier",
    "logical_tokens": "tokens seen",
    "stored_tokens": "slots held, mean over layers and KV heads",
    "hit_tokens": "prompt tokens served from a stored cache",
    "hit_disk_tokens": "of these, from files",
    "fetched_bytes": "bytes of the files read for them",
    "read_tokens": "prompt tokens that were computed",
    "extra_passes": "forward passes that the method took besides",
}
TURNS = [
    Field(name, kind, TURN_WORDS.get(name, "") or COST_WORDS[name])
    for name, kind in TURN_KINDS.items()
]
COST = [
    Field("model", TEXT, "the model's name"),
    Field("method", TEXT, "canonical spelling"),
    Field("length_tokens", WHOLE, "context length that was asked for"),
    Field("form", TEXT, "full or tiny"),
    Field("sessions", WHOLE, "sessions that were measured"),
    *(
        Field(f"{name}{end}", REAL, words)
        for name in MEASURED
        for end, words in (
            ("", f"{COST_WORDS[name]}: median of the repeats"),
            ("_min", "its smallest repeat"),
            ("_max", "its largest repeat"),
        )
    ),
    Field("held_share", REAL, "bytes held after the context, of dense's"),
    Field("estimated", TEXT, "columns that were computed, not measured"),
    Field("simulated", YES, "true: entries were masked, not freed"),
    Field("failure", TEXT, "why nothing was measured"),
]
SAMPLES = [
    Field("model", TEXT, "the model's name"),
    Field("task", TEXT, "short name of the task"),
    Field("mode", TEXT, "pattern of asking"),
    Field("method", TEXT, "canonical spelling"),
    Field("seed", TEXT, "suite seed and number of the session"),
    Field("turn", WHOLE, "0-based"),
    Field("sample", WHOLE, "0-based, where answers are drawn several times"),
    Field("question", TEXT, "the query; empty: the session's file is gone"),
    Field("gold", TEXT, "what an ideal model would write"),
    Field("answer", TEXT, "what the model wrote; empty: it failed"),
    Field("score", REAL, "by our rules, 0..1"),
    Field("why", TEXT, "why it failed, or was scored so"),
    Field("evidence_kept", REAL, TURN_WORDS["evidence_kept"]),
    Field("evidence_held", REAL, TURN_WORDS["evidence_held"]),
    Field("evidence_loaded", REAL, TURN_WORDS["evidence_loaded"]),
    Field("kl_to_dense", REAL, TURN_WORDS["gold_kl"]),
    Field("session", TEXT, TURN_WORDS["session"]),
]
TABLES: Mapping[str, Sequence[Field]] = {
    "results": RESULTS,
    "turns": TURNS,
    "cost": COST,
    "samples": SAMPLES,
}


def framed(rows: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> pl.DataFrame:
    """Rows as a table that has exactly these columns; a row may lack some, and has no others."""
    known = {field.name: field.kind for field in fields}
    strays = {name for row in rows for name in row} - known.keys()
    assert not strays, f"columns without a place in the schema: {', '.join(sorted(strays))}"
    return pl.DataFrame(list(rows), schema=known)


def markdown() -> str:
    """The columns of every table, as docs/schema.md shows them."""
    lines = []
    for name, fields in TABLES.items():
        lines += [f"## {name}", "", "| column | kind | is |", "|---|---|---|"]
        lines += [
            f"| `{one.name}` | {KINDS[one.kind]} | {markdown_text(one.about)} |" for one in fields
        ]
        lines.append("")
    return "\n".join(lines)
