from __future__ import annotations

import csv as plain_csv
import io
import re

import pytest
from factory import record, run, session
from page_parts import unpacked
from report_sample import MANIFEST
from rich.console import Console

from scbench.report import cost_csv, csv, latex, markdown, page, terminal, turns_csv
from scbench.report.gaps import gap_table
from scbench.report.scores import score_table
from scbench.report.words import bytes_text, interval, percent, seconds_text, signed
from scbench.stats import Estimate, Summary, summarise
from scbench.types import BEYOND_TRAINED, Form


def printed(summary: Summary, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(plain_csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("value", "text"), [(0.4866, "48.7"), (None, "–"), (-0.031, "−3.1"), (1.0, "100.0")]
)
def test_scores_are_percent_with_one_decimal(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert (signed(-0.0001), signed(0.0), signed(0.05), signed(-0.05)) == (
        "0.0",
        "0.0",
        "+5.0",
        "−5.0",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(512, "512 B"), (2048, "2.0 KiB"), (3 * 2**20, "3.0 MiB"), (16 * 2**30, "16.0 GiB")],
)
def test_bytes_are_in_binary_units(value: float, text: str) -> None:
    assert bytes_text(value) == text


def test_seconds_are_in_the_unit_that_fits() -> None:
    assert (seconds_text(1.234), seconds_text(0.0321), seconds_text(2e-5), seconds_text(0.0)) == (
        "1.23 s",
        "32.1 ms",
        "20 µs",
        "0.00 s",
    )


def test_one_session_shows_words_in_place_of_an_interval() -> None:
    assert interval(Estimate(value=1.0, n=5, sessions=1, how="one-session")) == "n too small"


def test_baseline_is_the_first_row_and_stages_follow_in_order(summary: Summary) -> None:
    table = score_table(summary, summary.settings[0], "multi-turn")
    assert [row.name for row in table.rows] == ["dense", "a-shape ‡", "snapkv[tau=1/32]", "quest"]


def test_averages_over_fewer_tasks_are_marked_and_say_which_are_missing(summary: Summary) -> None:
    table = score_table(summary, summary.settings[0], "multi-turn")
    overall = [column.title for column in table.columns].index("Overall")
    assert table.rows[0].entries[overall].marks == "†"
    assert any("Retr.Prefix-Suffix" in note and "not run" in note for note in table.notes)


def test_n_stands_in_the_head_unless_methods_differ(summary: Summary) -> None:
    table = score_table(summary, summary.settings[0], "multi-turn")
    place = {column.title: place for place, column in enumerate(table.columns)}
    assert table.columns[place["Retr.KV"]].n == "n 20"
    assert table.columns[place["Retr.MultiHop"]].n == ""
    assert [row.entries[place["Retr.MultiHop"]].n for row in table.rows] == [
        "n 20",
        "n 20",
        "n 20",
        "n 16 of 20",
    ]


def test_failures_are_marked_and_given_as_zero_in_a_note(summary: Summary) -> None:
    notes = score_table(summary, summary.settings[0], "multi-turn").notes
    assert any(
        note.startswith("§") and "quest on Retr.MultiHop" in note and "(n 20)" in note
        for note in notes
    )


def test_floor_of_a_summary_stands_next_to_its_score(summary: Summary) -> None:
    assert "floor 31.0" in markdown(summary)


def test_few_sessions_say_how_many_more_would_tell(summary: Summary) -> None:
    assert re.search(r"too few sessions \([\d,]+ more\)", markdown(summary))
    certain = run(tasks=("kv",), methods={"dense": lambda t: 1.0, "x": lambda t: 0.0}, sessions=12)
    assert "too few sessions" not in printed(summarise(certain, resamples=0), 200)


def test_gated_tasks_are_marked_as_not_measurable() -> None:
    assert "◦ not measurable with this model" in markdown(
        summarise(run(tasks=("kv",), methods={"dense": lambda t: 0.3}), gate=0.9)
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_terminal_shows_every_method_and_keeps_its_width(summary: Summary, width: int) -> None:
    text = printed(summary, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(method.name.split("[")[0] in text for method in summary.methods)
    assert "Cost, toy" in text


def test_terminal_takes_no_name_for_markup() -> None:
    assert "kivi[bold]" in printed(
        summarise([*session([1.0]), *session([1.0], method="kivi[bold]")]), 120
    )


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(summary: Summary) -> None:
    widths: list[int] = []
    for line in [*markdown(summary, MANIFEST).splitlines(), ""]:
        if line.startswith("|"):
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
        elif widths:
            assert len(set(widths)) == 1
            widths = []


def test_markdown_escapes_a_bar_in_a_name() -> None:
    assert "a\\|b" in markdown(summarise(session([1.0], method="a|b")))


def test_results_have_a_row_for_each_cell_part_and_average(summary: Summary) -> None:
    rows = rows_of(csv(summary))
    assert len(rows) == len(summary.cells) + len(summary.averages)
    one = next(
        row
        for row in rows
        if row["task"] == "kv"
        and row["method"] == "snapkv[tau=1/32]"
        and row["mode"] == "multi-turn"
    )
    cell = summary.cell(summary.settings[0], "multi-turn", "snapkv[tau=1/32]", "kv")
    assert cell is not None
    assert float(one["strict"]) == pytest.approx(cell.strict.value)
    assert float(one["held_share"]) == pytest.approx(0.032)
    assert one["bootstrap_low"] != ""


def test_a_gap_is_an_empty_field_and_never_a_zero(summary: Summary) -> None:
    rows = rows_of(csv(summary))
    assert {
        row["strict"] for row in rows if row["title"] == "Global" and row["method"] == "dense"
    } != {""}
    assert all(
        row["strict"] == ""
        for row in rows
        if row["title"] == "Retr.Semantic" and row["method"] == "quest"
    )


def test_turns_and_costs_have_a_row_for_each_turn_and_method(summary: Summary) -> None:
    assert len(rows_of(turns_csv(summary))) == summary.turns.height
    costs = rows_of(cost_csv(summary))
    assert {row["method"] for row in costs} == {"dense", "a-shape", "snapkv[tau=1/32]", "quest"}
    assert (costs[0]["prefill_s"], costs[0]["prefill_s_min"], costs[0]["compress_s"]) == (
        "0.51",
        "0.5",
        "",
    )


def test_latex_rows_have_as_many_cells_as_their_layout(summary: Summary) -> None:
    for block in latex(summary).split(r"\begin{tabular}")[1:]:
        layout, body = re.match(r"\{(\w+)\}(.*?)\\end\{tabular\}", block, re.DOTALL).groups()  # type: ignore[union-attr]
        for line in body.splitlines():
            if line.endswith(r"\\") and not line.startswith(r"\multicolumn"):
                assert len(re.findall(r"(?<!\\)&", line)) + 1 == len(layout), line


def test_latex_escapes_what_would_break_it() -> None:
    text = latex(summarise(session([1.0, 0.0], method="50%_{a}&b#$")))
    assert r"50\%\_\{a\}\&b\#\$" in text


def test_latex_is_plain_ascii_but_for_names(summary: Summary) -> None:
    assert all(ord(letter) < 128 for letter in latex(summary))


def test_no_records_make_a_report_that_says_so() -> None:
    empty = summarise([])
    assert "nothing to report" in printed(empty, 80)
    assert markdown(empty).startswith("# scbench report")
    assert csv(empty) == cost_csv(empty)
    assert latex(empty).startswith("%")


def test_change_and_slope_over_turns_are_in_the_files_and_in_the_table(summary: Summary) -> None:
    row = next(
        row
        for row in rows_of(csv(summary))
        if row["task"] == "kv" and row["method"] == "snapkv[tau=1/32]"
    )
    trend = next(
        one
        for one in summary.trends
        if (one.task, one.method, one.mode) == ("kv", row["method"], row["mode"])
    )
    assert float(row["slope_per_turn"]) == pytest.approx(trend.slope.value)
    assert float(row["later_minus_first"]) == pytest.approx(trend.change.estimate.value)
    assert f"slope {signed(trend.slope.value)}" in markdown(summary)


def test_latex_explains_the_marks_once_for_each_mode(summary: Summary) -> None:
    assert latex(summary).count("Holm") <= 2
    assert latex(summary).count("Marks as in the table of averages") > 4


def test_a_task_without_any_record_of_a_method_is_listed_as_a_gap(summary: Summary) -> None:
    gaps = [[row.name, *(entry.main for entry in row.entries)] for row in gap_table(summary).rows]
    assert [row[0] for row in gaps if row[3] == "Zh.QA" and row[4] == "no record at all"] == [
        "quest",
        "quest",
    ]


def test_a_report_without_the_baseline_says_why_there_are_no_differences() -> None:
    assert "No differences: dense" in markdown(
        summarise([*session([1.0], method="snapkv"), *session([1.0], number=1, method="snapkv")])
    )


def test_every_table_and_the_head_of_a_page_say_that_its_form_is_tiny() -> None:
    costs = [
        {"model": "toy", "method": "dense", "length_tokens": 1024, "form": form, "tpot_s": 1.0}
        for form in ("tiny", "full")
    ]
    tiny = summarise([record(form=Form.TINY), record()], costs)
    text = markdown(tiny)
    assert (
        sum("form: tiny" in line for line in text.splitlines() if line.startswith("## ")) == 2
    )  # scores and costs
    assert "- Form: form: full, tiny" in text
    data = unpacked(page(tiny))
    assert sum("form: tiny" in one["label"] for one in data["settings"]) == 1
    assert "form: full, tiny" in str(data["facts"])
    assert (
        {row["form"] for row in rows_of(csv(tiny))}
        == {row["form"] for row in rows_of(cost_csv(tiny))}
        == {"full", "tiny"}
    )
    assert "form:" not in markdown(summarise([record()]))


def test_turns_beyond_the_trained_window_are_counted_under_their_table() -> None:
    beyond = summarise([record(notes=("budget_not_binding", BEYOND_TRAINED)), record(turn=1)])
    assert "beyond\\_trained\\_window): 1 of 2 turns" in markdown(beyond)
    assert "beyond" not in markdown(summarise([record()]))
