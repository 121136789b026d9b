"""`scbench lab findings` end to end on models with random weights, and how findings are written
down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from scbench import api
from scbench.api import open_run
from scbench.cli import app
from scbench.commands import findings as lab_commands
from scbench.engines.lab_models import CARD
from scbench.errors import BadConfig, DataError, Mismatch, ScbenchError
from scbench.lab import tokens
from scbench.lab.shapes import ARCHITECTURES, build
from scbench.report import findings as report
from scbench.stats.checks import Check, Side, Verdict
from scbench.stats.findings import CLAIMS, METHODS, Finding, Findings, Roles
from scbench.stats.intervals import Estimate
from scbench.types import PAPER_MODES

LENGTH = "96"
ROLES = Roles(transformer="t", recurrent="r", hybrid="h")
PASSES = [
    {"task": "kv", "length_tokens": int(LENGTH), "mode": str(mode), "passes": True}
    for mode in PAPER_MODES
]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["lab", "findings", *words])


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Models with random weights never end an answer: two turns of four tokens are enough here."""
    settle = api.settle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            api, "settle", lambda given: settle({**given, "turns": 2, "max_new_tokens": 4})
        )
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The three shapes as checkpoints, with a card that claims they can do kv."""
    root, ids = tmp_path_factory.mktemp("models"), tokens.vocabulary()
    for arch in ARCHITECTURES:
        model = build(arch, vocab=len(ids), size="tiny", bos=ids[tokens.BOS], eos=ids[tokens.END])
        model.save_pretrained(root / arch)
        tokens.save(root / arch)
        (root / arch / CARD).write_text(
            json.dumps({"trained_window_tokens": 1024, "cells": PASSES})
        )
    return tuple(str(root / arch) for arch in ARCHITECTURES)


@pytest.fixture(scope="module")
def played(folders: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    words = ("--length", LENGTH, "--sessions", "1", "--out", str(folder), "--quiet")
    found = call("--models", ",".join(folders), *words)
    assert found.exit_code == 0, found.output
    return folder


@pytest.mark.slow
def test_the_grid_holds_what_the_claims_need_and_no_more(
    played: Path, folders: tuple[str, ...]
) -> None:
    records = open_run(played).records()
    transformer, *others = folders
    assert {one.method for one in records if one.model == transformer} == set(METHODS)
    assert {(one.model, one.method) for one in records if one.model != transformer} == {
        (name, "dense") for name in others
    }
    assert {one.task for one in records} == {"kv"}
    assert not [one.failure for one in records if one.failure]


@pytest.mark.slow
def test_every_claim_has_a_verdict_and_one_session_tells_nothing(played: Path) -> None:
    found = json.loads((played / "findings.json").read_text())
    assert [one["claim"]["key"] for one in found["findings"]] == [claim.key for claim in CLAIMS]
    assert {one["verdict"] for one in found["findings"]} == {"cannot tell"}
    assert len(found["cells"]) == len(PASSES)


@pytest.mark.slow
def test_the_same_command_resumes_and_an_earlier_run_reads_the_same(
    played: Path, folders: tuple[str, ...], tmp_path: Path
) -> None:
    lines = (played / "records.jsonl").read_bytes()
    models = ",".join(folders)
    assert (
        call(
            "--models",
            models,
            "--length",
            LENGTH,
            "--sessions",
            "1",
            "--out",
            str(played),
            "--quiet",
        ).exit_code
        == 0
    )
    assert (played / "records.jsonl").read_bytes() == lines
    found = call("--models", models, "--from", str(played), "--out", str(tmp_path))
    assert found.exit_code == 0, found.output
    assert (tmp_path / "findings.json").read_text() == (played / "findings.json").read_text()


def test_nothing_is_played_where_full_attention_solves_nothing(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    found = call(
        "--models", ",".join(folders), "--length", "128", "--out", str(tmp_path), "--quiet"
    )
    assert found.exit_code == 0, found.output
    assert not (tmp_path / "records.jsonl").exists()
    assert "No cell counts" in (tmp_path / "findings.md").read_text()


def test_a_task_is_played_only_at_lengths_where_one_of_its_cells_counts() -> None:
    gate = frozenset(
        {
            ("kv", 256, "multi-turn"),
            ("kv", 512, "multi-request"),
            ("mf", 512, "multi-turn"),
            ("vt", 1024, "multi-turn"),
        }
    )
    found = [
        (one["models"], one["tasks"], one["lengths_tokens"])
        for one in lab_commands.grids(ROLES, gate, (256, 512))
    ]
    assert found == [
        (("t",), ("kv",), (256, 512)),
        (("t",), ("mf",), (512,)),
        (("r", "h"), ("kv",), (256, 512)),
    ]


@pytest.mark.parametrize(("words", "kind"), [
    (["--models", "a,b"], BadConfig), (["--models", "a,a,b"], BadConfig), (["--models", "none,b,c"], DataError), (["--from", "nothing", "--quick"], BadConfig),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_its_reason(
    words: list[str], kind: type[ScbenchError], folders: tuple[str, ...]
) -> None:
    given = words if "--models" in words else ["--models", ",".join(folders), *words]
    assert isinstance(call(*given).exception, kind)


@pytest.mark.slow
def test_a_folder_without_the_transformer_is_refused(
    played: Path, folders: tuple[str, ...], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / CARD).write_text(json.dumps({"cells": PASSES}))
    found = call("--models", ",".join([str(other), *folders[1:]]), "--from", str(played))
    assert isinstance(found.exception, Mismatch)


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
        claim=CLAIMS[0], checks=checks, verdict=Verdict.UNKNOWN, figures={"m held_bytes": 2048.0}
    )
    given: dict[str, Any] = {
        "cells": (("kv", 256, "multi-turn"),),
        "reference": Estimate(value=0.97, low=0.95, high=0.99),
        **more,
    }
    return Findings(roles=ROLES, findings=(one,), **given)


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
            "2.0 KiB",
            "97.0",
        ):
            assert part in text.replace("&lt;", "<")
    plain = json.loads(json.dumps(report.plain(sample())))
    assert plain["findings"][0]["checks"][0]["estimate"]["low"] == -0.2


def test_checks_that_decide_stand_before_those_beside() -> None:
    turned = replace(sample().findings[0], checks=sample().findings[0].checks[::-1])
    place = report.COLUMNS.index("decides")
    assert [row.entries[place].main for row in report.table(turned).rows] == ["yes", "no"]
