"""`scbench findings` end to end on models with random weights, and how findings are written
down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factory import record
from quick import quick
from rich.console import Console
from typer.testing import CliRunner, Result

from scbench import api
from scbench.api import open_run
from scbench.cli import app
from scbench.commands.findings import equal_shares
from scbench.engines.lab_models import CARD
from scbench.errors import BadConfig, Mismatch
from scbench.lab import tokens
from scbench.lab.shapes import ARCHITECTURES, build
from scbench.report import findings as report
from scbench.stats.checks import Check, Side, Verdict
from scbench.stats.claims import CLAIMS, Roles
from scbench.stats.findings import Finding, Findings, Models
from scbench.stats.frame import frame
from scbench.stats.headroom import CONTROLS, By, CellGate, CellStanding
from scbench.stats.intervals import Estimate
from scbench.types import Cost

LENGTH = "96"
MODELS = Models(transformer="t", recurrent="r", hybrid="h")


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["findings", *words])


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Models with random weights never end an answer: two turns of four tokens are enough here."""
    settle = api.settle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            api, "settle", lambda given: settle({"max_new_tokens": 4, **given, "turns": 2})
        )
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The three shapes as checkpoints with random weights."""
    root, ids = tmp_path_factory.mktemp("models"), tokens.vocabulary()
    for arch in ARCHITECTURES:
        model = build(arch, vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END])
        model.save_pretrained(root / arch)
        tokens.save(root / arch)
        (root / arch / CARD).write_text(json.dumps({"trained_window_tokens": 1024}))
    return tuple(str(root / arch) for arch in ARCHITECTURES)


@pytest.fixture(scope="module")
def played(folders: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    found = call(*words(folders, folder))
    assert found.exit_code == 0, found.output
    return folder


def words(folders: tuple[str, ...], out: Path) -> list[str]:
    transformer, recurrent, hybrid = folders
    models = ["--model", transformer, "--recurrent", recurrent, "--hybrid", hybrid]
    return [
        *models,
        *("--tasks", "kv", "--length", LENGTH, "--sessions", "1"),
        *("--by", "agreement", "--out", str(out), "--quiet"),
    ]


@pytest.mark.slow
def test_dense_and_controls_are_played_and_methods_only_where_these_lose(
    played: Path, folders: tuple[str, ...]
) -> None:
    records = open_run(played).records()
    mine = {one.method for one in records if one.model == folders[0]}
    roles = Roles("1/4")
    assert mine >= set(roles.first)
    cells = json.loads((played / "findings.json").read_text())["gate"]["standings"]
    for stage in CONTROLS:
        is_counted = any(one["losses"][stage] >= 0.2 for one in cells)
        assert (set(roles.of_stage(stage)) <= mine) == is_counted
    assert {one.task for one in records} == {"kv"}
    assert not [one.failure for one in records if one.failure]
    assert not [one.method for one in records if one.gold and one.gold.top1_agreement is None]


@pytest.mark.slow
def test_every_claim_has_a_verdict_and_one_session_decides_nothing(played: Path) -> None:
    found = json.loads((played / "findings.json").read_text())
    assert [one["claim"]["key"] for one in found["findings"]] == [claim.key for claim in CLAIMS]
    assert {one["verdict"] for one in found["findings"]} <= {"cannot tell", "no headroom"}


@pytest.mark.slow
def test_the_same_command_resumes_and_an_earlier_run_reads_the_same(
    played: Path, folders: tuple[str, ...], tmp_path: Path
) -> None:
    lines = (played / "records.jsonl").read_bytes()
    assert call(*words(folders, played)).exit_code == 0
    assert (played / "records.jsonl").read_bytes() == lines
    models = words(folders, played)[:6]
    found = call(*models, "--by", "agreement", "--from", str(played), "--out", str(tmp_path))
    assert found.exit_code == 0, found.output
    assert (tmp_path / "findings.json").read_text() == (played / "findings.json").read_text()


@pytest.mark.slow
def test_by_score_nothing_is_played_beyond_controls_where_dense_solves_nothing(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    given = ["score" if word == "agreement" else word for word in words(folders, tmp_path)]
    assert call(*given).exit_code == 0
    records = open_run(tmp_path).records()
    assert {(one.model, one.method) for one in records} == {
        (folders[0], name) for name in Roles("1/4").first
    }
    assert "solves none of the 2 cells" in (tmp_path / "findings.md").read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--model", "toy", "--recurrent", "a"], "three models"),
        (["--model", "toy", "--recurrent", "toy", "--hybrid", "h"], "different models"),
        (["--by", "luck"], "score or agreement"),
        (["--tau", "2"], "between 0 and 1"),
        (["--tau", "few"], "between 0 and 1"),
        (["--from", "nothing", "--quick"], "leave"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(words: list[str], why: str) -> None:
    error = call(*words).exception
    assert isinstance(error, BadConfig)
    assert why in str(error)


def test_a_run_without_the_model_is_refused(tmp_path: Path) -> None:
    quick(tmp_path, model="toy", tasks="kv", methods="dense", length="256", sessions=1, turns=1,
          cost_sessions=0)  # fmt: skip
    assert isinstance(call("--model", "other", "--from", str(tmp_path)).exception, Mismatch)


def test_the_share_that_holds_a_hybrids_bytes_is_told_by_length() -> None:
    rows = [
        record(model=model, session=number, length_tokens=length, cost=Cost(held_bytes=held))
        for number in range(2)
        for model, length, held in (
            ("t", 256, 1000),
            ("h", 256, 745),
            ("t", 512, 2000),
            ("h", 512, 1250),
            ("t", 1024, 2000),
        )
    ]
    assert equal_shares(frame(rows), MODELS) == {256: "3/4", 512: "5/8"}


def sample(**more: Any) -> Findings:
    estimate = Estimate(value=-0.123, low=-0.2, high=-0.05, n=400, sessions=80)
    check: dict[str, Any] = {
        "side": Side.BELOW,
        "threshold": -0.1,
        "estimate": estimate,
        "verdict": Verdict.UNKNOWN,
        "cells": 8,
    }
    checks = (
        Check(what="snapkv - dense, turn 1", **check),
        Check(what="beside", binds=False, why="not low enough", **check),
    )
    one = Finding(
        claim=CLAIMS[0],
        checks=checks,
        verdict=Verdict.UNKNOWN,
        figures={"kvzip, times the bytes": 1.04},
    )
    losses = {"generation": 0.5, "compression": 0.1, "codec": None}
    cell = CellStanding(cell=("kv", 256, "multi-turn"), dense=0.97, losses=losses, gold_tokens=5.0)
    given: dict[str, Any] = {
        "gate": CellGate(by=By.SCORE, standings=(cell,)),
        "reference": Estimate(value=0.97, low=0.95, high=0.99),
        **more,
    }
    return Findings(models=MODELS, tau="1/4", findings=(one,), **given)


def test_claim_number_interval_rule_and_verdict_are_written_in_every_form() -> None:
    console = Console(width=200, record=True)
    console.print(report.terminal(sample()))
    for text in (console.export_text(), report.markdown(sample())):
        for part in (
            CLAIMS[0].claim,
            CLAIMS[0].rule,
            "−12.3",
            "[−20.0, −5.0]",
            "below −10.0",
            "cannot tell",
            "not low enough",
            "kvzip, times the bytes: 1.04",
            "solves 1 of the 1 cells",
            "97.0",
        ):
            assert part in text.replace("&lt;", "<")
    plain = json.loads(json.dumps(report.plain(sample())))
    assert plain["findings"][0]["checks"][0]["estimate"]["low"] == -0.2


def test_checks_that_decide_stand_before_those_beside() -> None:
    turned = replace(sample().findings[0], checks=sample().findings[0].checks[::-1])
    place = report.COLUMNS.index("decides")
    assert [row.entries[place].main for row in report.table(turned).rows] == ["yes", "no"]
