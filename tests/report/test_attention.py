"""The page and the pictures of an analysis, from tables made by hand."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import polars as pl
import pytest

from scbench.errors import BadConfig
from scbench.report.attention import markdown, sheets, terminal
from scbench.report.attention_charts import charts
from scbench.report.attention_files import write
from scbench.stats.attention import AttentionFacts, AttentionTables, estimate_of

FACTS = AttentionFacts(
    model="a|model",
    tasks=("kv",),
    sessions={"kv": 2},
    turns=2,
    context_tokens=(1000, 1024),
    layers=2,
    query_heads=2,
    kv_heads=1,
    shares=("1/32",),
    answer_tokens=3,
    methods=("dense", "half"),
    left_out={"kivi": "holds every key and chooses none"},
)


def tables() -> AttentionTables:
    sessions = [{"task": "kv", "session": session} for session in ("0:0", "0:1")]
    pairs = [
        ("answers", 0, 0, 1.0),
        ("answers", 0, 1, 0.25),
        ("answers", 1, 1, 1.0),
        ("turns", 0, 1, 0.5),
        *(("question-answer", i, j, 0.75 if i == j else 0.125) for i in (0, 1) for j in (0, 1)),
    ]
    overlap = [
        about
        | {"pair": pair, "keys": keys, "share": "1/32", "turn": i, "other": j, "layer": layer}
        | {"overlap": value, "chance": 0.03125}
        for about in sessions
        for pair, i, j, value in pairs
        for keys in ("all", "inner")
        for layer in (0, 1)
    ]
    along = [
        about | {"turn": 0, "step": step, "against": against, "overlap": 1 / step, "kept": 0.5}
        for about in sessions
        for step in (1, 2)
        for against in ("first", "asked", "before")
    ]
    columns = [f"{keys}_{what}" for keys in ("all", "inner") for what in ("90", "99", "mass")]
    heads = [
        about
        | {"turn": turn, "layer": layer, "head": head}
        | dict.fromkeys(columns, 0.25)
        | {"evidence_mass": 0.5 if (layer, head) == (1, 0) else 0.01}
        for about in sessions
        for turn in (0, 1)
        for layer in (0, 1)
        for head in (0, 1)
    ]
    kept = [
        about
        | {"method": method, "turn": turn, "layer": layer, "keys": keys, "held": held}
        | {"mass": mass if turn == 0 else mass / 2, "best": best, "whole": 0.8}
        for about in sessions
        for method, held, mass in (("dense", 1.0, 0.8), ("half", 0.5, 0.4))
        for turn in (0, 1)
        for layer in (0, 1)
        for keys, best in (("all", 0.5), ("inner", 0.5), ("evidence", None))
    ]
    return AttentionTables.of({"overlap": overlap, "along": along, "heads": heads, "kept": kept})


def test_means_are_those_of_the_rows() -> None:
    made = tables()
    assert made.between("answers", "inner", "1/32", same=False).value == 0.25
    assert made.between("question-answer", "inner", "1/32", same=True).value == 0.75
    assert made.ratio("half", "inner", "first").value == pytest.approx(0.8)
    assert made.ratio("half", "inner", "later").value == pytest.approx(0.4)
    assert made.part("half", "evidence", "later").value == pytest.approx(0.25)
    assert made.ratio("half", "evidence", "first").is_gap  # as many keys of exact top-k: not asked
    matrix = made.matrix("answers", "inner", "1/32")
    assert matrix.filter(turn=1, other=0)["overlap"].to_list() == [0.25]
    assert made.retrieval_heads().select("layer", "head").rows() == [(1, 0)]


def test_an_interval_is_students_over_sessions() -> None:
    values = {"task": ["kv"] * 4, "session": ["0", "0", "1", "2"], "value": [0.1, 0.3, 0.4, 0.6]}
    found = estimate_of(pl.DataFrame(values))
    # Sessions' means 0.2, 0.4, 0.6: standard error 0.11547, t of two degrees 4.30265.
    assert found.value == pytest.approx(0.4)
    assert found.low == 0.0
    assert found.high == pytest.approx(0.4 + 4.30265 * 0.11547, abs=1e-4)
    assert (found.sessions, found.n) == (3, 4)


def test_what_tasks_differ_by_is_no_chance() -> None:
    values = {
        "task": ["kv", "kv", "vt", "vt"],
        "session": ["0", "1", "0", "1"],
        "value": [0.1, 0.1, 0.9, 0.9],
    }
    found = estimate_of(pl.DataFrame(values))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    alone = estimate_of(pl.DataFrame(values).filter(session="0"))
    assert (alone.value, alone.low) == (pytest.approx(0.5), None)


def test_the_page_says_every_number_once_and_escapes_names() -> None:
    page = markdown(tables(), FACTS, [("A title", "kept.svg", "A caption.")])
    assert "a\\|model" in page
    assert "| half | 50.0 | 80.0" in page
    assert "| answers of two turns | 25.0" in page
    assert "![A title](kept.svg)" in page
    assert "1 of 4 pay the evidence 10 % of their attention or more: layer 1 head 0 (50.0)" in page
    assert len(sheets(tables(), FACTS)) == 4
    assert terminal(tables(), FACTS).renderables


def test_every_picture_is_a_valid_specification() -> None:
    drawn = charts(tables(), FACTS)
    assert list(drawn) == ["overlap", "along", "sparsity", "kept", "layers"]
    for chart in drawn.values():
        assert chart.spec, chart.caption
        alt.Chart.from_dict(dict(chart.spec), validate=True)


def test_a_folder_of_somebody_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCBENCH_CHARTS", "off")
    (tmp_path / "analysis.md").write_text("mine")
    with pytest.raises(BadConfig, match=r"holds analysis.md, which no report of scbench wrote"):
        write(tables(), FACTS, tmp_path)
    written = write(tables(), FACTS, tmp_path / "new")
    assert sorted(written) == sorted(
        [
            "analysis.md",
            "facts.json",
            "means.csv",
            *(f"{name}.parquet" for name in ("overlap", "along", "heads", "kept")),
        ]
    )
    rows = pl.read_csv(written["means.csv"]).filter(of="half", keys="inner", when="later")
    assert dict(zip(rows["what"], rows["value"], strict=True)) == {
        "kept of exact top-k": 0.4,
        "kept of dense": 0.25,
    }
    write(tables(), FACTS, tmp_path / "new")  # again: replaced whole


@pytest.mark.slow
def test_pictures_are_drawn_as_lines_and_in_points(tmp_path: Path) -> None:
    written = write(tables(), FACTS, tmp_path)
    for name in ("overlap", "along", "sparsity", "kept", "layers"):
        assert written[f"{name}.svg"].read_text().startswith("<svg")
        assert written[f"{name}.png"].read_bytes().startswith(b"\x89PNG")
        assert f"]({name}.svg)" in written["analysis.md"].read_text()
