"""The whole way on the toy engine: run, kill, resume, gaps, settings that change."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import scbench
from scbench.api import Result, open_run
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig, BadRecord, Mismatch, TooLong, Unknown
from scbench.ledger.journal import read_records

GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,streaming-llm[tau=1/4]",
    "length": "1k",
    "sessions": 3,
    "turns": 3,
    "cost_sessions": 0,
    "quiet": True,
}


def play(folder: Path, **more: Any) -> Result:
    return scbench.run(**{**GRID, **more, "out": folder})


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one session."""
    folder = tmp_path_factory.mktemp("once")
    play(folder, sessions=1)
    return folder


def scores(result: Result) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {
        (r.task, r.seed, r.mode, r.method, r.turn): (
            r.strict.value,
            r.official.value,
            r.answer.text if r.answer else None,
            r.cost.held_bytes,
        )
        for r in result.records()
    }


def test_dense_answers_everything_and_a_window_loses_what_it_dropped(tmp_path: Path) -> None:
    frame = play(tmp_path).frame()
    means = {method: part["strict"].mean() for (method,), part in frame.group_by("method")}
    assert means["dense"] == 1.0
    assert means["streaming-llm[tau=1/4]"] < 0.7


def test_evidence_kept_tells_which_answers_a_window_can_still_give(tmp_path: Path) -> None:
    records = [r for r in play(tmp_path).records() if r.method.startswith("streaming")]
    assert {r.strict.value for r in records if r.evidence_kept == 1.0} == {1.0}
    assert {r.strict.value for r in records if r.evidence_kept == 0.0} == {0.0}


def test_a_finished_run_is_not_played_again(tmp_path: Path) -> None:
    play(tmp_path)
    before = (tmp_path / "records.jsonl").read_bytes()
    play(tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_an_extended_run_keeps_what_was_done(tmp_path: Path) -> None:
    few = scores(play(tmp_path, sessions=1))
    lines = (tmp_path / "records.jsonl").read_bytes()
    many = scores(scbench.run(extend=tmp_path, sessions=2, engine=ToyEngine(), quiet=True))
    assert few.items() <= many.items()
    assert len(many) == 2 * len(few)
    assert (tmp_path / "records.jsonl").read_bytes().startswith(lines)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "1"},
        {"history": "none"},
        {"compress_after": "context"},
        {"prompts": "official"},
        {"turns": 2},
        {"sessions": 2},
        {"methods": "dense"},
        {"max_new_tokens": 3},
    ],
)
def test_another_run_in_a_named_folder_is_refused_with_both_ways_out(
    tmp_path: Path, once: Path, change: dict[str, Any]
) -> None:
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(BadConfig) as refusal:
        play(tmp_path, **{"sessions": 1, **change})
    assert next(iter(change)) in str(refusal.value)
    assert "--extend" in str(refusal.value)
    assert "--out" in str(refusal.value)
    assert (tmp_path / "records.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_scores(tmp_path: Path) -> None:
    whole = scores(play(tmp_path / "whole", sessions=6))
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in {**GRID, "sessions": 6}.items()
        if name != "quiet"
    ]
    command = [
        sys.executable,
        "-m",
        "scbench",
        "run",
        *words,
        "--quiet",
        f"--out={tmp_path / 'cut'}",
    ]
    journal = tmp_path / "cut" / "records.jsonl"
    for lines in (3, 20, 45):
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        while process.poll() is None and (
            not journal.exists() or journal.read_bytes().count(b"\n") < lines
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert journal.read_bytes().count(b"\n") < len(whole)
    assert scores(play(tmp_path / "cut", sessions=6)) == whole


def test_a_method_that_cannot_run_is_a_named_gap_and_the_others_go_on(tmp_path: Path) -> None:
    result = play(tmp_path, methods="dense,snapkv[tau=1/1000]", sessions=1)
    by_method = {method: part for (method,), part in result.frame().group_by("method")}
    assert by_method["dense"]["strict"].mean() == 1.0
    assert by_method["snapkv[tau=1/1000]"]["strict"].null_count() == len(
        by_method["snapkv[tau=1/1000]"]
    )
    why = {r.failure.why for r in result.records() if r.failure is not None}
    assert any("smallest share" in text for text in why)


def test_a_session_that_cannot_be_made_is_a_gap(tmp_path: Path) -> None:
    result = play(tmp_path, tasks="kv,qa_eng", length="256", turns=40, sessions=1)
    assert result.outcome is not None
    assert any("qa_eng" in gap for gap in result.outcome.gaps)


def test_a_window_that_is_too_short_is_refused_by_numbers(tmp_path: Path) -> None:
    with pytest.raises(TooLong, match=r"holds 512; take --length \d+ or less"):
        play(tmp_path / "none", window_tokens=512, sessions=1)
    result = play(tmp_path, window_tokens=1200, sessions=1)  # some turns may not fit
    assert {r.failure.kind for r in result.records() if r.failure is not None} == {"too-long"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tasks": "kw"}, Unknown),
        ({"methods": "snapvk"}, Unknown),
        ({"methods": "snapkv+streaming-llm"}, Mismatch),
        ({"methods": "snapkv[tua=1/4]"}, BadConfig),
        ({"length": "lots"}, BadConfig),
        ({"length": "12"}, BadConfig),
        ({"length": "900m"}, BadConfig),
        ({"modes": "multi-tern"}, BadConfig),
        ({"sessions": 0}, BadConfig),
        ({"model": "no/such-model"}, Unknown),
        ({"sesions": 3}, BadConfig),
    ],
)
def test_a_wrong_word_is_an_error_before_anything_runs(
    tmp_path: Path, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        play(tmp_path, **change)
    assert (
        not (tmp_path / "records.jsonl").exists() or not (tmp_path / "records.jsonl").read_bytes()
    )


def test_the_report_is_made_again_from_the_journal_alone(tmp_path: Path) -> None:
    play(tmp_path, sessions=1)
    page = (tmp_path / "index.html").read_bytes()
    (tmp_path / "index.html").unlink()
    open_run(tmp_path).report()
    assert (tmp_path / "index.html").read_bytes() == page


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecord):
        open_run(tmp_path)


def test_a_prefix_method_counts_what_its_pool_served(tmp_path: Path) -> None:
    records = play(tmp_path, methods="prefix[block_tokens=16]", sessions=1).records()
    assert {r.strict.value for r in records} == {1.0}
    for record in records:
        assert record.cost.hit_tokens is not None
        assert record.cost.hit_tokens % 16 == 0
        assert 0 < record.cost.hit_tokens < record.prompt_tokens


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_with_what_is_done(tmp_path: Path) -> None:
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in {**GRID, "sessions": 400}.items()
        if name != "quiet"
    ]
    command = [sys.executable, "-m", "scbench", "run", *words, "--quiet", f"--out={tmp_path}"]
    journal = tmp_path / "records.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (
        not journal.exists() or journal.read_bytes().count(b"\n") < 10
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    *_, kept, page, again = said.splitlines()
    assert kept.startswith("stopped: ")
    assert "scbench report" in page
    assert f"--config {tmp_path / 'run.toml'}" in again
    assert '"outcome": "interrupted"' in (tmp_path / "manifest.json").read_text()
    # Lines seen above that were not yet safe when the signal came are taken back.
    assert sum(1 for _ in read_records(tmp_path)) > 0
    go_on = subprocess.run(
        [sys.executable, "-m", *shlex.split(again.partition(": ")[2]), "--sessions", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert go_on.returncode == 2, "fewer sessions are another run"
    assert "holds another run" in go_on.stderr
