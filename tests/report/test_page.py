"""The page as a file: what stands in it without a script, what it may run, what it holds packed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from factory import record, run, session
from page_parts import packed, unpacked
from report_sample import COMMAND, COSTS, MANIFEST, STAGES

from scbench.report import drawing, page, write_all
from scbench.report.again import commands
from scbench.report.page import PageSource, page_files
from scbench.report.page.document import VIEWS, own_script
from scbench.stats import Summary, summarise
from scbench.types import Record

VOID = {"meta", "img", "br", "link", "input", "hr", "source"}


@pytest.fixture(scope="module")
def html(summary: Summary) -> str:
    return page(summary, MANIFEST)


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


def test_page_references_nothing_outside_itself(html: str) -> None:
    assert [one[:40] for one in read(html).addresses if not one.startswith("data:")] == []
    assert not re.search(r"@import|url\((?!#)", html)
    assert "http://" not in html
    assert "https://" not in html


def test_elements_are_closed_ids_are_unique_and_every_view_has_its_place(html: str) -> None:
    tags = read(html)
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))
    assert {f"view-{name}" for name, _ in VIEWS} <= set(tags.ids)
    # An element of a view's name would take the focus when the address names the view.
    assert not {name for name, _ in VIEWS} & set(tags.ids)
    named = {link.removeprefix("#") for link in tags.links}
    assert named <= {*tags.ids, *(name for name, _ in VIEWS)}


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


def test_a_reader_without_scripts_has_verdicts_figure_and_table_in_this_order(html: str) -> None:
    places = [
        html.index(words)
        for words in ("Who loses what?", "Quality lost against bytes held", '<table class="heat">')
    ]
    assert places == sorted(places)
    assert places[-1] < html.index('id="packed-data"')
    picture = re.search(r'<img src="data:image/svg\+xml;base64,[^"]+" alt="([^"]+)"', html)
    assert picture is not None
    assert "quest" in picture.group(1)


def test_the_pictures_of_both_themes_are_drawn_in_their_inks(html: str) -> None:
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    dark, light = (base64.b64decode(one).decode() for one in found)
    assert "#a3adb8" in dark
    assert "#a3adb8" not in light
    assert all(">dense<" in text for text in (dark, light))


def test_page_tells_how_to_run_it_again(html: str) -> None:
    told = [command for _, command in unpacked(html)["manifest"]["commands"]]
    assert told == [
        "scbench run --config 'my runs/one/run.toml' --out 'my runs/one'",
        COMMAND,
    ]


def test_the_manifest_is_a_readable_list_and_json_that_can_be_read_back(html: str) -> None:
    found = unpacked(html)["manifest"]
    assert json.loads(found["whole"]) == MANIFEST
    lines = dict(map(tuple, found["lines"]))
    assert lines["settings.tasks"] == "kv"
    assert not any(text.startswith(("{", "[")) for text in lines.values())


def test_an_old_manifest_without_a_command_has_its_words() -> None:
    old = {"format": 1, "runs": [{"argv": ["/bin/scbench", "run", "--tasks", "a b"]}]}
    assert commands(old) == [("The newest command, as it was given", "scbench run --tasks 'a b'")]


def test_page_without_records_says_so_and_carries_no_script() -> None:
    made = page(summarise([]))
    assert "no records yet" in made
    assert "<script" not in made


def test_the_code_of_the_page_is_one_function_without_global_names() -> None:
    code = own_script()
    assert code.startswith('(() => {\n"use strict";')
    assert code.endswith("})();")
    assert "</script" not in code


@pytest.mark.slow
def test_a_page_of_many_methods_and_turns_is_below_two_megabytes() -> None:
    chances = {"dense": lambda t: 0.9} | {
        f"method-{number}[tau=1/4]": lambda t: 0.5 for number in range(29)
    }
    records = run(tasks=("kv", "qa_eng"), methods=chances, sessions=5)
    assert len(records) >= 2_000
    source = PageSource(records=records)
    made = page(summarise(records, COSTS, resamples=0), MANIFEST, source=source)
    assert len(unpacked(made, "samples")["records"]["turn"]) == len(records)
    assert len(made.encode()) < 2_000_000


def test_samples_too_many_for_the_page_stand_beside_it_and_it_knows_their_digests() -> None:
    records = run(tasks=("kv",), sessions=2)
    summary = summarise(records, resamples=0)
    source = PageSource(records=records)
    whole = page_files(summary, source=source)
    assert set(whole) == {"index.html"}
    inside = packed(whole["index.html"], "samples")
    files = page_files(summary, source=source, most_inside=10)
    (name,) = set(files) - {"index.html"}
    assert packed(files["index.html"], "samples") == ""
    handed = re.fullmatch(r'scbenchPiece\(0, "([A-Za-z0-9+/=]+)"\);\n', files[name])
    assert handed is not None
    assert handed.group(1) == inside
    (told,) = unpacked(files["index.html"])["beside"]
    assert told == {"name": name, "sha256": hashlib.sha256(inside.encode()).hexdigest()}
    assert "'self'" in files["index.html"].split("script-src", 1)[1].split('"', 1)[0]
    assert "'self'" not in whole["index.html"].split("script-src", 1)[1].split('"', 1)[0]


def test_folder_holds_eight_files_and_writing_again_changes_nothing(
    records: list[Record], tmp_path: Path
) -> None:
    chosen = [one for one in records if one.task == "kv"]
    source = PageSource(records=chosen)
    written = write_all(chosen, COSTS, MANIFEST, tmp_path / "report", stages=STAGES, source=source)
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
    turned = PageSource(records=chosen[::-1])
    again = write_all(
        chosen[::-1], COSTS, MANIFEST, tmp_path / "report", stages=STAGES, source=turned
    )
    assert {name: path.read_bytes() for name, path in again.items()} == before


def test_files_beside_an_older_larger_page_are_taken_away(
    records: list[Record], tmp_path: Path
) -> None:
    chosen = [one for one in records if one.task == "kv"]
    write_all(chosen, [], {}, tmp_path)
    (tmp_path / "index.data-0.js").write_text("older")
    (tmp_path / "index.html.bak").write_text("mine")
    write_all(chosen, [], {}, tmp_path)
    assert not (tmp_path / "index.data-0.js").exists()
    assert (tmp_path / "index.html.bak").exists()


def test_a_page_that_fails_costs_no_table(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: object, **more: object) -> None:
        raise RuntimeError("no page")

    monkeypatch.setattr("scbench.report.files.page_files", broken)
    with pytest.raises(RuntimeError, match="no page"):
        write_all([record()], [], {}, tmp_path / "report")
    assert (tmp_path / "report" / "results.csv").is_file()
    assert (tmp_path / "report" / "tables.tex").is_file()


def test_texts_of_the_page_are_not_escaped_twice(html: str) -> None:
    assert "&amp;lt;" not in html
    assert unescape(html).count("multi-turn") > 0


def test_a_page_made_without_charts_leaves_the_next_one_its_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "_MADE", [])
    monkeypatch.setenv("SCBENCH_CHARTS", "off")
    assert drawing.bundle() == ""
    monkeypatch.delenv("SCBENCH_CHARTS")
    assert "vegaEmbed" in drawing.bundle()
