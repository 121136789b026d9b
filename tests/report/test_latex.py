"""What we write as LaTeX compiles, whatever the names are, and fits on the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from factory import record, run
from report_sample import CHANCES, COSTS, STAGES

from scbench.report import latex
from scbench.report.marks import LACKS, LOST, NOTED, PARTIAL, WEAK
from scbench.report.plain_markdown import HEADS, TEXTS, tables_markdown
from scbench.report.shown import tex_text
from scbench.stats import Summary, summarise
from scbench.types import Record

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\input{tables.tex}
\end{document}
"""
NAMES = [
    r"a\b{c}_d^e~f$g%h&i#j",
    "été Łódź ß ñ ø",
    "数据 данные",
    "\x1b[2J\x07\u202e",
    "`'\"<>|[*]",
    "\\input{/etc/passwd}",
    "\n\n\\end{document}",
]


def compiled(text: str, folder: Path) -> str:
    """The log of a document with these tables. Raises AssertionError where LaTeX stops."""
    (folder / "tables.tex").write_text(text, encoding="utf-8")
    (folder / "document.tex").write_text(DOCUMENT, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    log = (folder / "document.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, re.findall(r"^!.*\n.*\n.*", log, re.MULTILINE)
    assert (folder / "document.pdf").stat().st_size > 10_000
    return log


def hostile() -> list[Record]:
    """Every name that could break a table, and every mark."""
    notes = tuple(NOTED)
    records = []
    for session in range(3):
        records.append(record(session=session, turns=1, turn=0))
        for name in NAMES:
            records.append(
                record(
                    session=session,
                    turns=1,
                    turn=0,
                    method=name,
                    notes=notes,
                    truncated_tokens=3,
                    side={"floor": 0.2},
                )
            )
    records.append(record(session=3, turns=1, method=NAMES[0], failure="crashed"))
    return records


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex here; scripts/setup-readers brings it"
)


@pytest.mark.slow
@needs_latex
def test_every_table_of_a_report_compiles_and_fits(tmp_path: Path, summary: Summary) -> None:
    log = compiled(latex(summary), tmp_path)
    assert "Overfull" not in log
    assert "Float too large" not in log


@pytest.mark.slow
@needs_latex
def test_no_name_and_no_mark_breaks_a_table(tmp_path: Path) -> None:
    text = latex(summarise(hostile(), resamples=0))
    for sign in (*(sign for sign, _ in NOTED.values()), LACKS, LOST, PARTIAL):
        assert tex_text(sign) in text, sign
    compiled(text, tmp_path)


@pytest.mark.slow
@needs_latex
def test_a_wide_grid_of_all_tasks_fits_too(tmp_path: Path) -> None:
    summary = summarise(run(methods=CHANCES, sessions=2), COSTS, stages=STAGES, resamples=0)
    assert "Overfull" not in compiled(latex(summary), tmp_path)


@pytest.mark.parametrize("text", [*NAMES, *(sign for sign, _ in NOTED.values()), WEAK, "ç ő ž"])
def test_latex_is_ascii_and_says_no_command_of_a_name(text: str) -> None:
    told = tex_text(text)
    assert told.isascii()
    assert r"\input" not in told
    assert r"\end{" not in told
    assert "\n" not in told


def test_letters_with_accents_stay_letters_and_others_are_named() -> None:
    assert tex_text("é Ž ç") == r"\'{e} \v{Z} \c{c}"
    assert tex_text("数") == "(U+6570)"


def test_markdown_has_one_number_a_column(summary: Summary) -> None:
    lines = [line for line in tables_markdown(summary).splitlines() if line.startswith("| ")]
    head, *rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert tuple(cell.strip() for cell in head) == HEADS
    numbers = [place for place, name in enumerate(HEADS) if name not in TEXTS]
    seen = 0
    for row in rows:
        if row == head:
            continue
        assert len(row) == len(HEADS)
        for place in numbers:
            assert re.fullmatch(r" (–|[+−]?\d+(\.\d)?) ", row[place]), row
            seen += "–" not in row[place]
    assert seen > 200


def test_the_markdown_says_what_the_summary_says(summary: Summary) -> None:
    text = tables_markdown(summary)
    (setting,) = summary.settings
    cell = summary.cell(setting, "multi-turn", "snapkv[tau=1/32]", "kv")
    assert cell is not None
    assert cell.strict.value is not None
    block = text.split("multi-request")[0]
    row = next(line for line in block.splitlines() if "snapkv" in line and "Retr.KV" in line)
    assert f"| {100 * cell.strict.value:.1f} |" in row
    assert "† fewer\\_tasks" in text
