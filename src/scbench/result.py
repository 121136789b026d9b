"""A run's folder, read back: records, scores, samples, comparisons, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench import report as reports
from scbench.engines.lab_models import solves
from scbench.errors import BadConfig, BadRecord, ScbenchError
from scbench.grid.settings import Settings, read_settings
from scbench.grid.settings_file import NAME as SETTINGS
from scbench.grid.settings_file import read_words
from scbench.grid.words import typed_words
from scbench.ledger import manifest
from scbench.ledger.cells import read_plan
from scbench.ledger.equal_table import EqualBytes
from scbench.ledger.equal_table import read as read_equal_bytes
from scbench.ledger.facts import cards, read_facts, task_cards
from scbench.ledger.journal import COSTS, RECORDS, current, read_costs, read_records
from scbench.ledger.lines import torn_tail
from scbench.methods.cards import card
from scbench.methods.spelling import read_part, split
from scbench.page_source import page_source
from scbench.types import Record, Session

if TYPE_CHECKING:
    import polars

    from scbench.grid.outcome import Outcome
    from scbench.play.evidence import EvidenceHeld
    from scbench.stats import Summary


MOST_SHOWN = 4  # names of a kind, where a run is shown in a few lines


@dataclass(slots=True, repr=False)
class Result:
    """A run's folder, read back.

    >>> import tempfile
    >>> import scbench
    >>> with tempfile.TemporaryDirectory() as out:
    ...     words = {"tasks": "kv", "length": 512, "sessions": 1, "turns": 1, "cost_repeats": 1}
    ...     run = scbench.run(model="toy", methods="dense", out=out, quiet=True, **words)
    ...     [(record.method, record.strict.value) for record in Result(run.folder).records()]
    [('dense', 1.0), ('dense', 1.0)]
    """

    folder: Path
    outcome: Outcome | None = None

    def records(self) -> list[Record]:
        """The newest record of every turn that the run means (`journal.current`)."""
        return current(read_records(self.folder), read_plan(self.folder))

    def methods(self) -> dict[str, dict[str, Any]]:
        """Method as shown to its card: spelling with paths, stage, category, origins."""
        return cards(self.folder)

    def torn(self) -> list[str]:
        """A line for each file whose last line is not whole: written at this moment, or cut off."""
        names = [name for name in (RECORDS, COSTS) if (self.folder / name).exists()]
        tails = {name: torn_tail(self.folder / name) for name in names}
        told = [
            f"{name} ends in {tail:,} bytes that are no whole line; they are left out"
            for name, tail in tails.items()
            if tail
        ]
        facts = read_facts(self.folder)
        lost = {record.made for record in self.records()} - facts.keys() - {""}
        if lost:
            told.append(
                f"facts.jsonl lacks {len(lost)} of the things that made these records: what they "
                "were is not known, and methods from files stand under 'other'"
            )
        return told

    def frame(self) -> polars.DataFrame:
        """One row a turn."""
        from scbench.stats import frame

        return frame(self.records())

    def equal_bytes(self) -> list[EqualBytes]:
        """Which settings the last command with `equal_bytes` chose, length by length; empty without
        it.
        """
        return read_equal_bytes(self.folder)

    def costs(self) -> list[dict[str, Any]]:
        """Rows of the cost pass that were measured."""
        from scbench.stats import COST_FIELDS

        rows = read_costs(self.folder) if (self.folder / COSTS).exists() else ()
        newest = {row["key"]: row for row in rows}
        return [
            {name: value for name, value in row.items() if name in COST_FIELDS}
            for row in newest.values()
            if "failure" not in row
        ]

    def cost_gaps(self) -> list[dict[str, Any]]:
        """Rows of the cost pass that could not be measured: model, method, length, failure."""
        from scbench.stats import COST_FIELDS

        rows = read_costs(self.folder) if (self.folder / COSTS).exists() else ()
        newest = {row["key"]: row for row in rows}
        return [
            {name: value for name, value in row.items() if name in COST_FIELDS}
            for row in newest.values()
            if "failure" in row
        ]

    def settings(self) -> Settings:
        """What the run was told, from its `run.toml`. Raises BadConfig where that is missing."""
        return read_settings(
            {**typed_words(read_words(self.folder / SETTINGS)), "out": self.folder}
        )

    def summary(self) -> Summary:
        """Every number that any report of this run shows."""
        from scbench.stats import summarise

        records = self.records()
        return summarise(
            records,
            [*self.costs(), *self.cost_gaps()],
            stages=self._stages(records),
            solves=solves,
            task_cards=task_cards(self.folder),
        )

    def report(self, to: Path | None = None) -> dict[str, Path]:
        """Write report.md, results.csv, turns.csv, cost.csv, tables.tex and index.html; default:
        into the run's folder.
        """
        found = manifest.read(self.folder)
        records = self.records()
        return reports.write_all(
            records,
            [*self.costs(), *self.cost_gaps()],
            found,
            Path(to or self.folder),
            stages=self._stages(records),
            solves=solves,
            task_cards=task_cards(self.folder),
            source=page_source(self.folder, records),
        )

    def scores(self) -> polars.DataFrame:
        """One row a cell or average: the very table of `results.csv`, scores in 0..1.

        Rows of `kind` "average" named Overall are what a report puts first.
        """
        from scbench.report.tabular import table

        return table(self.summary())

    def samples(self) -> polars.DataFrame:
        """One row an answer, in the order of turns, with question, gold and answer, for reading;
        None where a session's file is gone."""
        import polars as pl

        from scbench.ledger.store import SessionStore

        store = SessionStore(self.folder)
        sessions: dict[str, Session | None] = {}
        rows = []
        for record in _in_order(self.records()):
            digest = record.session_digest
            if digest not in sessions:
                sessions[digest] = _session(store, digest)
            rows.append(_sample(record, sessions[digest]))
        return pl.DataFrame(rows, infer_schema_length=None)

    def evidence(self) -> dict[tuple[str, int], EvidenceHeld]:
        """What each answered turn held of its evidence, head by head, and what it loaded: numpy
        arrays by (key of the cell, turn), as a record has them. Turns without evidence, and runs
        from before it was kept, have none. Raises BadRecord for a damaged `evidence.jsonl`.

        >>> import tempfile
        >>> import scbench
        >>> methods = ["dense", "streaming-llm[tau=1/2]"]
        >>> words = {"tasks": "kv", "length": 512, "sessions": 1, "turns": 2, "cost_sessions": 0}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     run = scbench.run(model="toy", methods=methods, out=out, quiet=True, **words)
        ...     records, evidence = run.records(), run.evidence()
        >>> first = evidence[records[0].key, records[0].turn]
        >>> records[0].method, first.heads, first.held.bits_RE.shape == (1, first.tokens)
        ('dense', (1,), True)
        >>> first.held.counts_R.tolist() == [first.tokens]  # dense holds all
        True
        """
        from scbench.grid.evidence import read_evidence

        lines = read_evidence(self.folder)
        answered = [(one.key, one.turn) for one in self.records() if one.answer is not None]
        return {place: lines[place] for place in answered if place in lines}

    def compare(self, one: str, other: str, name: str = "Overall") -> polars.DataFrame:
        """`one` minus `other` in points, in every setting and mode in which both ran: any two
        methods, on a task, an ability or Overall.

        Raises BadConfig for a method that is not in this run, or where they share no turn.
        """
        import polars as pl

        summary = self.summary()
        ran = [info.name for info in summary.methods]
        if strays := [method for method in (one, other) if method not in ran]:
            near = get_close_matches(strays[0], ran, n=1, cutoff=0.3)
            guess = f"did you mean {near[0]}? " if near else ""
            raise BadConfig(
                f"{', '.join(strays)} is not in this run; {guess}There are {', '.join(ran)}"
            )
        rows = []
        for setting in summary.settings:
            for mode in summary.modes_in(setting):
                found = summary.compare(setting, mode, one, other, name)
                if found is None:
                    continue
                estimate = found.estimate
                rows.append(
                    {
                        "setting": setting.label,
                        "mode": mode,
                        "difference": estimate.value,
                        "low": estimate.low,
                        "high": estimate.high,
                        "p": found.p_holm,
                        "verdict": "" if found.judged is None else found.judged.text,
                        "n": estimate.n,
                    }
                )
        if not rows:
            raise BadConfig(f"{one} and {other} share no scored turn of {name} in this run")
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        """Where it is, how it ended, what ran, and what can be asked of it; no record is read."""
        ended = "read back"
        if self.outcome is not None:
            now = self.outcome
            answered = f"{now.turns_answered:,} of {now.turns_planned:,} turns answered"
            ended = f"{now.outcome}, {answered}"
        try:
            settings = self.settings()
        except ScbenchError:
            ran = f"no {SETTINGS} to tell what ran"
        else:
            ran = "; ".join(map(_few, (settings.models, settings.tasks, settings.methods)))
        return (
            f"Result({str(self.folder)!r}: {ended}\n  {ran}\n  numbers: scores(), samples(), "
            "compare(one, other), costs(), summary(); pages: report())"
        )

    def _stages(self, records: list[Record]) -> dict[str, tuple[str, str]]:
        return stages_of(records, self.methods())

    def _repr_html_(self) -> str:
        """For notebooks: the averages, a row a method and mode."""
        import polars as pl

        from scbench.stats import OVERALL

        columns = ["model", "mode", "method", "strict", "difference", "verdict", "held_share"]
        is_overall = (pl.col("kind") == "average") & (pl.col("task") == OVERALL)
        scores = self.scores()
        shown = scores.filter(is_overall).select(
            [name for name in columns if name in scores.columns]
        )
        return shown._repr_html_()


def _few(names: Sequence[str]) -> str:
    """The first names of several, and how many more there are."""
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def _session(store: Any, digest: str) -> Session | None:
    try:
        found: Session = store.get(digest)
    except (KeyError, BadRecord):
        return None
    return found


def _in_order(records: Sequence[Record]) -> list[Record]:
    """Session by session, mode by mode, method by method as they first came, and turn by turn."""
    methods = {name: at for at, name in enumerate(dict.fromkeys(one.method for one in records))}
    sessions = {
        name: at
        for at, name in enumerate(dict.fromkeys((one.model, one.session_digest) for one in records))
    }
    return sorted(
        records,
        key=lambda one: (
            sessions[one.model, one.session_digest],
            one.mode,
            methods[one.method],
            one.turn,
            one.sample,
        ),
    )


def _sample(record: Record, session: Session | None) -> dict[str, object]:
    turn = None if session is None else session.turns[record.turn]
    return {
        "model": record.model,
        "task": record.task,
        "mode": str(record.mode),
        "method": record.method,
        "seed": record.seed,
        "turn": record.turn,
        "sample": record.sample,
        "question": None if turn is None else turn.ask,
        "gold": None if turn is None else turn.gold,
        "answer": None if record.answer is None else record.answer.text,
        "score": record.strict.value,
        "why": record.failure.why if record.failure is not None else record.strict.why,
        "evidence_kept": record.evidence_kept,
        "evidence_held": record.evidence_held,
        "evidence_loaded": record.evidence_loaded,
        "kl_to_dense": None if record.gold is None else record.gold.kl_to_dense,
    }


def stages_of(
    records: Sequence[Record], cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """method -> (stage, category) for the report; a composition is placed by its first stage.

    `cards` are those that the run kept; a folder from before there were any is read by name.
    """
    places: dict[str, tuple[str, str]] = {}
    for shown in dict.fromkeys(record.method for record in records):
        if shown in cards:
            places[shown] = (cards[shown]["stage"], cards[shown]["category"])
            continue
        try:
            first = card(read_part(split(shown)[0])[0])
            places[shown] = (first.stage, first.category)
        except ScbenchError:  # somebody's, which is not looked for and never read
            places[shown] = ("other", "other")
    return places
