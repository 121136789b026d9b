"""Names and words that would be markup, formulas, links or control signs are only text."""

from __future__ import annotations

import base64
import csv as plain_csv
import gzip
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import pytest
from factory import record, session
from page_parts import packed, unpacked
from rich.console import Console

from scbench.report import cost_csv, csv, drawing, latex, markdown, page, terminal, turns_csv
from scbench.report.drawing import Drawing, drawings
from scbench.report.page import PageSource, figure
from scbench.report.page.document import own_script
from scbench.report.shown import chart_text, fenced, markdown_text, tex_text
from scbench.stats import Summary, summarise
from scbench.types import Answer, Failure, Finish, Role, Session, Span, Turn, Wanted

SIGNS = "\x00\x07\x08\x1b[2J\x1b]8;;x\x9b31m\u202e\u2066\u2028\u2029\ufeff"
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "＝1")
EVIL = f"{SIGNS}=1+1<script>alert(1)</script>![x](http://evil.example/y)[/red]\n\n\\end{{table}}"


def hostile(text: str = EVIL) -> Summary:
    rows = [
        one
        for name in ("dense", text)
        for number in (0, 1)
        for one in session([1.0, 0.0], number=number, method=name, task=text, model=text)
    ]
    rows.append(
        replace(
            record(method=text, task=text, model=text, session=2, failure="crashed"),
            failure=Failure(kind=text, why=text, trace=text),
        )
    )
    costs = [{"model": text, "method": text, "length_tokens": 1024, "failure": text}]
    return summarise(rows, costs, stages={text: (text, text)}, resamples=0)


@pytest.fixture(scope="module")
def summary() -> Summary:
    return hostile()


def answered() -> str:
    """A page with one answer, whose every text is hostile."""
    wanted = Wanted(golds=(EVIL,))
    spans = (Span(2, 9, Role.SUPPORT),)
    turn = Turn(task=EVIL, ask=EVIL, gold=EVIL, wanted=wanted, max_new_tokens=8, evidence=spans)
    asked = Session(
        task=EVIL,
        context=EVIL,
        turns=(turn,),
        counted=9,
        counter="words",
        recipe={"seed": EVIL},
        digest="kv-1024-0000",
    )
    one = record(why=EVIL, method="dense")
    said = Answer(ids=(1,), text=EVIL, finish=Finish.END, thought=EVIL)
    score = replace(one.strict, value=0.0, read=EVIL, removed=(EVIL,))
    rows = [replace(one, answer=said, strict=score, notes=(EVIL,), session_digest=asked.digest)]
    source = PageSource(records=rows, sessions={asked.digest: asked})
    return page(summarise(rows, resamples=0), source=source)


def steering(text: str) -> set[str]:
    """Signs that steer a terminal, a reader's eye or a parser."""
    return {
        sign
        for sign in text
        if sign not in "\n"
        and (unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in "\u202e\u2066\ufeff")
    }


def test_no_medium_holds_a_sign_that_steers(summary: Summary) -> None:
    console = Console(width=200, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    texts = {
        "terminal": console.file.getvalue(),  # type: ignore[attr-defined]
        "markdown": markdown(summary, {"id": EVIL}),
        "latex": latex(summary),
        "csv": csv(summary) + turns_csv(summary) + cost_csv(summary),
        "page": page(summary, {"id": EVIL}),
        "data": json.dumps(unpacked(page(summary, {"id": EVIL})), ensure_ascii=False),
        "samples": json.dumps(unpacked(answered(), "samples"), ensure_ascii=False),
    }
    assert {name: steering(text) for name, text in texts.items()} == {name: set() for name in texts}
    assert all("\\x1b" in text or "x1b" in text for text in texts.values())


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_of_csv_never_begins_a_formula_and_numbers_stay_numbers(text: str) -> None:
    summary = hostile(text)
    for written in (csv(summary), turns_csv(summary), cost_csv(summary)):
        rows = list(plain_csv.reader(io.StringIO(written)))
        for row in rows:
            for cell in row:
                is_number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
                assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    strict = [row["strict"] for row in plain_csv.DictReader(io.StringIO(csv(summary)))]
    assert float(strict[0]) == 0.5
    differences = plain_csv.DictReader(
        io.StringIO(csv(summarise([*session([1.0]), *session([0.0], method="x")], resamples=0)))
    )
    assert {row["difference"] for row in differences} == {"", "-1.0"}


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example)",
        "[x](javascript:alert(1))",
        "[x]: http://evil.example",
        "http://evil.example",
        "www.evil.example",
        "mailto:a@evil.example",
        "[1.0, 2.0](http://evil.example)",
        "[1.0, 2.0][1.0, 2.0]",
        "[1.0, 2.0]: http://evil.example",
        "~~gone~~ $x$ # head \\",
    ],
)
def test_markdown_has_no_live_link_and_no_markup_of_a_name(text: str) -> None:
    shown = markdown_text(text)
    assert not re.search(r"(?<!\\)://", shown)
    assert not re.search(r"(?<!\\)\]\(", shown)
    assert not re.search(r"(?<!\\)\]\[", shown)
    assert not re.search(r"(?<!\\)\]:", shown)
    assert not re.search(r"\bwww\.", shown)
    assert not re.search(r"(?<!\\)[!~$#]", shown)
    assert re.sub(r"\\([^\w\s])", r"\1", shown) == text


def test_an_interval_stays_readable_in_markdown() -> None:
    assert markdown_text("48.7 [−40.1, +57.2] · n 20") == "48.7 [−40.1, +57.2] · n 20"


def test_a_block_of_markdown_is_not_ended_by_the_text_in_it() -> None:
    block = fenced("a\n```\n# b\x1b", "sh")
    assert (block[0], block[-1]) == ("````sh", "````")
    assert "# b\\x1b" in block


def test_latex_keeps_a_name_on_its_line() -> None:
    assert tex_text("a\n\nb\\end{x}\x1b\u202e") == (
        r"a  b\textbackslash{}end\{x\}\textbackslash{}x1b\textbackslash{}u202e"
    )


def test_the_page_runs_only_the_scripts_that_its_policy_names(summary: Summary) -> None:
    html = page(summary)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 2
    library = gzip.decompress(base64.b64decode(packed(html, "library"))).decode()
    assert library == drawing.bundle()
    digests = [
        base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
        for one in (*scripts, library)
    ]
    named = re.search(r"script-src ([^;]*)", policy.group(1))
    assert named is not None
    assert named.group(1).split() == [f"'sha256-{digest}'" for digest in digests]
    assert "default-src 'none'" in policy.group(1)
    assert "base-uri 'none'" in policy.group(1)
    assert "form-action 'none'" in policy.group(1)
    assert "unsafe-eval" not in html
    assert "connect-src" not in html
    assert "\r" not in "".join(scripts)


def test_our_scripts_make_no_markup_of_data() -> None:
    """Elements and texts alone: what would read markup from a text is used nowhere."""
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "DOMParser",
    ):
        assert word not in own_script()


def test_what_the_page_holds_packed_is_in_plain_signs(summary: Summary) -> None:
    html = page(summary)
    for name in ("data", "library"):
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed(html, name))
    assert EVIL not in html
    assert "<script>alert" not in html


def test_a_name_full_of_control_signs_is_drawn(summary: Summary) -> None:
    html = page(summary)
    assert 'id="still-headline"><source' in html
    assert "data:image/svg+xml;base64," in html
    assert chart_text("a\x07\n\u2028b") == "a\\x07 \\u2028b"


@pytest.fixture
def _fresh_bundle() -> Iterator[None]:
    """No script is remembered from, or for, a test whose drawing process is another."""
    drawing._MADE.clear()
    yield
    drawing._MADE.clear()


DIES = "import os; os.abort()"
DRAWS_ONE = 'import os; print(\'{"text": "<svg/>"}\', flush=True); os.abort()'


@pytest.mark.usefixtures("_fresh_bundle")
@pytest.mark.parametrize("child", [DIES, DRAWS_ONE, "raise SystemExit(3)"])
def test_a_process_that_dies_drawing_costs_pictures_and_no_table(
    child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "CHILD", child)
    rows = [*session([1.0, 0.0]), *session([1.0, 0.0], number=1)]
    summary = summarise(rows, resamples=0)
    html = page(summary)
    ended = "with code 3" if "3" in child else "by SIGABRT"
    if child != DRAWS_ONE:  # else each picture has a process of its own
        assert f"No picture here: the process that draws ended {ended}" in html
    assert all(f">{title} <small>" in html for title in ("Retr.KV", "Overall"))


def test_a_chart_after_one_that_ends_its_process_is_still_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = (
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    if json.loads(line)['bad']: os.abort()\n"
        "    print(json.dumps({'text': 'ok'}), flush=True)"
    )
    monkeypatch.setattr(drawing, "CHILD", child)
    bad = [True, False, False, True, False]
    found = drawings([{"bad": one} for one in bad])
    assert [one == Drawing(text="ok") for one in found] == [not one for one in bad]


def test_a_figure_that_cannot_be_made_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*words: object) -> None:
        raise ZeroDivisionError("no scale")

    monkeypatch.setattr(figure, "_layout", broken)
    rows = [*session([1.0, 0.0]), *session([1.0, 0.0], number=1)]
    html = unescape(page(summarise(rows, resamples=0)))
    assert "this picture cannot be made: ZeroDivisionError: no scale" in html
    assert ">Retr.KV <small>" in html
