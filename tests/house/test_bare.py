"""`pip install scbench` without extras: what works, and what says in one line what to type."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # forty processes, each of which starts the program

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "data" / "kept"  # a run of the toy: 12 cells, 24 turns
ANSWER = {"task": "kv", "mode": "multi-turn", "prediction": "value", "gold": "value"}
INSTALL = "pip install 'scbench[local]'"
WORKS = (
    ["--help"],
    ["--version"],
    *(
        [name, "--help"]
        for name in ("run", "plan", "report", "view", "choose", "ask", "lab", "doctor")
    ),
    *(["list", kind] for kind in ("tasks", "methods", "models", "modes", "pairs")),
    ["plan"],
    ["plan", "--methods", "all", "--tasks", "all"],
    ["plan", "--model", "smollm2-135m", "--units", "fixed", "--json"],
    ["plan", "--model", "llama-3.1-70b,jamba-1.5-mini", "--device", "h200", "--length", "32k"],
    ["report", "kept"],
    ["report", "kept", "--to", "elsewhere"],
    ["report", "kept", "--full"],
    ["report", "kept", "--paper"],
    ["choose", "kept", "--max-loss", "5"],
    ["compare", "kept", "kept"],
    ["gate", "kept", "--write-baseline", "baseline.json"],
    ["gate", "kept", "--baseline", "baseline.json", "--pass-same", "--methods", "dense"],
    *(["export", "kept", "--format", kind] for kind in ("parquet", "csv", "inspect")),
    ["findings", "--from", "kept", "--model", "toy", "--out", "found"],
    ["score", "answers.jsonl"],
    ["make-data", "--out", "data", "--tasks", "kv,repoqa,qa_eng", "--length", "512"],
    ["make-data", "--out", "tiny", "--form", "tiny", "--length", "256", "--sessions", "1"],
    ["score", "repoqa.jsonl"],
)
CHECKED = (["check-data", "data"],)  # small contexts are not the published ones: status 1
NEEDS_LOCAL = (
    ["run"],
    ["run", "--model", "toy", "--tasks", "kv"],
    ["ask", "--context", "answers.jsonl", "--question", "Who?"],
    ["doctor", "knorm"],
    ["analyze", "lab-transformer"],
    ["findings"],
    ["get-model"],
    ["check-model", "lab-transformer"],
    ["search-patterns", "lab-transformer", "--out", "x.json"],
    ["search-gates", "lab-transformer", "--out", "x.json"],
    ["lab", "train", "--arch", "mamba2", "--out", "x"],
    ["lab", "card", "x", "--to", "y"],
    ["make-data", "--out", "data", "--counter", "lab"],
    ["plan", "--model", "some/model"],
    ["plan", "--device", "cuda"],
)
EVERY = [" ".join(words) for words in (*WORKS, *CHECKED, *NEEDS_LOCAL)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every command, in one process without the extra, in a folder with a run."""
    folder = tmp_path_factory.mktemp("bare")
    shutil.copytree(KEPT, folder / "kept")
    (folder / "answers.jsonl").write_text(json.dumps(ANSWER) + "\n", encoding="utf-8")
    source = "def double(x):\n    return 2 * x\n"
    line = {
        "task": "repoqa",
        "mode": "multi-turn",
        "prediction": source,
        "gold": source,
        "name": "double",
        "lang": "python",
        "repo": "r",
        "candidates": {"double": source},
    }
    (folder / "repoqa.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("bare.py")],
        input=json.dumps([*WORKS, *CHECKED, *NEEDS_LOCAL]),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {" ".join(one["words"]): one for one in json.loads(done.stdout)}


@pytest.mark.parametrize("words", EVERY)
def test_no_command_ends_in_a_traceback(words: str, played: dict[str, Any]) -> None:
    assert "Traceback" not in played[words]["told"], played[words]["told"]


@pytest.mark.parametrize("words", [" ".join(words) for words in WORKS])
def test_the_bare_package_does_it(words: str, played: dict[str, Any]) -> None:
    assert played[words]["status"] == 0, played[words]["told"]
    assert played[words]["told"].strip()


def test_data_are_checked(played: dict[str, Any]) -> None:
    one = played["check-data data"]
    assert one["status"] == 1
    assert "configs as published" in one["told"]


@pytest.mark.parametrize("words", [" ".join(words) for words in NEEDS_LOCAL])
def test_what_runs_a_model_says_what_to_type(words: str, played: dict[str, Any]) -> None:
    one = played[words]
    assert one["status"] == 2
    assert INSTALL in " ".join(one["told"].split())
    assert len(one["told"].strip().splitlines()) == 1


def test_a_plan_says_what_it_was_counted_from(played: dict[str, Any]) -> None:
    told = " ".join(played["plan"]["told"].split())
    assert "counted from the numbers that come with scbench" in told
    assert "measured now with numpy, since torch is not installed" in told


def test_the_version_says_that_models_cannot_be_run(played: dict[str, Any]) -> None:
    assert INSTALL in played["--version"]["told"]


def test_python_says_what_to_type() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'safetensors')));"
        "import scbench; from scbench.errors import MissingExtra\n"
        "for act in (lambda: scbench.run(), lambda: scbench.load('toy'),"
        " lambda: scbench.wrap(1, 2), lambda: scbench.analyze('toy')):\n"
        "    try: act()\n"
        "    except MissingExtra as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=60,
        check=True,
    )
    assert done.stdout.count(INSTALL) == 4


def test_what_the_bare_package_lacks_is_what_the_extra_brings() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bare, local = map(
        names_of, (project["dependencies"], project["optional-dependencies"]["local"])
    )
    assert local >= {"torch", "transformers", "safetensors", "gguf", "accelerate", "tokenizers"}
    assert not bare & local


def names_of(requirements: list[str]) -> set[str]:
    """The packages of some requirements, without versions."""
    return {re.split(r"[;\[=<>!~ ]", text)[0] for text in requirements}


def test_a_page_is_named_where_it_was_written(played: dict[str, Any]) -> None:
    told = " ".join(played["report kept --to elsewhere"]["told"].split())
    assert "page: elsewhere/index.html" in told
