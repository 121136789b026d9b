"""Records as a flat table, one row a turn: the one place where a Record's nesting is undone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

from scbench.errors import BadRecord
from scbench.stats.samples import per_turn
from scbench.types import Answer, Answering, Cost, Finish, Protocol, Record, Score

COST_FIELDS = tuple(
    name for name in Cost.__dataclass_fields__ if name not in ("estimated", "simulated")
)
WHOLE = {
    "extra_passes",
    "held_bytes",
    "shared_bytes",
    "peak_bytes",
    "loaded_bytes",
    "moved_bytes",
    "logical_tokens",
    "hit_tokens",
    "hit_disk_tokens",
    "fetched_bytes",
    "read_tokens",
}
COLUMNS: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "length_tokens": pl.Int64,
    "protocol": pl.String,
    "form": pl.String,
    "task": pl.String,
    "subtask": pl.String,
    "mode": pl.String,
    "method": pl.String,
    "session": pl.String,
    "seed": pl.String,
    "turn": pl.Int64,
    "turns": pl.Int64,
    "samples": pl.Int64,  # answers that the row stands for
    "key": pl.String,
    "strict": pl.Float64,
    "strict_rule": pl.String,
    "official": pl.Float64,
    "official_rule": pl.String,
    "gap": pl.String,  # why `strict` has no value
    "official_gap": pl.String,
    "failure": pl.String,  # its kind
    "trace": pl.String,  # the file of its traceback, inside the run's folder
    "cut": pl.Float64,  # 1: the answer ended at its limit
    "format_failure": pl.Float64,  # 1: it scores 0, and yet an accepted answer stands in it
    "answer": pl.String,  # a digest of the answer's tokens: equal where these are
    "prompt_tokens": pl.Int64,
    "truncated_tokens": pl.Int64,
    "evidence_survives": pl.Boolean,
    "evidence_kept": pl.Float64,
    "evidence_held": pl.Float64,
    "evidence_loaded": pl.Float64,
    "depth": pl.Float64,
    "gold_tokens": pl.Int64,  # of the gold answer that were fed
    "gold_nll": pl.Float64,
    "gold_kl": pl.Float64,
    "gold_top1": pl.Float64,
    "gold_why": pl.String,  # why it was not compared with dense
    "units": pl.String,  # such as "quest.page_tokens=4"; empty for a method without units
    "notes": pl.String,
    "simulated": pl.Boolean,
    "estimated": pl.String,
    **{name: pl.Int64 if name in WHOLE else pl.Float64 for name in COST_FIELDS},
}
LARGEST = 2**63
SETTING = ("model", "length_tokens", "protocol", "form")
TURN = ("mode", "task", "method", "session", "turn")


def protocol_label(protocol: Protocol) -> str:
    """Short words for a protocol; defaults that change nothing are left out."""
    words = [f"{protocol.prompts} prompts", f"{protocol.history} history"]
    if protocol.compress_after is not None:
        words.append(f"compress after {protocol.compress_after}")
    if protocol.truncate != "refuse":
        words.append(f"truncate {protocol.truncate}")
    if protocol.chat_template is not None:
        words.append("chat template" if protocol.chat_template else "no chat template")
    if protocol.max_new_tokens is not None:
        words.append(f"answers of at most {protocol.max_new_tokens} tokens")
    words += _answering(protocol.answering)
    return ", ".join(words)


def _answering(answering: Answering) -> list[str]:
    """How answers are made, where that is not the default."""
    words = []
    if answering.least_tokens:
        words.append(f"answers of at least {answering.least_tokens} tokens' room")
    if answering.think != "auto":
        words.append(f"thoughts {answering.think}")
    if answering.think_tokens != Answering().think_tokens:
        words.append(f"thoughts of at most {answering.think_tokens} tokens")
    words += [f"template {name}={value}" for name, value in answering.template_args]
    if answering.temperature:
        words.append(f"temperature {answering.temperature:g}")
    if answering.top_p != 1.0:
        words.append(f"top-p {answering.top_p:g}")
    return words


def gap_reason(score: Score, record: Record) -> str | None:
    """Why a turn has no score, in a few stable words; None if it has one."""
    if record.failure is not None:
        return f"failed: {record.failure.kind}"
    if score.value is not None:
        return None
    return score.why or "no score"


def frame(records: Sequence[Record]) -> pl.DataFrame:
    """One row a turn, later lines of the same cell and turn replacing earlier ones; of a turn that
    was answered several times, the mean (`samples.per_turn`).

    Side values become columns `side_<name>`. Raises BadRecord where two different cells claim the
    same turn of the same method, for their numbers must not be mixed; and for a value that no table
    can hold, such as a whole number beyond 64 bits.
    """
    latest: dict[tuple[str, int], Record] = {}
    for record in records:
        latest[record.key, record.turn] = record
    rows = [_row(record) for record in latest.values()]
    drawn = [record.sample for record in latest.values()]
    sides = sorted({name for row in rows for name in row if name.startswith("side_")})
    schema: dict[str, type[pl.DataType]] = {**COLUMNS, **dict.fromkeys(sides, pl.Float64)}
    try:
        table = pl.DataFrame(rows, schema=schema)
    except (pl.exceptions.PolarsError, OverflowError, TypeError, ValueError) as err:
        raise BadRecord(
            f"a record of {len(rows):,} holds a value that a table cannot: {err}; "
            "check the journal they came from"
        ) from err
    table = table.with_columns(pl.Series("sample", drawn, dtype=pl.Int64))
    _refuse_doubles(table)
    if any(drawn):
        table = per_turn(table.sort("sample"), [*SETTING, *TURN])
    return table.drop("sample").sort([*SETTING, *TURN])


def _row(record: Record) -> dict[str, object]:
    row = _values(record)
    for name, value in row.items():
        if isinstance(value, int) and not -LARGEST <= value < LARGEST:
            raise BadRecord(
                f"turn {record.turn} of {record.key} has a {name} of {value.bit_length():,} bits; "
                "whole numbers of a record are below 2^63"
            )
    return row


def _values(record: Record) -> dict[str, object]:
    failed = record.failure is not None
    return {
        "model": record.model,
        "length_tokens": record.length_tokens,
        "protocol": protocol_label(record.protocol),
        "form": str(record.form),
        "task": record.task,
        "subtask": record.subtask,
        "mode": str(record.mode),
        "method": record.method,
        "session": record.session_digest,
        "seed": record.seed,
        "turn": record.turn,
        "turns": record.turns,
        "samples": 1,
        "key": record.key,
        "strict": None if failed else record.strict.value,
        "strict_rule": record.strict.rule,
        "official": None if failed else record.official.value,
        "official_rule": record.official.rule,
        "gap": gap_reason(record.strict, record),
        "official_gap": gap_reason(record.official, record),
        "failure": record.failure.kind if record.failure is not None else None,
        "trace": (record.failure.trace or None) if record.failure is not None else None,
        "cut": None if record.answer is None else float(record.answer.finish is Finish.LENGTH),
        "format_failure": float(record.strict.format_failure),
        "answer": None if record.answer is None else _digest(record.answer),
        "prompt_tokens": record.prompt_tokens,
        "truncated_tokens": record.truncated_tokens,
        "evidence_survives": record.evidence_survives,
        "evidence_kept": record.evidence_kept,
        "evidence_held": record.evidence_held,
        "evidence_loaded": record.evidence_loaded,
        "depth": record.depth,
        "gold_tokens": record.gold.tokens if record.gold else None,
        "gold_nll": record.gold.nll if record.gold else None,
        "gold_kl": record.gold.kl_to_dense if record.gold else None,
        "gold_top1": record.gold.top1_agreement if record.gold else None,
        "gold_why": (record.gold.why or None) if record.gold else None,
        "units": "; ".join(f"{name}={value}" for name, value in sorted(record.units.items())),
        "notes": "; ".join(record.notes),
        "simulated": record.cost.simulated,
        "estimated": "; ".join(record.cost.estimated),
        **{name: getattr(record.cost, name) for name in COST_FIELDS},
        **{f"side_{name}": _float(value) for name, value in record.strict.side.items()},
    }


def units_in(text: str) -> dict[str, int]:
    """The units that the column `units` has as words.

    >>> units_in("quest.page_tokens=4; quest.window_tokens=16")
    {'quest.page_tokens': 4, 'quest.window_tokens': 16}
    """
    pairs = [pair.split("=") for pair in text.split("; ") if pair]
    return {name: int(value) for name, value in pairs}


def _digest(answer: Answer) -> str:
    """Twelve signs that two answers share if and only if their tokens and texts are the same."""
    return hashlib.sha256(repr((answer.ids, answer.text)).encode()).hexdigest()[:12]


def _float(value: float) -> float | int:
    """A side value as a float; a whole number too large for one stays, to be refused by name."""
    return value if isinstance(value, int) and abs(value) >= LARGEST else float(value)


def _refuse_doubles(table: pl.DataFrame) -> None:
    doubles = table.filter(pl.struct(*SETTING, *TURN, "sample").is_duplicated())
    if doubles.height:
        first = doubles.row(0, named=True)
        raise BadRecord(
            f"{doubles.height:,} records share their turn with a record of another cell, first "
            f"{first['method']} on {first['task']} turn {first['turn']} of {first['model']}, cell "
            f"{first['key'][:12]}; one report holds one version of each cell: "
            "give it the journal of one run, or remove the older cells"
        )
