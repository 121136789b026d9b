"""The paper's tables and figures from any run; published numbers where the setting is theirs."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from factory import ALL_TASKS, record, run
from test_latex import compiled, hostile, needs_latex
from typer.testing import CliRunner

from scbench.cli import app
from scbench.report import drawing
from scbench.report.paper import inline_figures, paper_files, paper_tables
from scbench.report.paper.drawn import latex, markdown, numbers
from scbench.report.paper.published import LEAST_SESSIONS, NUMBERS, PROTOCOL, published
from scbench.report.paper.tables import PaperNumber, PaperRow, budget_of, budget_order
from scbench.stats import OVERALL, Average, Summary, summarise
from scbench.stats.awareness import awareness
from scbench.stats.cells import Setting
from scbench.types import Mode, Record

KEPT = Path(__file__).parents[1] / "house" / "data" / "kept"
CHANCES: dict[str, Callable[[int], float]] = {
    "dense": lambda turn: 0.95,
    "snapkv[tau=1/4]": lambda turn: 0.95 if turn == 0 else 0.5,
    "snapkv[tau=1/8]": lambda turn: 0.8 if turn == 0 else 0.2,
    "kivi": lambda turn: 0.7,
}


@pytest.fixture(scope="module")
def played() -> Summary:
    models = ("toy", "other")
    made = run(tasks=("kv", "vt", "repoqa", "mf"), methods=CHANCES, sessions=5, models=models)
    return summarise(made, resamples=0)


PAPER = Setting("llama-3.1-8b", 0, PROTOCOL)


@pytest.fixture(scope="module")
def average() -> Average:
    """A whole one of the paper's setting, by dense over all twelve tasks."""
    dense = {"dense": CHANCES["dense"]}
    words = {"methods": dense, "sessions": 2, "turns": 8, "modes": [Mode.MULTI_TURN]}
    made = summarise(run(tasks=ALL_TASKS, **words), resamples=0)  # type: ignore[arg-type]
    one = made.average(made.settings[0], "multi-turn", "dense", OVERALL)
    assert one is not None
    assert one.is_complete
    return replace(one, setting=PAPER, sessions=LEAST_SESSIONS[OVERALL])


def test_a_published_number_stands_where_the_setting_is_the_same(average: Average) -> None:
    assert published(average) == pytest.approx(0.487)
    assert published(replace(average, mode="multi-request")) == pytest.approx(0.372)
    hub = replace(PAPER, model="meta-llama/Llama-3.1-8B-Instruct")
    assert published(replace(average, setting=hub)) == pytest.approx(0.487)
    for spelled in ("snapkv", "snapkv[tau=1/32]"):
        assert published(replace(average, method=spelled)) == pytest.approx(0.209)


@pytest.mark.parametrize(
    "change",
    [
        {"setting": replace(PAPER, model="qwen2.5-32b")},
        {"setting": replace(PAPER, length_tokens=131_072)},  # generated sessions
        {"setting": replace(PAPER, form="tiny")},
        {"setting": replace(PAPER, protocol=PROTOCOL.replace("official", "strict"))},
        {"setting": replace(PAPER, protocol=PROTOCOL.replace("gold", "model"))},
        {"setting": replace(PAPER, protocol="official prompts, gold history")},
        {"mode": "grow"},
        {"method": "snapkv[tau=1/16]"},
        {"method": "h2o"},
        {"missing": {"kv": "not run"}},
        {"planned_turns": 1_000_000},  # turns without a score
        {"sessions": LEAST_SESSIONS[OVERALL] - 1},  # not the whole data
        {"name": "Retr.Semantic"},  # a number that was not confirmed
    ],
)
def test_no_published_number_stands_beside_another_setting(
    average: Average, change: dict[str, object]
) -> None:
    assert published(replace(average, **change)) is None  # type: ignore[arg-type]


def test_numbers_of_the_paper_are_points_of_its_table() -> None:
    assert all(0.0 < points < 100.0 for points in NUMBERS.values())
    assert {mode for mode, _, _ in NUMBERS} == {"multi-turn", "multi-request"}


def test_every_table_has_its_columns_and_every_model_its_rows(played: Summary) -> None:
    tables = {table.name: table for table in paper_tables([played])}
    assert set(tables) == {
        *(
            f"{kind}-{mode}-{rule}"
            for kind in ("averages", "tasks")
            for mode in ("multi-turn", "multi-request")
            for rule in ("strict", "official")
        ),
        *("turns-retr-string", "turns-retr-semantic", "turns-global"),
        *("budgets-multi-turn", "budgets-multi-request", "query-awareness"),
    }
    whole = tables["averages-multi-turn-strict"]
    assert whole.columns == ("Retr.String", "Retr.Semantic", "Global", "Overall")
    assert [(row.group, row.method) for row in whole.rows] == [
        (model, method)
        for model in ("other", "toy")
        for method in ("dense", "kivi", "snapkv[tau=1/4]", "snapkv[tau=1/8]")
    ]
    setting = next(one for one in played.settings if one.model == "toy")
    cell = played.cell(setting, "multi-turn", "snapkv[tau=1/4]", "kv")
    row = next(
        row
        for row in tables["tasks-multi-turn-strict"].rows
        if (row.group, row.method) == ("toy", "snapkv[tau=1/4]")
    )
    assert cell is not None
    assert row.numbers["Retr.KV"].ours == cell.strict
    budgets = tables["budgets-multi-turn"]
    assert budgets.columns == ("tau=1/4", "tau=1/8")
    assert {row.method for row in budgets.rows} == {"snapkv"}
    assert tables["turns-retr-string"].columns == ("turn 1", "turn 2", "turn 3", "turn 4")


def test_runs_of_two_models_share_a_table_and_other_lengths_do_not() -> None:
    words = {"tasks": ("kv",), "methods": CHANCES, "sessions": 3}
    one = summarise(run(**words), resamples=0)  # type: ignore[arg-type]
    two = summarise(run(**words, models=("other",)), resamples=0)  # type: ignore[arg-type]
    long = summarise(run(**words, length_tokens=4096), resamples=0)  # type: ignore[arg-type]
    both = {table.name: table for table in paper_tables([one, two])}
    assert {row.group for row in both["averages-multi-turn-strict"].rows} == {"toy", "other"}
    apart = {table.name for table in paper_tables([one, long])}
    assert {"averages-multi-turn-strict-1", "averages-multi-turn-strict-2"} <= apart


@pytest.mark.parametrize(
    ("method", "base", "budget"),
    [
        ("snapkv[tau=1/4]", "snapkv", "tau=1/4"),
        ("snapkv[window_tokens=8,tau=1/4]", "snapkv[window_tokens=8]", "tau=1/4"),
        ("quest[budget_tokens=1024,page_tokens=16]", "quest[page_tokens=16]", "budget_tokens=1024"),
        ("a-shape+snapkv[tau=1/16]", "a-shape+snapkv", "tau=1/16"),
        ("kivi[bits=2]", "kivi", "bits=2"),
        ("a-shape[tau=1/4]+snapkv[tau=1/16]", "a-shape[tau=1/4]+snapkv[tau=1/16]", ""),
        ("kivi", "kivi", ""),
    ],
)
def test_a_budget_is_taken_off_a_methods_name(method: str, base: str, budget: str) -> None:
    assert budget_of(method) == (base, budget)


def test_budgets_stand_from_the_largest_down() -> None:
    given = ["tau=1/32", "bits=2", "tau=1/2", "budget_tokens=512", "bits=4", "tau=1/8"]
    assert sorted(given, key=budget_order) == [
        *("tau=1/2", "tau=1/8", "tau=1/32", "budget_tokens=512", "bits=4", "bits=2")
    ]


def asked(method: str, mode: Mode, session: int, turn: int, value: float) -> Record:
    return record(method=method, mode=mode, session=session, turn=turn, turns=2, value=value)


def test_query_awareness_is_the_first_question_seen_less_hidden() -> None:
    records = []
    for session in range(12):
        for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST):
            records += [asked("dense", mode, session, turn, 1.0) for turn in (0, 1)]
            first = 1.0 if mode is Mode.MULTI_TURN else 0.0
            records += [
                asked("snapkv", mode, session, 0, first),
                asked("snapkv", mode, session, 1, 0.0),
            ]
    found = {one.method: one for one in awareness(summarise(records, resamples=0))}
    assert (found["snapkv"].seen.value, found["snapkv"].hidden.value) == (1.0, 0.0)
    assert found["snapkv"].difference.value == -1.0
    assert found["snapkv"].difference.judged.text == "worse"  # type: ignore[union-attr]
    assert found["dense"].difference.value == 0.0
    one_mode = [one for one in records if one.mode is Mode.MULTI_TURN]
    assert awareness(summarise(one_mode, resamples=0)) == []


def test_csv_and_markdown_have_every_number_of_the_tables(played: Summary) -> None:
    tables = paper_tables([played])
    table = numbers(tables)
    assert table.height == sum(len(row.numbers) for one in tables for row in one.rows)
    text = markdown(tables)
    one = tables[0].rows[1].numbers["Overall"].ours
    assert one.value is not None
    assert f"| Overall | {100 * one.value:.1f} |" in text
    assert "| published |" not in text  # no column for what is not there


def with_published(tables: list) -> list:  # type: ignore[type-arg]
    first = tables[0]
    row = first.rows[0]
    beside = {name: PaperNumber(ours=one.ours) for name, one in row.numbers.items()}
    beside["Overall"] = PaperNumber(ours=beside["Overall"].ours, published=0.487)
    marked = PaperRow(group=row.group, method=row.method, numbers=beside)
    return [replace(first, rows=(marked, *first.rows[1:])), *tables[1:]]


def test_a_published_number_is_marked_as_published(played: Summary) -> None:
    tables = with_published(paper_tables([played]))
    (line,) = [line for line in latex(tables).splitlines() if "published (" in line]
    assert line == r"\quad\textit{published (SCBench, Table 4)} &  &  &  & \textit{48.7} \\"
    text = markdown(tables)
    assert "| published | source |" in text
    assert "| 48.7 | SCBench, Table 4 |" in text
    row = numbers(tables).filter(pl.col("published").is_not_null())
    assert row["source"].to_list() == ["SCBench, Table 4"]


@pytest.mark.slow
@needs_latex
def test_the_tables_compile_and_fit(tmp_path: Path, played: Summary) -> None:
    log = compiled(latex(with_published(paper_tables([played]))), tmp_path)
    assert "Overfull" not in log
    assert "Float too large" not in log
    compiled(latex(paper_tables([summarise(hostile(), resamples=0)])), tmp_path)


@pytest.mark.slow
def test_files_have_both_kinds_of_every_picture(tmp_path: Path, played: Summary) -> None:
    written = paper_files([played], tmp_path)
    pictures = [path for path in written.values() if path.suffix in (".svg", ".png")]
    assert len(pictures) == 2 * 2 * 4  # two models, four figures
    for path in pictures:
        data = path.read_bytes()
        assert data.startswith(b"<svg" if path.suffix == ".svg" else b"\x89PNG\r\n\x1a\n")
    said = (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert "No picture" not in said
    read = pl.read_parquet(io.BytesIO((tmp_path / "paper.parquet").read_bytes()))
    assert read.equals(numbers(paper_tables([played])))


def test_a_notebook_shows_the_figures_as_images(
    played: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = inline_figures([played])
    assert set(found) == {
        f"{name}-{place}"
        for name in ("turns", "budgets", "bytes", "query-awareness")
        for place in (1, 2)
    }
    for figure in found.values():
        shown = figure._repr_html_()
        assert re.fullmatch(r'<img alt="[^"<>]*" src="data:image/svg\+xml;base64,[\w+/=]+">', shown)
    monkeypatch.setattr(drawing, "CHILD", DIES)
    dead = inline_figures([played])["turns-1"]._repr_html_()
    assert dead == "<p>Scores by turn: the process that draws ended by SIGABRT</p>"


DIES = "import os; os.abort()"
DRAWS_ONE = 'import os; print(\'{"text": "<svg/>"}\', flush=True); os.abort()'


@pytest.mark.parametrize("child", [DIES, DRAWS_ONE])
def test_a_death_while_drawing_costs_pictures_and_no_table(
    child: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[set[str]] = []
    real = drawing.drawings

    def drawn_after(specs: list[drawing.Spec]) -> list[drawing.Drawing]:
        tables.append({path.name for path in tmp_path.iterdir()})
        return real(specs)

    monkeypatch.setattr(drawing, "CHILD", child)
    monkeypatch.setattr("scbench.report.paper.files.drawings", drawn_after)
    done = CliRunner().invoke(app, ["report", str(KEPT), "--paper", "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {"paper.md", "paper.tex", "paper.csv", "paper.parquet"} <= tables[0]
    said = (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert "No picture: the process that draws ended by SIGABRT" in said
    assert (tmp_path / "paper.md").stat().st_size > 1_000


def test_another_run_is_joined_only_in_the_papers_tables_and_only_if_it_is_another() -> None:
    words = ["report", str(KEPT), "--also", str(KEPT)]
    assert "add --paper" in str(CliRunner().invoke(app, words).exception)
    twice = CliRunner().invoke(app, [*words, "--paper"])
    assert "are in two of these runs" in str(twice.exception)
