"""Every medium prints the numbers of the summary, and no other: compared cell by cell."""

from __future__ import annotations

import csv as plain_csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape

import numpy as np
import pytest
from factory import run
from page_parts import unpacked
from report_sample import CHANCES, COSTS, STAGES, TASKS
from rich.console import Console

from scbench.report import csv, full, latex, markdown, page
from scbench.report.agreed import COLUMNS, KL, NLL, TOP1
from scbench.report.brief import brief_lines
from scbench.report.headline import headline
from scbench.report.page.figure import points
from scbench.report.scores import AVERAGES, HELD, LOADED, score_table
from scbench.report.words import GAP, nats, percent, signed
from scbench.stats import ABILITIES, OVERALL, Difference, Summary, summarise
from scbench.types import GoldScore, Record

DISTANCE = {"dense": 0.0, "quest": 0.03, "a-shape": 0.4, "snapkv[tau=1/32]": 1.1}
ACCOUNTED = [
    {
        **row,
        "held_accounted_bytes": 100 if row["method"] == "dense" else 25,
        "dense_bytes": 100,
        "loaded_accounted_bytes": 104 if row["method"] == "dense" else 26,
        "accounting": "bf16",
    }
    for row in COSTS
]


def with_gold(records: list[Record]) -> list[Record]:
    """Each method at its own distance from dense, the same turn by turn for all."""
    rng = np.random.Generator(np.random.PCG64(11))
    noise: dict[tuple[object, ...], float] = {}
    found = []
    for one in records:
        place = (one.task, one.mode, one.seed, one.turn)
        factor = noise.setdefault(place, float(np.exp(rng.normal(0.0, 0.5))))
        distance = DISTANCE[one.method] * factor
        gold = GoldScore(
            tokens=8,
            nll=0.3 + distance,
            kl_to_dense=distance,
            top1_agreement=round(8 * max(0.0, 1.0 - distance)) / 8,
        )
        found.append(replace(one, gold=gold))
    return found


@pytest.fixture(scope="module")
def told() -> Summary:
    records = with_gold(run(tasks=TASKS, methods=CHANCES, sessions=5))
    records = [one for one in records if (one.method, one.task) != ("quest", "qa_chn")]
    return summarise(records, ACCOUNTED, stages=STAGES, resamples=0)


@dataclass(frozen=True)
class Truth:
    """What one cell of a score table has to say."""

    mode: str
    method: str
    group: str
    title: str
    main: str
    delta: str


def truths(summary: Summary) -> Iterator[Truth]:
    """Straight from the summary, without the tables."""
    setting = summary.settings[0]
    for mode in summary.modes_in(setting):
        table = score_table(summary, setting, mode)
        for column in table.columns:
            for method in summary.methods_in(setting):
                main, delta = _expected(summary, mode, method.name, column.title)
                yield Truth(mode, method.label, column.group, column.title, main, delta)


def _expected(summary: Summary, mode: str, method: str, title: str) -> tuple[str, str]:
    setting = summary.settings[0]
    if title in COLUMNS:
        one = summary.agreement(setting, mode, method)
        assert one is not None
        numbers = {KL: one.kl, NLL: one.nll_difference}
        return (
            percent(one.top1.value) if title == TOP1 else nats(numbers[title].value),
            "",
        )
    if title in (HELD, LOADED):
        share = summary.share(setting, method)
        assert share is not None
        return percent(share.ratio if title == HELD else share.loaded), ""
    if title in (*ABILITIES, OVERALL):
        average = summary.average(setting, mode, method, title)
        assert average is not None
        return percent(average.strict.value), _delta(average.difference)
    task = next(task for task in summary.tasks if title_is(task, title))
    cell = summary.cell(setting, mode, method, task)
    return (GAP, "") if cell is None else (percent(cell.strict.value), _delta(cell.difference))


def title_is(task: str, title: str) -> bool:
    from scbench.stats import PAPER_BOOK

    return PAPER_BOOK.title_of(task) == title


def _delta(difference: Difference | None) -> str:
    return "" if difference is None or difference.is_gap else signed(difference.value)


NUMBER = r"(–|−?\d+\.\d+)"


def read(text: str) -> tuple[str, str]:
    """The first number of a cell, and the one after its Δ."""
    plain = unescape(re.sub(r"<[^>]+>", " ", text)).replace("\\", "")
    main = re.match(rf"\s*\**{NUMBER}", plain)
    delta = re.search(r"Δ\s*([+−]?\d+\.\d+)", plain)
    assert main is not None, text
    return main.group(1), delta.group(1) if delta else ""


def test_the_tables_hold_the_numbers_of_the_summary(told: Summary) -> None:
    setting = told.settings[0]
    for truth in truths(told):
        table = score_table(told, setting, truth.mode)
        place = [(one.group, one.title) for one in table.columns].index((truth.group, truth.title))
        entry = next(row for row in table.rows if row.name == truth.method).entries[place]
        assert (entry.main, entry.delta.rstrip("*")) == (truth.main, truth.delta), truth


def test_markdown_prints_them_cell_by_cell(told: Summary) -> None:
    found: dict[tuple[str, str, str, str], tuple[str, str]] = {}
    mode = group = ""
    heads: list[str] = []
    for line in markdown(told).splitlines():
        if title := re.match(r"### (multi-\w+): (.+)", line):
            mode, group, heads = title.group(1), title.group(2), []
        elif line.startswith("| ") and mode:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not heads:
                heads = [re.sub(r" \(n \d+\)$", "", cell) for cell in cells]
            elif not set(line) <= set("|-: "):
                name = cells[0].replace("\\", "")
                for head, cell in zip(heads[2:], cells[2:], strict=True):
                    if "turn" not in group:
                        found[mode, group, name, head.replace("\\", "")] = read(cell)
        elif line.startswith("## ") and "Cost" in line:
            break
    for truth in truths(told):
        at = (truth.mode, truth.group, truth.method, truth.title)
        assert found[at] == (truth.main, truth.delta), truth


def test_the_page_has_them_cell_by_cell_in_its_data(told: Summary) -> None:
    data = unpacked(page(told))
    place = {name: at for at, name in enumerate(data["cell"])}
    labels = {info.name: info.label for info in told.methods}
    found = {
        (table["mode"], labels[method], column["group"], column["title"]): cell
        for table in data["tables"]
        for method, cells in zip(table["methods"], table["rows"], strict=True)
        for column, cell in zip(table["columns"], cells, strict=True)
    }
    for truth in truths(told):
        cell = found.get((truth.mode, truth.method, truth.group, truth.title))
        if cell is None:  # a column without any value is left out
            assert (truth.main, truth.delta) == (GAP, ""), truth
            continue
        delta = cell[place["delta_text"]].rstrip("*")
        assert (cell[place["main"]], delta) == (truth.main, truth.delta), truth
        if truth.delta:  # the number that a cell is coloured and sorted by is the one it prints
            assert signed(cell[place["delta"]]) == truth.delta, truth


def test_the_page_prints_the_table_it_opens_with_without_any_script(told: Summary) -> None:
    html = page(told)
    data = unpacked(html)
    mode = data["opens"]["mode"]
    block = html.split('<table class="heat">', 1)[1].split("</table>", 1)[0]
    heads = [
        unescape(re.sub(r" <small>.*", "", one))
        for one in re.findall(r"<th scope=\"col\">(.*?)</th>", block)
    ]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', block, re.DOTALL)
    found = {
        (unescape(name), head): read(cell)
        for name, cells in rows
        for head, cell in zip(
            heads, re.findall(r"<td.*?>(.*?)</td>", cells, re.DOTALL), strict=True
        )
    }
    for truth in truths(told):
        if truth.mode == mode and truth.title in heads:
            assert found[truth.method, truth.title] == (truth.main, truth.delta), truth


def test_the_terminal_prints_them_cell_by_cell(told: Summary) -> None:
    console = Console(width=600, file=io.StringIO(), color_system=None)
    console.print(full(told))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    blocks = iter(text.split("┏")[1:])  # tables in the order in which they are drawn
    setting = told.settings[0]
    for mode in told.modes_in(setting):
        table = score_table(told, setting, mode)
        for group, _ in table.column_groups():
            part, block = table.take(group), next(blocks)
            for truth in truths(told):
                if (truth.mode, truth.group) != (mode, group):
                    continue
                line = next(one for one in block.splitlines() if one.startswith(f"│{truth.method}"))
                cells = [cell.strip() for cell in line.strip("│").split("│")]
                place = [one.title for one in part.columns].index(truth.title)
                assert read(cells[place + 1])[0] == truth.main, truth
            deltas = [
                one.delta
                for one in truths(told)
                if (one.mode, one.group) == (mode, group) and one.delta
            ]
            assert all(f"Δ {delta}" in block for delta in deltas)


def test_latex_prints_them_cell_by_cell(told: Summary) -> None:
    blocks = latex(told).split(r"\begin{table}")
    setting = told.settings[0]
    for mode in told.modes_in(setting):
        table = score_table(told, setting, mode)
        for group, _ in table.column_groups():
            part = table.take(group)
            block = next(one for one in blocks if rf"-{part.label}}}" in one)
            mine = [truth for truth in truths(told) if (truth.mode, truth.group) == (mode, group)]
            expected = [(truth.main, truth.delta) for truth in mine]
            numbers = re.findall(r"-?\$?-?\d+\.\d+", block)
            plain = {number.replace("$", "") for number in numbers}
            for main, delta in expected:
                for number in (main, delta.lstrip("+")):
                    if number not in ("", GAP):
                        assert number.replace("−", "-") in plain or number.lstrip("−") in plain


def test_csv_has_the_summarys_numbers_unrounded(told: Summary) -> None:
    rows = list(plain_csv.DictReader(io.StringIO(csv(told))))
    found = {(row["mode"], row["method"], row["task"], row["part"]): row for row in rows}
    for one in told.cells:
        row = found[one.mode, one.method, one.task, one.part]
        _same(row, "strict", one.strict.value)
        _same_difference(row, one.difference)
        agreement = told.agreement(one.setting, one.mode, one.method, one.task)
        if not one.part:
            assert agreement is not None
            _same(row, "kl_to_dense", agreement.kl.value)
            _same(row, "top1_agreement", agreement.top1.value)
    for average in told.averages:
        row = found[average.mode, average.method, average.name, ""]
        _same(row, "strict", average.strict.value)
        _same(row, "strict_raw", average.raw)
        _same_difference(row, average.difference)
        share = told.share(average.setting, average.method)
        assert share is not None
        _same(row, "held_share", share.ratio)


def _same_difference(row: dict[str, str], difference: Difference | None) -> None:
    if difference is None:
        assert row["difference"] == row["verdict"] == ""
        return
    _same(row, "difference", difference.value)
    _same(row, "difference_low", difference.estimate.low)
    _same(row, "difference_joint_low", difference.joint_low)
    _same(row, "p_holm", difference.p_holm)
    assert row["verdict"] == (str(difference.judged.standing) if difference.judged else "")


def _same(row: dict[str, str], name: str, value: float | None) -> None:
    if value is None:
        assert row[name] == "", name
    else:
        assert float(row[name]) == pytest.approx(value), name


def test_the_short_table_prints_the_summarys_numbers(told: Summary) -> None:
    lines = brief_lines(told)
    setting = told.settings[0]
    for method in told.methods_in(setting):
        line = next(one for one in lines if one.startswith(method.label[:10]))
        agreement = told.agreement(setting, "multi-turn", method.name)
        share = told.share(setting, method.name)
        assert agreement is not None
        assert share is not None
        assert nats(agreement.kl.value) in line
        assert f"{percent(agreement.top1.value)} " in line
        assert f" {percent(share.ratio)} " in line
        for mode in told.modes_in(setting):
            average = told.average(setting, mode, method.name, OVERALL)
            assert average is not None
            assert f" {100 * float(average.strict.value or 0):.0f} " in line
            if average.difference is not None:
                assert signed(average.difference.value) in line


def test_the_figure_has_the_numbers_of_the_tables(told: Summary) -> None:
    setting = told.settings[0]
    for mode in told.modes_in(setting):
        drawn = points(told, headline(told, setting), mode)
        assert {one["method"] for one in drawn} == {one.name for one in told.methods}
        for row in drawn:
            average = told.average(setting, mode, row["method"], OVERALL)
            share = told.share(setting, row["method"])
            assert average is not None
            assert share is not None
            assert row["score"] == pytest.approx(100 * float(average.strict.value or 0), abs=1e-3)
            assert row["held"] == pytest.approx(100 * share.ratio)
            if average.difference is not None:
                assert row["loss"] == pytest.approx(
                    100 * float(average.difference.value or 0), abs=1e-3
                )
            else:
                assert row["loss"] == 0.0


def test_dense_holds_and_loads_a_hundred_percent_of_dense_in_every_medium(told: Summary) -> None:
    setting = told.settings[0]
    assert _expected(told, "multi-turn", "dense", HELD) == ("100.0", "")
    assert _expected(told, "multi-turn", "dense", LOADED) == ("100.0", "")
    assert told.share(setting, "snapkv[tau=1/32]").ratio == 0.25  # type: ignore[union-attr]
    assert "200.0" not in markdown(told)


def test_columns_of_agreement_are_absent_with_a_reason_where_nobody_measured_it() -> None:
    records = run(tasks=("kv",), sessions=2)
    silent = summarise(records, resamples=0)
    assert not any(column.title in COLUMNS for column in _columns(silent))
    why = "the player gives no logits"
    blind = GoldScore(tokens=4, nll=0.5, kl_to_dense=None, top1_agreement=None, why=why)
    spoken = summarise([replace(one, gold=blind) for one in records], resamples=0)
    assert why in markdown(spoken)
    assert why in csv(spoken)


def _columns(summary: Summary):  # type: ignore[no-untyped-def]
    return score_table(summary, summary.settings[0], "multi-turn").columns


def test_averages_stand_first(told: Summary) -> None:
    assert _columns(told)[0].group == AVERAGES
