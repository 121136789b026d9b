"""A run as logs of Inspect (inspect_ai), which `inspect view` shows: one for each task, mode and
method of a model at one length.

The format: version 2 of its logs, as `.eval`, a zip of JSON texts (header, summaries, one for each
sample). A turn is a sample; a score that is missing is NaN, which Inspect leaves out of means.
Contexts are not copied: they are the same for hundreds of samples.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import scbench
from scbench.stats import Estimate, ScoreCell, Setting, Summary
from scbench.stats.frame import protocol_label
from scbench.types import Finish, Record, Score, Session

VERSION = 2
STARTED = "1970-01-01T00:00:00+00:00"  # where a manifest says nothing
WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: the same run gives the same bytes
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogPlace:
    """What one log is of."""

    setting: Setting
    mode: str
    task: str
    method: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()[:22]

    @property
    def file_name(self) -> str:
        """Without signs that a file system or a shell would read; the digest tells twins apart."""
        words = (self.task, self.mode, self.method, self.setting.model)
        plain = "_".join(re.sub(r"[^A-Za-z0-9.]+", "-", word).strip("-.")[:40] for word in words)
        return f"{plain}_{self.digest}.eval"


def logs(
    records: Sequence[Record],
    sessions: Mapping[str, Session | None],
    summary: Summary,
    manifest: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """File name and bytes of each log; `records` are those that the run means."""
    by_place: dict[LogPlace, list[Record]] = {}
    for record in records:
        by_place.setdefault(_place(record), []).append(record)
    for place, some in by_place.items():
        cell = summary.cell(place.setting, place.mode, place.method, place.task)
        header = _header(place, some, cell, manifest)
        samples = [_sample(one, sessions.get(one.session_digest)) for one in some]
        samples.sort(key=lambda one: (one["epoch"], one["id"]))  # the order in which it reads them
        yield place.file_name, _zipped(header, samples)


def _place(record: Record) -> LogPlace:
    setting = Setting(
        record.model, record.length_tokens, protocol_label(record.protocol), str(record.form)
    )
    return LogPlace(setting, str(record.mode), record.task, record.method)


def _times(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """When the run's first command began and its last one ended."""
    runs = manifest.get("runs") or [{}]
    started = str(runs[0].get("started") or STARTED)
    return started, str(runs[-1].get("ended") or started)


def _usage(records: Sequence[Record]) -> dict[str, int]:
    """Tokens of prompts and answers."""
    read = sum(one.prompt_tokens for one in records)
    made = sum(len(one.answer.ids) for one in records if one.answer is not None)
    return {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}


def _header(
    place: LogPlace,
    records: Sequence[Record],
    cell: ScoreCell | None,
    manifest: Mapping[str, Any],
) -> Json:
    started, ended = _times(manifest)
    ids = [_id(one) for one in records]
    gaps = sum(one.failure is not None for one in records)
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": place.digest,
            "run_id": str(manifest.get("id", place.digest)),
            "created": started,
            "task": f"scbench/{place.task}",
            "task_id": place.digest,
            "task_version": 0,
            "task_args": {
                "mode": place.mode,
                "method": place.method,
                "length_tokens": place.setting.length_tokens,
                "protocol": place.setting.protocol,
                "form": place.setting.form,
            },
            "solver": place.method,
            "tags": [place.method, place.mode],  # a list of logs shows these
            "dataset": {
                "name": f"{place.task}, {place.setting.length_tokens:,} tokens",
                "samples": len(records),
                "sample_ids": ids,
                "shuffled": False,
            },
            "model": f"scbench/{place.setting.model}",
            "config": {"epochs": max((one.sample for one in records), default=0) + 1},
            "packages": {"scbench": scbench.__version__},
            "scorers": [{"name": name, "options": {}} for name in ("strict", "official")],
        },
        "plan": {"name": place.method, "steps": [{"solver": place.method, "params": {}}]},
        "results": {
            "total_samples": len(records),
            "completed_samples": len(records) - gaps,
            "scores": [] if cell is None else _scores(cell),
        },
        "stats": {
            "started_at": started,
            "completed_at": ended,
            "model_usage": {f"scbench/{place.setting.model}": _usage(records)},
        },
    }


def _scores(cell: ScoreCell) -> list[Json]:
    means = {"strict": cell.strict, "official": cell.official}
    return [
        {
            "name": name,
            "scorer": name,
            "scored_samples": one.n,
            "unscored_samples": max(0, cell.planned_turns - one.n),
            "metrics": {
                metric: {"name": metric, "value": value} for metric, value in _metrics(one).items()
            },
        }
        for name, one in means.items()
        if one.value is not None
    ]


def _metrics(one: Estimate) -> dict[str, float]:
    """The mean with its limits, clustered by session: Inspect itself would take turns for draws."""
    known = {"mean": one.value, "low_95": one.low, "high_95": one.high}
    return {name: value for name, value in known.items() if value is not None}


def _id(record: Record) -> str:
    return f"{record.seed}.{record.turn + 1}"


def _sample(record: Record, session: Session | None) -> Json:
    turn = None if session is None else session.turns[record.turn]
    asked = "" if turn is None else turn.ask
    answer = record.answer
    message = {"role": "assistant", "source": "generate", "content": _content(record)}
    usage = _usage([record])
    sample: Json = {
        "id": _id(record),
        "epoch": record.sample + 1,
        "input": asked,
        "target": [] if turn is None else list(turn.wanted.golds),
        "choices": None if turn is None else list(turn.wanted.options) or None,
        "messages": [{"role": "user", "source": "input", "content": asked}],
        "output": {"model": record.model, "choices": []},
        "scores": {"strict": _score(record.strict), "official": _score(record.official)},
        "metadata": _metadata(record),
        "model_usage": {f"scbench/{record.model}": usage},
    }
    if answer is not None:
        stop = "max_tokens" if answer.finish is Finish.LENGTH else "stop"
        sample["messages"].append(message)
        sample["output"] = {
            "model": record.model,
            "choices": [{"message": message, "stop_reason": stop}],
            "completion": answer.text,
            "usage": usage,
        }
    if record.failure is not None:
        why = f"{record.failure.kind}: {record.failure.why}"
        sample["error"] = {"message": why, "traceback": why, "traceback_ansi": why}
    return sample


def _content(record: Record) -> str | list[Json]:
    if record.answer is None:
        return ""
    if not record.answer.thought:
        return record.answer.text
    return [
        {"type": "reasoning", "reasoning": record.answer.thought},
        {"type": "text", "text": record.answer.text},
    ]


def _score(score: Score) -> Json:
    return {
        "value": float("nan") if score.value is None else score.value,
        "answer": score.read or None,
        "explanation": score.why or None,
        "metadata": {"rule": score.rule, **score.side},
    }


def _metadata(record: Record) -> Json:
    """What else is known of a turn, where it is."""
    gold = record.gold
    known = {
        "seed": record.seed,
        "turn": record.turn + 1,
        "turns": record.turns,
        "subtask": record.subtask,
        "session": record.session_digest,
        "key": record.key,
        "depth": record.depth,
        "truncated_tokens": record.truncated_tokens or None,
        "evidence_kept": record.evidence_kept,
        "evidence_held": record.evidence_held,
        "evidence_loaded": record.evidence_loaded,
        "held_bytes": record.cost.held_accounted_bytes or record.cost.held_bytes,
        "loaded_bytes": record.cost.loaded_bytes,
        "kl_to_dense": None if gold is None else gold.kl_to_dense,
        "top1_agreement": None if gold is None else gold.top1_agreement,
        "notes": list(record.notes) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


SUMMARISED = ("id", "epoch", "input", "choices", "target", "metadata", "scores", "model_usage")


def _summary(sample: Json) -> Json:
    """What a list of samples shows."""
    known = {name: sample[name] for name in SUMMARISED}
    failed = sample.get("error")
    return {
        **known,
        "error": None if failed is None else failed["message"],
        "completed": failed is None,
        "message_count": len(sample["messages"]),
    }


def _zipped(header: Json, samples: Sequence[Json]) -> bytes:
    start = {name: header[name] for name in ("version", "eval", "plan")}
    texts = {
        "_journal/start.json": start,
        **{f"samples/{one['id']}_epoch_{one['epoch']}.json": one for one in samples},
        "summaries.json": [_summary(one) for one in samples],
        "header.json": header,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in texts.items():
            # NaN is written as such: that is how Inspect spells a score that is missing.
            text = json.dumps(value, ensure_ascii=True)
            archive.writestr(zipfile.ZipInfo(name, WHEN), text, compress_type=zipfile.ZIP_DEFLATED)
    return file.getvalue()
