"""The pictures of `scbench analyze` as Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import altair as alt
import polars as pl

from scbench.report.chart_parts import GREY, INK, PALETTE, Chart, colours, finished, made
from scbench.report.shown import chart_text
from scbench.stats.attention import AttentionFacts, AttentionTables

SCHEME = "blues"
AGAINST = {"first": "first token", "asked": "question", "before": "token before"}
PAIRS = {"answers": "answer and answer", "question-answer": "question (row) and answer"}


def charts(tables: AttentionTables, facts: AttentionFacts) -> dict[str, Chart]:
    """The plots that there is data for, by the name of their file."""
    makers: dict[
        str, tuple[str, Callable[[AttentionTables, AttentionFacts, str], Chart | None]]
    ] = {
        "overlap": ("Keys in common between turns", _overlap),
        "along": ("Keys in common along an answer", _along),
        "sparsity": ("Sparsity and evidence by head", _sparsity),
        "kept": ("Attention kept, turn by turn", _kept),
        "layers": ("By layer", _layers),
    }
    found = {
        name: made(title, partial(make, tables, facts, title))
        for name, (title, make) in makers.items()
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def _rows(frame: pl.DataFrame) -> alt.InlineData:
    return alt.InlineData(values=frame.to_dicts())


def _overlap(tables: AttentionTables, facts: AttentionFacts, title: str) -> Chart | None:
    if facts.turns < 2:
        return None
    share = facts.shares[0]
    frame = pl.concat(
        tables.matrix(pair, "inner", share).with_columns(panel=pl.lit(panel))
        for pair, panel in PAIRS.items()
    ).with_columns(
        pl.col("turn") + 1,
        pl.col("other") + 1,
        common=100 * pl.col("overlap"),
        is_dark=pl.col("overlap") > 0.55,
    )
    base = alt.Chart(_rows(frame)).encode(
        x=alt.X("other:O", title="turn of the answer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("turn:O", title="turn"),
    )
    scale = alt.Scale(scheme=SCHEME, domain=[0, 100])
    cells = base.mark_rect().encode(color=alt.Color("common:Q", title="%", scale=scale))
    ink = alt.condition("datum.is_dark", alt.value("white"), alt.value("#1b2a41"))
    words = base.mark_text(fontSize=11).encode(text=alt.Text("common:Q", format=".0f"), color=ink)
    drawn = (
        alt.layer(cells, words)
        .properties(width=46 * facts.turns, height=46 * facts.turns)
        .facet(alt.Facet("panel:N", title=None, sort=list(PAIRS.values())), columns=2)
    )
    chance = 100 * tables.chance("inner", share)
    caption = (
        f"Share of the {share} most-attended inner keys that two turns have in common, mean over "
        f"layers and heads; {chance:.1f} % by chance."
    )
    return Chart(title=title, caption=caption, spec=finished(drawn))


def _along(tables: AttentionTables, facts: AttentionFacts, title: str) -> Chart | None:
    if tables.along.is_empty():
        return None
    share = facts.shares[0]
    chance = 100 * tables.chance("inner", share)
    panels = {"overlap": "keys in common, %", "kept": "mass on those keys, %"}
    frame = (
        tables.curve()
        .with_columns(method=pl.col("against").replace_strict(AGAINST), token=pl.col("step") + 1)
        .unpivot(list(panels), index=["method", "token"], variable_name="what")
        .with_columns(
            pl.col("what").replace_strict(panels),
            value=100 * pl.col("value"),
            chance=pl.when(pl.col("what") == "overlap").then(pl.lit(chance)),
        )
    )
    colour = alt.Color(
        "method:N",
        sort=list(AGAINST.values()),
        scale=alt.Scale(domain=list(AGAINST.values()), range=list(PALETTE[:3])),
        title="compared with",
    )
    base = alt.Chart(_rows(frame))
    line = base.mark_line().encode(
        x=alt.X("token:Q", title="token of the answer", scale=alt.Scale(nice=False)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 100])),
        color=colour,
    )
    rule = base.mark_rule(strokeDash=[4, 3], color=GREY).encode(y=alt.Y("chance:Q", title=None))
    drawn = (
        alt.layer(line, rule)
        .properties(width=300, height=190)
        .facet(alt.Facet("what:N", title=None, sort=list(panels.values())), columns=2)
    )
    caption = (
        f"The {share} most-attended inner keys of each token, compared with those of an earlier "
        "query; right: the mass that is left on these, of that on the token's own. Dashed: two "
        "sets drawn at random have so many keys in common."
    )
    return Chart(title=title, caption=caption, spec=finished(drawn))


def _sparsity(tables: AttentionTables, facts: AttentionFacts, title: str) -> Chart | None:
    heads = tables.by_head()
    width, height = 20 * facts.query_heads, 9 * facts.layers
    panels = [_heat(heads, "inner_90", "keys that hold 90 % of inner attention, %", width, height)]
    if heads["evidence_mass"].drop_nulls().len():
        panels.append(_heat(heads, "evidence_mass", "attention on evidence, %", width, height))
    drawn = alt.hconcat(*panels).resolve_scale(color="independent")
    caption = (
        "Each cell is a query head of a layer, mean over turns and sessions. Left: pale heads are "
        "sparse. Right: dark heads carry the answer."
    )
    return Chart(title=title, caption=caption, spec=finished(drawn))


def _heat(
    heads: pl.DataFrame, column: str, title: str, width: int, height: int
) -> alt.TopLevelMixin:
    frame = heads.select("layer", "head", value=100 * pl.col(column))
    scale = alt.Scale(scheme=SCHEME)
    return (
        alt.Chart(_rows(frame))
        .mark_rect()
        .encode(
            x=alt.X("head:O", title="query head", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("layer:O", title="layer", sort="ascending"),
            color=alt.Color("value:Q", title="%", scale=scale),
        )
        .properties(width=width, height=height, title=alt.Title(title, color=INK, fontSize=11))
    )


def _kept(tables: AttentionTables, facts: AttentionFacts, title: str) -> Chart | None:
    methods = [name for name in facts.methods if name != "dense"]
    if not methods:
        return None
    panels = {
        "inner": ("of exact top-k with as many keys", "best"),
        "evidence": ("of dense, on the evidence", "whole"),
    }
    frames = [
        tables.kept_by_turn(keys, of).with_columns(panel=pl.lit(panel))
        for keys, (panel, of) in panels.items()
    ]
    frame = pl.concat(frames).filter(pl.col("method").is_in(methods))
    rows = frame.with_columns(
        turn=pl.col("turn") + 1,
        value=100 * pl.col("value"),
        method=pl.col("method").map_elements(chart_text, return_dtype=pl.String),
    )
    colour, dash = colours([chart_text(name) for name in methods], "")
    drawn = (
        alt.Chart(_rows(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("turn:O", title="turn", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title="attention kept, %", scale=alt.Scale(domain=[0, 100])),
            color=colour,
            strokeDash=dash,
        )
        .properties(width=250, height=220)
        .facet(
            alt.Facet("panel:N", title=None, sort=[panel for panel, _ in panels.values()]),
            columns=2,
        )
    )
    caption = (
        "Dense's attention that falls on the keys a method holds, or chooses for each query. Left: "
        "inner keys, against exact top-k with as many. Right: on what the turn's answer rests on."
    )
    return Chart(title=title, caption=caption, spec=finished(drawn))


def _layers(tables: AttentionTables, facts: AttentionFacts, title: str) -> Chart | None:
    """Overlap of answers, and what methods keep at later turns, layer by layer."""
    if facts.turns < 2 or facts.layers < 2:
        return None
    methods = [name for name in facts.methods if name != "dense"]
    panels = ("answers in common, %", "kept of exact top-k at later turns, %")
    overlaps = tables.overlap_by_layer("answers", "inner", facts.shares[0]).select(
        "layer",
        value=100 * pl.col("overlap"),
        method=pl.lit("dense"),
        panel=pl.lit(panels[0]),
    )
    kept = (
        tables.kept_by_layer("inner", "best", "later")
        .filter(pl.col("method").is_in(methods))
        .select(
            "layer",
            value=100 * pl.col("value"),
            method=pl.col("method").map_elements(chart_text, return_dtype=pl.String),
            panel=pl.lit(panels[1]),
        )
    )
    colour, dash = colours(["dense", *(chart_text(name) for name in methods)], "dense")
    drawn = (
        alt.Chart(_rows(pl.concat([overlaps, kept])))
        .mark_line()
        .encode(
            x=alt.X("layer:Q", title="layer"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 100])),
            color=colour,
            strokeDash=dash,
        )
        .properties(width=250, height=220)
        .facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=2)
    )
    caption = (
        f"Left: the {facts.shares[0]} most-attended inner keys that the answers of two turns have "
        "in common. Right: inner attention kept, mean over the turns after the first."
    )
    return Chart(title=title, caption=caption, spec=finished(drawn))
