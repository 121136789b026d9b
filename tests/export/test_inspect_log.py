"""Logs of Inspect: opened by its own reader, which must see what our records say."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from factory import record
from typer.testing import CliRunner

from scbench.api import open_run
from scbench.cli import app
from scbench.export.inspect_log import logs
from scbench.stats import summarise
from scbench.types import Answer, Finish, Record

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "house" / "data" / "kept"
OWN = ROOT / ".venv-readers" / "bin" / "python"  # scripts/setup-readers makes it
READ = """
import json, sys
from pathlib import Path
from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample_summaries
found = {}
for info in list_eval_logs(sys.argv[1]):
    log = read_eval_log(info)
    assert log.status == "success", log.error
    assert read_eval_log(info, header_only=True).samples is None
    summaries = read_eval_log_sample_summaries(info)
    assert [(one.id, one.epoch) for one in summaries] == [(s.id, s.epoch) for s in log.samples]
    place = [log.eval.task, log.eval.solver, log.eval.task_args["mode"], log.eval.model]
    found["|".join(place)] = {
        "mean": [one.metrics["mean"].value for one in log.results.scores],
        "samples": [
            {
                "id": one.id,
                "answer": one.output.completion,
                "strict": None if one.scores["strict"].value != one.scores["strict"].value
                else one.scores["strict"].value,
                "target": one.target,
                "input": one.input,
                "error": one.error and one.error.message,
                "stop": one.output.stop_reason if one.output.choices else None,
            }
            for one in log.samples
        ],
    }
print(json.dumps(found))
"""


def opened(data: bytes) -> dict[str, Any]:
    """The texts of a log."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def written(records: list[Record]) -> dict[str, dict[str, Any]]:
    summary = summarise(records, resamples=0)
    return {name: opened(data) for name, data in logs(records, {}, summary, {})}


@pytest.mark.slow
def test_inspects_own_reader_sees_what_the_records_say(tmp_path: Path) -> None:
    python = OWN if OWN.exists() else Path(sys.executable)
    known = subprocess.run([python, "-c", "import inspect_ai"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("inspect_ai is not installed; scripts/setup-readers brings it")
    words = ["export", str(KEPT), "--format", "inspect", "--to", str(tmp_path / "logs")]
    assert CliRunner().invoke(app, words).exit_code == 0
    environ = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": ""}
    done = subprocess.run(
        [python, "-c", READ, str(tmp_path / "logs")],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    run = open_run(KEPT)
    samples = {
        (row["task"], row["method"], row["mode"], f"{row['seed']}.{row['turn'] + 1}"): row
        for row in run.samples().iter_rows(named=True)
    }
    assert sum(len(log["samples"]) for log in read.values()) == len(samples) == 24
    summary = run.summary()
    for place, log in read.items():
        task, method, mode, model = place.split("|")
        assert model == "scbench/toy"
        cell = summary.cell(summary.settings[0], mode, method, task.removeprefix("scbench/"))
        assert cell is not None
        assert log["mean"] == [cell.strict.value, cell.official.value]
        for one in log["samples"]:
            mine = samples[task.removeprefix("scbench/"), method, mode, one["id"]]
            assert one["answer"] == mine["answer"]
            assert one["strict"] == mine["score"]
            assert one["target"] == [mine["gold"]]
            assert one["input"] == mine["question"]


def only(found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    (log,) = found.values()
    return log


def test_a_failed_turn_is_an_error_without_a_score() -> None:
    log = only(written([record(failure="crashed", turns=1), record(session=1, turns=1)]))
    failed, sound = log["samples/0:0.1_epoch_1.json"], log["samples/0:1.1_epoch_1.json"]
    assert failed["error"]["message"] == "crashed: made to fail"
    assert failed["output"]["choices"] == []
    assert math.isnan(failed["scores"]["strict"]["value"])
    assert sound["scores"]["strict"]["value"] == 1.0
    assert "error" not in sound
    header = log["header.json"]["results"]
    assert (header["total_samples"], header["completed_samples"]) == (2, 1)
    assert header["scores"][0]["unscored_samples"] == 1


def test_a_thought_is_apart_from_its_answer_and_a_cut_is_told() -> None:
    answer = Answer(ids=(1, 2, 3), text="41", finish=Finish.LENGTH, thought="hm", thought_tokens=1)
    log = only(written([replace(record(turns=1), answer=answer)]))
    (choice,) = log["samples/0:0.1_epoch_1.json"]["output"]["choices"]
    assert choice["stop_reason"] == "max_tokens"
    assert choice["message"]["content"] == [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "41"},
    ]


def test_methods_that_differ_in_signs_alone_have_logs_of_their_own() -> None:
    methods = ["a/b", "a?b", "a b", "../a"]
    records = [record(method=name, turns=1) for name in methods]
    found = written(records)
    assert len(found) == 4
    assert all("/" not in name and ".." not in name for name in found)
    assert {log["header.json"]["eval"]["solver"] for log in found.values()} == set(methods)


def test_the_same_run_gives_the_same_bytes() -> None:
    records = [record(turns=1)]
    summary = summarise(records, resamples=0)
    assert dict(logs(records, {}, summary, {})) == dict(logs(records, {}, summary, {}))


def test_other_formats_are_refused_and_parquet_has_every_table(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["export", str(KEPT), "--format", "xlsx"])
    assert "is one of parquet, csv, inspect" in str(refused.exception)
    for kind in ("parquet", "csv"):
        words = ["export", str(KEPT), "--format", kind, "--to", str(tmp_path / kind)]
        assert CliRunner().invoke(app, words).exit_code == 0
        names = {path.stem for path in (tmp_path / kind).glob(f"*.{kind}")}
        assert names == {"results", "turns", "cost", "samples"}
