"""What must be the same in two runs before a difference between them means anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from scbench.errors import Mismatch
from scbench.ledger.facts import MADE, MODEL
from scbench.stats.frame import protocol_label
from scbench.types import Record

UNKNOWN = "not known"
MOST_NAMED = 4
IDENTITY = ("weights_digest", "tokenizer_digest", "template_digest", "generation_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A run as a comparison sees it: sets of short texts, which two runs have alike or not.

    The fields up to `scorers` must be alike. Those after it may differ: engine, dtype and device
    are what people compare.
    """

    models: tuple[str, ...]  # name and what its answers rest on: weights, tokenizer, template
    tasks: tuple[str, ...]
    lengths: tuple[str, ...]
    prompts: tuple[str, ...]
    sessions: tuple[str, ...]  # task, length, seed, digest
    scorers: tuple[str, ...]  # task, rule, digest of what scored it
    engines: tuple[str, ...] = ()


MUST = ("models", "tasks", "lengths", "prompts", "sessions", "scorers")


def likeness(records: Sequence[Record], facts: Mapping[str, Mapping[str, Any]]) -> Likeness:
    """Of a run's records and the lines of its `facts.jsonl`, by digest."""
    models = _models(records, facts)
    return Likeness(
        models=_sorted(_model(name, told) for name, told in models),
        tasks=_sorted(record.task for record in records),
        lengths=_sorted(f"{record.length_tokens:,} tokens" for record in records),
        prompts=_sorted(protocol_label(record.protocol) for record in records),
        sessions=_sorted(
            f"{record.task}, {record.length_tokens:,} tokens, seed {record.seed}, "
            f"{record.session_digest[:12]}"
            for record in records
        ),
        scorers=_sorted(_scorer(record) for record in records if record.failure is None),
        engines=_sorted(_engine(told) for _, told in models if told),
    )


def unlike(before: Likeness, after: Likeness) -> list[str]:
    """What must be alike and is not, a line each; none if the runs can be compared."""
    return [line for name in MUST for line in _difference(name, before, after)]


def differs(before: Likeness, after: Likeness) -> list[str]:
    """What may differ and does."""
    return _difference("engines", before, after)


def refuse_unlike(before: Likeness, after: Likeness) -> None:
    """Raise Mismatch for runs that differ in more than what is compared."""
    found = unlike(before, after)
    if found:
        raise Mismatch(
            "these runs differ in more than what is compared:\n  "
            + "\n  ".join(found)
            + "\nPlay the two with the same settings, or say --allow-different: then the items "
            "that both have are compared."
        )


def _difference(name: str, before: Likeness, after: Likeness) -> list[str]:
    mine, theirs = getattr(before, name), getattr(after, name)
    if mine == theirs:
        return []
    only = ([one for one in mine if one not in theirs], [one for one in theirs if one not in mine])
    return [f"{name}: before {_few(only[0])}; after {_few(only[1])}"]


def _few(texts: Sequence[str]) -> str:
    if not texts:
        return "nothing else"
    more = f" and {len(texts) - MOST_NAMED:,} more" if len(texts) > MOST_NAMED else ""
    return "; ".join(texts[:MOST_NAMED]) + more


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


def _models(
    records: Sequence[Record], facts: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Each model's name with each of the facts its answers were made under; empty: not kept."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name, made in {(record.model, record.made) for record in records}:
        line = facts.get(made, {})
        parts = line.get("facts", {}) if line.get("kind") == MADE else {}
        digest = str(parts.get(MODEL, ""))
        found[name, digest] = facts.get(digest, {}).get("facts", {})
    return [(name, told) for (name, _), told in sorted(found.items(), key=lambda item: item[0])]


def _model(name: str, told: Mapping[str, Any]) -> str:
    parts = [f"{part.removesuffix('_digest')} {_short(told.get(part))}" for part in IDENTITY]
    return f"{name} ({', '.join(parts) if told else 'what it is made of was not kept'})"


def _short(digest: object) -> str:
    return str(digest)[:8] if digest else "none"


def _engine(told: Mapping[str, Any]) -> str:
    words = [told.get(name, UNKNOWN) for name in ("engine", "dtype", "device")]
    return f"{told.get('name', UNKNOWN)}: {', '.join(map(str, words))}"


def _scorer(record: Record) -> str:
    return f"{record.subtask}: {record.strict.rule}, code {record.scored[:8] or UNKNOWN}"


def plain(one: Likeness) -> dict[str, list[str]]:
    """As JSON holds it."""
    return {field.name: list(getattr(one, field.name)) for field in fields(Likeness)}
