"""Every answer of a run in columns, and its sessions: what the views Samples and Evidence show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scbench.report.page.columns import coded, rounded, tenths
from scbench.report.page.source import HeadsHeld, PageSource
from scbench.report.page.windows import told
from scbench.stats import Setting, Summary
from scbench.stats.frame import protocol_label
from scbench.types import Record

RIGHT = 0.5  # a turn that scores at least this counts as right, wherever two groups are made


def samples(summary: Summary, source: PageSource) -> dict[str, Any]:
    """`records` by column, `sessions` by the digest that the records name."""
    records = _in_order(summary, source.records)
    digests = list(dict.fromkeys(record.session_digest for record in records))
    sessions = [
        told(source.sessions[digest])
        if digest in source.sessions
        else {"digest": digest, "is_gone": True, "turns": []}
        for digest in digests
    ]
    return {"records": _columns(summary, source, records, digests), "sessions": sessions}


def setting_of(record: Record) -> Setting:
    return Setting(
        record.model, record.length_tokens, protocol_label(record.protocol), str(record.form)
    )


def _in_order(summary: Summary, records: Sequence[Record]) -> list[Record]:
    """Session by session, so that equal texts stand near each other."""
    methods = {info.name: place for place, info in enumerate(summary.methods)}
    settings = {setting: place for place, setting in enumerate(summary.settings)}
    newest = {(record.key, record.turn): record for record in records}
    return sorted(
        (one for one in newest.values() if setting_of(one) in settings),
        key=lambda one: (
            settings[setting_of(one)],
            one.task,
            one.seed,
            one.session_digest,
            one.mode,
            one.turn,
            one.sample,
            methods.get(one.method, len(methods)),
        ),
    )


def _columns(
    summary: Summary, source: PageSource, records: Sequence[Record], digests: Sequence[str]
) -> dict[str, Any]:
    settings = {setting: place for place, setting in enumerate(summary.settings)}
    places = {digest: place for place, digest in enumerate(digests)}
    held = [source.evidence.get((one.key, one.turn)) for one in records]
    answers = [one.answer for one in records]
    return {
        "setting": [settings[setting_of(one)] for one in records],
        "session": [places[one.session_digest] for one in records],
        "task": coded(one.task for one in records),
        "subtask": coded(one.subtask for one in records),
        "seed": coded(one.seed for one in records),
        "mode": coded(str(one.mode) for one in records),
        "method": coded(one.method for one in records),
        "turn": [one.turn for one in records],
        "sample": [one.sample for one in records],
        "strict": rounded(one.strict.value for one in records),
        "official": rounded(one.official.value for one in records),
        "text": coded(None if one is None else one.text for one in answers),
        "thought": coded(None if one is None else one.thought or None for one in answers),
        "finish": coded(None if one is None else str(one.finish) for one in answers),
        "tokens": [None if one is None else len(one.ids) for one in answers],
        "read": coded(one.strict.read or None for one in records),
        "official_read": coded(one.official.read or None for one in records),
        "why": coded(_why(one) or None for one in records),
        "removed": coded(", ".join(one.strict.removed) or None for one in records),
        "format_failure": [int(one.strict.format_failure) for one in records],
        "notes": coded(", ".join(one.notes) or None for one in records),
        "kl": rounded(None if one.gold is None else one.gold.kl_to_dense for one in records),
        "top1": rounded(None if one.gold is None else one.gold.top1_agreement for one in records),
        "nll": rounded(None if one.gold is None else one.gold.nll for one in records),
        "kept": rounded((one.evidence_kept for one in records), 3),
        "held": rounded((one.evidence_held for one in records), 3),
        "loaded": rounded((one.evidence_loaded for one in records), 3),
        "depth": rounded((one.depth for one in records), 3),
        "survives": [one.evidence_survives for one in records],
        "cut_tokens": [one.truncated_tokens for one in records],
        "prompt_tokens": [one.prompt_tokens for one in records],
        "read_tokens": [one.cost.read_tokens for one in records],
        "stored_tokens": rounded((one.cost.stored_tokens for one in records), 1),
        "held_bytes": [_bytes(one) for one in records],
        "loaded_bytes": [one.cost.loaded_bytes for one in records],
        "layers": coded(None if one is None else tenths(by_layer(one)) for one in held),
        "evidence": coded(
            None if one is None or one.tokens_held is None else tenths(one.tokens_held)
            for one in held
        ),
    }


def _why(record: Record) -> str:
    """Why there is no score, or why it is what it is."""
    if record.failure is not None:
        trace = f" (traceback: {record.failure.trace})" if record.failure.trace else ""
        return f"{record.failure.kind}: {record.failure.why}{trace}"
    return record.strict.why


def _bytes(record: Record) -> int | None:
    accounted = record.cost.held_accounted_bytes
    return record.cost.held_bytes if accounted is None else accounted


def by_layer(one: HeadsHeld) -> list[float]:
    """The share of the evidence that was read, or where nothing chose, held: mean of each layer."""
    counts = list(one.held if one.loaded is None else one.loaded)
    shares = []
    start = 0
    for heads in one.heads:
        mine = counts[start : start + heads]
        start += heads
        shares.append(sum(mine) / (heads * one.tokens) if heads and one.tokens else 1.0)
    return shares


def heads(summary: Summary, source: PageSource) -> list[dict[str, Any]]:
    """By setting and method: the share of the evidence that each KV head held (or read), mean over
    right turns and over wrong ones."""
    settings = {setting: place for place, setting in enumerate(summary.settings)}
    sums: dict[tuple[int, str], dict[str, Any]] = {}
    for record in source.records:
        one = source.evidence.get((record.key, record.turn))
        value = record.strict.value
        if one is None or value is None or not one.tokens or setting_of(record) not in settings:
            continue
        place = settings[setting_of(record)], record.method
        mine = sums.setdefault(place, {"heads": one.heads, "right": [0, 0.0], "wrong": [0, 0.0]})
        if mine["heads"] != one.heads:
            continue
        counts = np.asarray(one.held if one.loaded is None else one.loaded, dtype=np.float64)
        group = mine["right" if value >= RIGHT else "wrong"]
        group[0] += 1
        group[1] = group[1] + counts / one.tokens
    order = {info.name: place for place, info in enumerate(summary.methods)}
    return [
        {
            "setting": setting,
            "method": method,
            "heads": list(mine["heads"]),
            "right": _mean(mine["right"]),
            "wrong": _mean(mine["wrong"]),
        }
        for (setting, method), mine in sorted(
            sums.items(), key=lambda item: (item[0][0], order.get(item[0][1], 0))
        )
    ]


def _mean(group: Sequence[Any]) -> Mapping[str, Any]:
    turns, total = group
    shares = [] if not turns else rounded((total / turns).tolist(), 3)
    return {"turns": turns, "shares": shares}
