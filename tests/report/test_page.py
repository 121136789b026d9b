from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import pytest
from factory import run, session
from jsonschema import ValidationError
from report_sample import COMMAND, COSTS, MANIFEST, STAGES

from scbench.report import page, write_all
from scbench.report.again import commands
from scbench.report.charts import charts
from scbench.report.drawing import bundle, drawings
from scbench.stats import Summary, summarise
from scbench.types import Record

VOID = {"meta", "img", "br", "link", "input", "hr"}


@pytest.fixture(scope="module")
def html(summary: Summary) -> str:
    return page(summary, MANIFEST)


def without_vega(html: str) -> str:
    return html.replace(bundle().replace("</script", "<\\/script"), "")


class Tags(HTMLParser):
    """Collects addresses, ids and links, and checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                (self.links if (value or "").startswith("#") else self.addresses).append(
                    value or ""
                )
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.mark.slow
def test_page_references_nothing_outside_itself(html: str) -> None:
    assert [
        address[:5] for address in read(html).addresses if not address.startswith("data:")
    ] == []
    assert not re.search(r"@import|url\((?!#)", without_vega(html))
    assert "http://" not in without_vega(html)
    assert "https://" not in without_vega(html)


def test_page_forbids_itself_to_fetch(html: str) -> None:
    assert "default-src 'none'" in html
    assert "connect-src" not in html
    assert "unsafe-eval" not in html


def test_elements_are_closed_ids_are_unique_and_links_lead_somewhere(html: str) -> None:
    tags = read(html)
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)


def test_names_from_outside_are_escaped_everywhere() -> None:
    evil = "<img src=x onerror=alert(1)>"
    rows = [
        one
        for number in (0, 1)
        for name in ("dense", evil)
        for one in session([1.0, 0.0], number=number, method=name)
    ]
    made = page(summarise(rows, resamples=0), {"host": "</script><b>x"})
    assert evil not in made
    assert "<b>x" not in made
    assert read(made).open == []


def test_reader_sees_what_ran_before_the_tables_and_the_manifest_last(html: str) -> None:
    places = [
        html.index(words)
        for words in (
            "Methods</dt>",
            "multi-turn: scores",
            "Scores over turns",
            "Quality against bytes",
            "Cost, toy",
            "Manifest, and how",
        )
    ]
    assert places == sorted(places)


def test_page_tells_how_to_run_it_again(html: str) -> None:
    shown = unescape(html)
    assert f"<pre>{COMMAND}</pre>" in shown
    assert "<pre>scbench run --config 'my runs/one/run.toml' --out 'my runs/one'</pre>" in shown
    assert "names no command" not in html


def test_page_shows_the_manifest_as_json_that_can_be_read_back(html: str) -> None:
    shown = re.search(r"The whole manifest</summary>\s*<pre>(.*?)</pre>", html, re.DOTALL)
    assert shown is not None
    assert json.loads(unescape(shown.group(1))) == MANIFEST


def test_an_old_manifest_without_a_command_has_its_words() -> None:
    old = {"format": 1, "runs": [{"argv": ["/bin/scbench", "run", "--tasks", "a b"]}]}
    assert commands(old) == [("The newest command, as it was given", "scbench run --tasks 'a b'")]


def test_page_stays_below_three_megabytes(html: str) -> None:
    assert len(html.encode()) < 3_000_000


def test_page_without_records_says_so_and_carries_no_script() -> None:
    made = page(summarise([]))
    assert "no records yet" in made
    assert "<script" not in made


def test_single_turn_sessions_have_no_curve() -> None:
    rows = [one for number in range(3) for one in session([1.0], number=number)]
    summary = summarise(rows, resamples=0)
    assert [chart.title for chart in charts(summary, summary.settings[0])] == [
        "Quality against bytes held"
    ]


def test_every_method_has_a_colour_of_its_own_and_the_baseline_is_grey(summary: Summary) -> None:
    found = charts(summary, summary.settings[0])
    chosen = next(chart for chart in found if chart.title.startswith("Quality"))
    text = drawings([chosen.spec])[0].text
    assert text.startswith("<svg")
    assert "#8a8a8a" in text
    assert all(name in text for name in ("dense", "a-shape ‡", "snapkv[tau=1/32]", "quest"))


@pytest.mark.slow
def test_every_chart_is_what_vega_lite_allows(summary: Summary) -> None:
    for chart in charts(summary, summary.settings[0]):
        alt.Chart.from_dict(dict(chart.spec), validate=True)
    wrong = {**charts(summary, summary.settings[0])[-1].spec, "width": "broad"}
    with pytest.raises(ValidationError, match="broad"):
        alt.Chart.from_dict(wrong, validate=True)


def test_charts_carry_their_data_and_no_schema_address(summary: Summary) -> None:
    for chart in charts(summary, summary.settings[0]):
        assert "http" not in str(chart.spec)
        assert "'score'" in str(chart.spec)
        assert "url" not in str(chart.spec)


def test_folder_holds_eight_files_and_writing_again_changes_nothing(
    records: list[Record], tmp_path: Path
) -> None:
    chosen = [one for one in records if one.task == "kv"]
    written = write_all(chosen, COSTS, MANIFEST, tmp_path / "report", stages=STAGES)
    assert set(written) == {
        "report.md",
        "results.csv",
        "results.parquet",
        "turns.csv",
        "cost.csv",
        "tables.md",
        "tables.tex",
        "index.html",
    }
    before = {name: path.read_bytes() for name, path in written.items()}
    again = write_all(chosen[::-1], COSTS, MANIFEST, tmp_path / "report", stages=STAGES)
    assert {name: path.read_bytes() for name, path in again.items()} == before


@pytest.mark.slow
def test_report_of_a_large_run_keeps_methods_apart() -> None:
    chances = {"dense": lambda t: 0.9} | {f"m{number}": lambda t: 0.5 for number in range(20)}
    summary = summarise(run(tasks=("kv",), methods=chances, sessions=2), resamples=0)
    colours = charts(summary, summary.settings[0])[0].spec
    assert "m19" in str(colours)
