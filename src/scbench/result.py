"""A run's folder, read back: records, scores, samples, comparisons, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench import report as reports
from scbench.engines.lab_models import solves
from scbench.errors import BadConfig, ScbenchError
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
from scbench.stats.paper import TaskBook
from scbench.types import Record

if TYPE_CHECKING:
    import polars

    from scbench.against.baseline import Baseline
    from scbench.grid.outcome import Outcome
    from scbench.play.evidence import EvidenceHeld
    from scbench.report.notebook import InlineFigure
    from scbench.stats import Summary
    from scbench.stats.two_runs import TwoRuns


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
        """Write report.md, results.csv and .parquet, turns.csv, cost.csv, tables.md and .tex, then
        index.html; default: into the run's folder.
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

    def page_files(self) -> dict[str, bytes]:
        """The page as `report` would write it, by file name; nothing is written."""
        texts = reports.page_files(
            self.summary(),
            manifest.read(self.folder),
            source=page_source(self.folder, self.records()),
        )
        return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}

    def figures(self) -> dict[str, InlineFigure]:
        """The paper's figures by name, as a notebook shows them: turns, budgets, bytes, query
        awareness, as far as the run has numbers for them."""
        from scbench.report.paper import inline_figures

        return inline_figures([self.summary()])

    def scores(self) -> polars.DataFrame:
        """One row a cell or average: the very table of `results.csv`, scores in 0..1.

        Rows of `kind` "average" named Overall are what a report puts first.
        """
        from scbench.report.tabular import table

        return table(self.summary())

    def samples(self) -> polars.DataFrame:
        """One row an answer, in the order of turns, with question, gold and answer, for reading;
        None where a session's file is gone."""
        from scbench.report.schema import SAMPLES, framed
        from scbench.sample_rows import sample_rows

        return framed(sample_rows(self.folder, self.records()), SAMPLES)

    def tables(self) -> dict[str, polars.DataFrame]:
        """Every table of docs/schema.md by name: results, turns, cost, samples."""
        from scbench.report.tabular import cost_table, table

        summary = self.summary()
        return {
            "results": table(summary),
            "turns": summary.turns,
            "cost": cost_table(summary),
            "samples": self.samples(),
        }

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

    def baseline(self) -> Baseline:
        """Its items and what made them, for later runs to be held against."""
        from scbench.against.baseline import Baseline
        from scbench.against.likeness import likeness
        from scbench.stats.two_runs import items_of

        records = self.records()
        return Baseline(
            items=items_of(self.frame()), likeness=likeness(records, read_facts(self.folder))
        )

    def against(
        self,
        earlier: Result | Baseline,
        *,
        allow_different: bool = False,
        methods: Sequence[str] | None = None,
    ) -> TwoRuns:
        """This run minus an earlier one, item by item: `rows` with intervals and verdicts, `items`,
        `flipped()`.

        Raises Mismatch for runs that differ in model, tasks, lengths, sessions, prompts or
        scorers, unless `allow_different`; BadConfig where they share no scored item.
        """
        from scbench.against.likeness import refuse_unlike
        from scbench.stats.two_runs import compare_runs

        before = earlier.baseline() if isinstance(earlier, Result) else earlier
        after = self.baseline()
        if not allow_different:
            refuse_unlike(before.likeness, after.likeness)
        found = compare_runs(
            before.items,
            after.items,
            book=TaskBook(task_cards(self.folder)),
            solves=solves,
            methods=methods,
        )
        if found.items.is_empty():
            raise BadConfig(
                "these runs share no scored item: the same method, mode, session (to the last "
                "character) and turn; play them with the same tasks, lengths, seed and methods"
            )
        return found

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

    def places(self, methods: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Method as shown to (stage, category); "other" for one that this run does not know."""
        return places_of(methods, self.methods())

    def _repr_html_(self) -> str:
        """For notebooks: the averages, a row a method and mode."""
        from scbench.report.notebook import inline

        return inline(self.summary())


def _few(names: Sequence[str]) -> str:
    """The first names of several, and how many more there are."""
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def stages_of(
    records: Sequence[Record], cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """`places_of` the methods of these records."""
    return places_of([record.method for record in records], cards)


def places_of(
    methods: Sequence[str], cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """method -> (stage, category) for the report; a composition is placed by its first stage.

    `cards` are those that the run kept; a folder from before there were any is read by name.
    """
    places: dict[str, tuple[str, str]] = {}
    for shown in dict.fromkeys(methods):
        if shown in cards:
            places[shown] = (cards[shown]["stage"], cards[shown]["category"])
            continue
        try:
            first = card(read_part(split(shown)[0])[0])
            places[shown] = (first.stage, first.category)
        except ScbenchError:  # somebody's, which is not looked for and never read
            places[shown] = ("other", "other")
    return places
