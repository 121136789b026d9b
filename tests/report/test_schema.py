"""Tables for other programs: their columns are those of docs/schema.md, no cell is a formula."""

from __future__ import annotations

import csv as plain_csv
import io
import re
from pathlib import Path

import polars as pl
import pytest
from factory import record, session
from report_sample import STAGES

from scbench.report.notebook import inline
from scbench.report.schema import COST, RESULTS, SAMPLES, SCHEMA, TABLES, TURNS, framed, markdown
from scbench.report.shown import csv_text
from scbench.report.tabular import cost_table, csv, parquet, table, turns_csv
from scbench.stats import Summary, summarise
from scbench.types import Record

ROOT = Path(__file__).parents[2]


def test_docs_schema_says_what_the_code_says() -> None:
    assert (ROOT / "docs" / "schema.md").read_text(encoding="utf-8").endswith(markdown())


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_name_of_its_own_and_says_what_it_is(name: str) -> None:
    fields = TABLES[name]
    assert len({field.name for field in fields}) == len(fields)
    assert all(len(field.about) > 3 for field in fields)


def test_a_full_report_has_the_columns_and_kinds_of_the_schema(summary: Summary) -> None:
    for made, fields in ((table(summary), RESULTS), (cost_table(summary), COST)):
        assert dict(made.schema) == {field.name: field.kind for field in fields}
    turns = dict(summary.turns.schema)
    known = {field.name: field.kind for field in TURNS}
    assert {name: turns[name] for name in known} == known
    assert all(name.startswith("side_") for name in turns.keys() - known.keys())


def test_an_empty_report_has_the_very_same_columns() -> None:
    empty = summarise([])
    assert dict(table(empty).schema) == {field.name: field.kind for field in RESULTS}
    assert csv(empty).splitlines() == [",".join(field.name for field in RESULTS)]


def test_a_column_that_the_schema_does_not_know_is_no_column() -> None:
    with pytest.raises(AssertionError, match="without a place in the schema: novel"):
        framed([{"model": "m", "novel": 1}], RESULTS)


def test_parquet_says_what_the_csv_says(summary: Summary) -> None:
    data = parquet(table(summary))
    read = pl.read_parquet(io.BytesIO(data))
    assert read.equals(table(summary))
    assert pl.read_parquet_metadata(io.BytesIO(data))["scbench.schema"] == str(SCHEMA)
    as_csv = pl.read_csv(io.StringIO(csv(summary)), schema=read.schema)
    numbers = [name for name, kind in read.schema.items() if kind in (pl.Float64, pl.Int64)]
    for name in numbers:
        assert as_csv[name].to_list() == pytest.approx(read[name].to_list(), nan_ok=True), name


FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("x")',
    "\t=1",
    "\r=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_any_csv_is_a_formula(text: str) -> None:
    summary = summarise([record(method=text, model=text, task=text)])
    sample = framed([{"model": text, "question": text, "gold": text, "answer": text}], SAMPLES)
    for made in (csv(summary), turns_csv(summary), csv_text(sample)):
        cells = [cell for row in plain_csv.reader(io.StringIO(made, newline="")) for cell in row]
        assert any(text.strip() in cell for cell in cells)
        for cell in cells:
            is_number = re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)
            assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def test_a_notebook_shows_every_method_and_runs_none(records: list[Record]) -> None:
    shown = inline(summarise(records, stages=STAGES, resamples=0))
    assert shown.count("<tr>") == 1 + 2 * 4
    assert "snapkv[tau=1/32]" in shown
    name = "<script>alert(1)</script>\x1b[2J"
    hostile = inline(summarise([*session([1.0], method=name), *session([1.0])]))
    assert "<script" not in hostile
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J" in hostile
    assert "nothing to show" in inline(summarise([]))
