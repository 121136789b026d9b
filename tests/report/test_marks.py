"""Marks and counts stand at the number, in every medium."""

from __future__ import annotations

import csv as plain_csv
import io
import re
from dataclasses import replace

import pytest
from factory import record, run, session
from lacking import LACKS, records
from page_parts import rows as columns_as_rows
from page_parts import unpacked
from rich.console import Console

from scbench.report import cost_csv, csv, latex, markdown, page, terminal
from scbench.report.costs import cost_tables
from scbench.report.gaps import gap_table
from scbench.report.headline import headline
from scbench.report.page.figure import points
from scbench.report.scores import score_table
from scbench.report.table import Entry, Table
from scbench.report.trends import trend_table
from scbench.stats import ABILITIES, OVERALL, Summary, summarise
from scbench.types import BEYOND_TRAINED, KEPT_OLD, NOT_BINDING

MT = "multi-turn"
COUNTS = {"kv failed": 220, "hard sessions failed": 228, "half unscored": 230}
NOTED = {KEPT_OLD: "‖", BEYOND_TRAINED: "◇", NOT_BINDING: "⊇"}


@pytest.fixture(scope="module", params=LACKS)
def lacking(request: pytest.FixtureRequest) -> tuple[str, Summary]:
    return request.param, summarise(records(request.param), resamples=0)


def printed(summary: Summary, width: int = 300) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def entry(table: Table, method: str, title: str) -> Entry:
    place = [column.title for column in table.columns].index(title)
    return next(row for row in table.rows if row.name == method).entries[place]


def number(text: str) -> float:
    return float(text.replace("−", "-")) if text != "–" else -1.0


def test_no_number_stands_above_the_baselines_without_a_mark_and_a_count(
    lacking: tuple[str, Summary],
) -> None:
    summary = lacking[1]
    table = score_table(summary, summary.settings[0], MT)
    for column in table.columns:
        mine, base = entry(table, "x", column.title), entry(table, "dense", column.title)
        if number(mine.main) > number(base.main):
            assert "§" in mine.marks
            assert re.fullmatch(r"n \d+ of \d+", mine.n)
            assert f"dense {mine.main} on these" in mine.aside
        assert mine.delta in ("0.0", "–" if mine.main == "–" else "0.0", "")
        assert "§" not in base.marks


def test_every_medium_has_the_mark_and_the_count_at_the_overall_average(
    lacking: tuple[str, Summary],
) -> None:
    lack, summary = lacking
    n, mean = COUNTS.get(lack, 240), summary.average(summary.settings[0], MT, "x", OVERALL)
    assert mean is not None
    shown = f"{100 * float(mean.strict.value or 0):.1f}"
    dagger, is_whole = "†" if lack == "kv failed" else "", n == 240
    line = next(line for line in markdown(summary).splitlines() if line.startswith("| x |"))
    assert (f"{shown}{dagger}§ [" in line) is not is_whole
    assert (f"n {n} of 240" in line) is not is_whole
    html = page(summary)
    text = re.sub(r"<[^>]+>", " ", html.split('<table class="heat">', 1)[1])
    assert bool(re.search(rf"{shown}{dagger}§[^§]*n {n} of 240", text)) is not is_whole
    assert (f"n {n} of 240" in printed(summary)) is not is_whole
    tex = latex(summary)
    assert (f"(n {n} of 240)" in tex) is not is_whole
    point = next(
        one
        for one in points(summary, headline(summary, summary.settings[0]), MT)
        if one["method"] == "x"
    )
    assert (point["label"] == "x §") is not is_whole
    assert point["has_gaps"] is not is_whole


def test_the_csv_has_planned_turns_marks_and_the_baselines_mean_over_the_shared_turns() -> None:
    summary = summarise(records("hard sessions failed"), resamples=0)
    rows = list(plain_csv.DictReader(io.StringIO(csv(summary))))
    found = {(row["method"], row["task"]): row for row in rows if row["part"] == ""}
    one = found["x", OVERALL]
    assert (one["strict_n"], one["planned_turns"], one["gap_turns"]) == ("228", "240", "12")
    assert one["marks"] == "gaps"
    assert float(one["shared_baseline"]) == pytest.approx(float(one["strict"]))
    assert found["dense", OVERALL]["marks"] == ""
    assert found["x", "kv"]["planned_turns"] == "20"


def test_a_point_of_a_curve_over_fewer_turns_is_hollow_and_has_its_count() -> None:
    summary = summarise(records("hard sessions failed"), resamples=0)
    found = columns_as_rows(unpacked(page(summary))["curves"])
    counts = {(one["method"], one["what"]): one["beside"] for one in found if one["turn"] == 0}
    assert counts["x", "Retr.KV"] == "§ n 2 of 5"
    others = {"Retr.KV", "Retr.String"}  # the ability has the task's gaps too
    assert {text for (_, what), text in counts.items() if what not in others} == {""}
    gaps = {one["gaps"] for one in found if (one["method"], one["what"]) == ("x", "Retr.KV")}
    assert gaps != {0}


@pytest.mark.slow
def test_a_category_of_the_page_has_the_same_panels_in_chart_and_table() -> None:
    weak = {"kv", "vt", "prefix_suffix"}
    summary = summarise(
        run(sessions=3), resamples=0, solves=lambda model, task, length, mode: task not in weak
    )
    setting = summary.settings[0]
    table = score_table(summary, setting, MT)
    curves = {one["what"] for one in columns_as_rows(unpacked(page(summary))["curves"])}
    drawn = curves & set(ABILITIES)
    shown = {
        column.title
        for column in table.columns
        if column.is_average and entry(table, "dense", column.title).main != "–"
    }
    assert (
        drawn == shown - {OVERALL, "Held, % of dense"} == {"Retr.Semantic", "Global", "Multi-task"}
    )
    assert "Retr.KV ◦" in curves


def test_a_task_of_which_a_method_has_no_record_is_marked_with_none_of_its_turns() -> None:
    rows = [
        one
        for one in run(tasks=("kv", "vt"), sessions=2)
        if (one.task, one.method) != ("vt", "snapkv")
    ]
    summary = summarise(rows, resamples=0)
    found = entry(score_table(summary, summary.settings[0], MT), "snapkv", "Retr.MultiHop")
    assert (found.main, found.marks, found.n) == ("–", "§", "n 0 of 8")


@pytest.mark.parametrize("note", [KEPT_OLD, BEYOND_TRAINED])
def test_a_note_of_a_record_marks_every_number_it_enters(note: str) -> None:
    rows = [*session([1.0, 0.0]), *session([1.0, 0.0], number=1), *session([1.0, 1.0], task="vt")]
    rows += session([1.0, None], method="x", notes=(note,))
    summary, sign = summarise(rows, resamples=0), NOTED[note]
    setting = summary.settings[0]
    scores, trends = score_table(summary, setting, MT), trend_table(summary, setting, MT)
    for title in ("Retr.KV", "Retr.String", OVERALL):
        assert sign in entry(scores, "x", title).marks
        assert sign not in entry(scores, "dense", title).marks
    assert sign in entry(trends, "x", "Retr.KV").marks
    assert sign in entry(gap_table(summary), "x", "mean").marks
    for table in (scores, trends, gap_table(summary)):
        assert [line for line in table.notes if line.startswith(sign) and note in line]
    assert note in csv(summary)
    beside = {one["beside"] for one in columns_as_rows(unpacked(page(summary))["curves"])}
    assert any(text.startswith(sign) for text in beside)
    other = next(one for one in NOTED.values() if one != sign)
    assert other not in markdown(summary)


def test_a_failed_cost_row_is_a_row_of_dashes_with_its_reason_below() -> None:
    measured = {"model": "toy", "method": "dense", "length_tokens": 1024, "tpot_s": 0.02}
    failed = {
        "model": "toy",
        "method": "x",
        "length_tokens": 1024,
        "failure": "out-of-memory: 9 GiB",
    }
    for costs in ([measured, failed, failed], [failed]):
        table = cost_tables(summarise([], costs))[0]
        row = next(row for row in table.rows if row.name == "x")
        assert {(one.main, one.marks) for one in row.entries} == {("–", "§")}
        assert len([one for one in table.rows if one.name == "x"]) == 1
        assert "§ not measured. x: out-of-memory: 9 GiB." in table.notes
    rows = list(plain_csv.DictReader(io.StringIO(cost_csv(summarise([], [measured, failed])))))
    assert [(row["method"], row["failure"], row["tpot_s"]) for row in rows] == [
        ("dense", "", "0.02"),
        ("x", "out-of-memory: 9 GiB", ""),
    ]


def test_the_table_of_gaps_names_the_traceback_after_the_reason() -> None:
    summary = summarise(records("kv failed"), resamples=0)
    line = "failed: crashed: 20 (traceback: failures/abc.txt)"
    assert line in str(unpacked(page(summary))["gaps"])
    assert line in markdown(summary)
    assert line in printed(summary)


def test_a_budget_that_keeps_everything_is_said_to_beside_the_number() -> None:
    literal = summarise([record(notes=(NOT_BINDING,)), record(turn=1)])
    assert "⊇ budget not binding: it covers the whole context" in markdown(literal)
    assert "budget not binding" not in markdown(summarise([record()]))


def test_a_method_that_lost_the_form_of_its_answers_has_its_share_below_the_table() -> None:
    kept = [record(session=n, turn=t, value=1.0) for n in range(4) for t in range(5)]
    lost = [
        replace(one, strict=replace(one.strict, format_failure=at % 4 == 0))
        for at, one in enumerate(
            record(method="snapkv", session=n, turn=t, value=0.0)
            for n in range(4)
            for t in range(5)
        )
    ]
    summary = summarise([*kept, *lost], resamples=0)
    table = score_table(summary, summary.settings[0], MT)
    said = [note for note in table.notes if "Format failures" in note]
    assert len(said) == 1
    assert "snapkv 25.0 (5 of 20 turns)" in said[0]
    assert "dense" not in said[0]
    silent = score_table(summarise(kept, resamples=0), summary.settings[0], MT)
    assert not any("Format failures" in note for note in silent.notes)
