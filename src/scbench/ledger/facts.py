"""`facts.jsonl`: what stands behind the digests in records, each thing once.

A record's `made` points to a line of kind `made`, which points to a model, a method and the code;
so a record's method is found again without guessing its file, and a change can be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from scbench.errors import BadConfig, BadRecord
from scbench.ledger.book import Book
from scbench.ledger.cells import SHORT, MadeBy, canonical_json, digest
from scbench.ledger.lines import read_lines
from scbench.ledger.lock import Lock
from scbench.task_cards import Subtask, TaskCard
from scbench.tasks.contract import TaskOrigin

FACTS = "facts.jsonl"
MADE, MODEL, METHOD, CODE, TASK = "made", "model", "method", "code", "task"


class Facts(Book[dict[str, Any]]):
    """The facts of a run folder, open for adding."""

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, FACTS, dict[str, Any], lock, _check)
        try:
            self.known = {row["digest"]: row for _, row in self.lines.places()}
        except BaseException:
            self.close()
            raise

    def note(self, kind: str, facts: object, whole: str = "") -> str:
        """Keep `facts` under their digest (or under `whole`, one that stands for more); returns it,
        short."""
        plain = msgspec.json.decode(canonical_json(facts))
        short = (whole or digest(facts))[:SHORT]
        if short not in self.known:
            row = {"digest": short, "kind": kind, "facts": plain}
            self.lines.append(row)
            self.known[short] = row
        return short

    def note_made(self, made: MadeBy, card: Mapping[str, Any]) -> str:
        """Keep what made an answer, with the method's card for people and reports."""
        key = replace(made.method, sources=_shortened(made.method.sources))
        parts = {
            MODEL: self.note(MODEL, made.model),
            METHOD: self.note(METHOD, {"key": key, "card": card}),
            CODE: self.note(CODE, _shortened(made.code)),
        }
        return self.note(MADE, parts, whole=made.digest)

    def note_task(self, card: TaskCard, origin: TaskOrigin) -> str:
        """Keep what tables say of a task that is not the paper's."""
        parts = [
            {"name": part.name, "chance": part.chance, "tiny_chance": part.tiny_chance}
            for part in card.subtasks
        ]
        told = {
            "name": card.name,
            "title": card.title,
            "ability": card.ability,
            "subtasks": parts,
            "source": card.source,
            "origin": {"place": origin.place, "digest": origin.digest[:SHORT]},
        }
        return self.note(TASK, told)

    def difference(self, old: str, new: str) -> str:
        """Why records made by `old` are not those of `new`, in words."""
        if old not in self.known:
            return "they come from a version that did not keep what made them"
        was, now = (self.known[one]["facts"] for one in (old, new))
        changed = [kind for kind in (MODEL, METHOD, CODE) if was[kind] != now[kind]]
        said = [self._changed(kind, was[kind], now[kind]) for kind in changed]
        return "; ".join(filter(None, said)) or "another session, mode or number of turns"

    def _played_modules(self) -> set[str]:
        rows = [row["facts"] for row in self.known.values() if row["kind"] == CODE]
        return {module for facts in rows for module in facts}

    def _changed(self, kind: str, old: str, new: str) -> str:
        was, now = (self.known.get(one, {}).get("facts", {}) for one in (old, new))
        if kind == METHOD:
            was, now = (_flat(one.get("key", {})) for one in (was, now))
        names = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
        if kind == METHOD:  # what every play runs through is told once, as our code
            played = self._played_modules()
            names = [name for name in names if name.partition(": ")[2] not in played]
        if not names:
            return ""
        shown = ", ".join(name.removeprefix("scbench.") for name in names[:6])
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        return f"{'our code' if kind == CODE else f'the {kind}'} changed ({shown}{more})"


def read_facts(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Digest to line, of a run folder; empty for folders from before there were any."""
    path = Path(folder) / FACTS
    if not path.exists():
        return {}
    return {row["digest"]: row for row in read_lines(path, dict[str, Any], _check)}


def cards(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Method as shown to its newest card: stage, category, spelling with paths, origins."""
    rows = (row for row in read_facts(folder).values() if row["kind"] == METHOD)
    return {row["facts"]["card"]["shown"]: row["facts"]["card"] for row in rows}


def task_cards(folder: str | Path) -> dict[str, TaskCard]:
    """The newest card of every task in a folder that is not the paper's, as far as tables need it.

    Raises BadRecord for a line that holds no card.
    """
    rows = [row["facts"] for row in read_facts(folder).values() if row["kind"] == TASK]
    return {card.name: card for card in map(_task_card, rows)}


def _task_card(told: Mapping[str, Any]) -> TaskCard:
    try:
        parts = tuple(
            Subtask(
                name=part["name"],
                strict="",  # nothing is scored from here
                chance=part["chance"],
                tiny_chance=part["tiny_chance"],
            )
            for part in told["subtasks"]
        )
        return TaskCard(
            name=told["name"],
            title=told["title"],
            ability=told["ability"],
            subtasks=parts,
            source=told["source"],
        )
    except (KeyError, TypeError, AttributeError, BadConfig) as err:
        raise BadRecord(
            f"a line of {FACTS} tells of a task and holds no card of one: {err}"
        ) from err


def _shortened(digests: Mapping[str, str]) -> dict[str, str]:
    """Enough of each digest to see that it changed; the whole ones are in the key."""
    return {name: digest[:SHORT] for name, digest in digests.items()}


def _flat(key: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: value for name, value in key.items() if name != "sources"}
    return {**parts, **key.get("sources", {})}


def _check(row: Mapping[str, Any]) -> None:
    for name, kind in (("digest", str), ("kind", str), ("facts", dict)):
        if not isinstance(row, Mapping) or not isinstance(row.get(name), kind):
            raise BadRecord(
                f"a line of facts has a {kind.__name__} under {name!r}; got {row!r:.200}"
            )
