"""The command line as a person uses it: words in, tables or an error with its fix out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scbench import commands  # noqa: F401  (registers its commands)
from scbench.cli import app
from scbench.errors import BadRow, ScbenchError

GRID = [
    "--model",
    "toy",
    "--tasks",
    "kv",
    "--length",
    "512",
    "--sessions",
    "2",
    "--turns",
    "2",
    "--cost-repeats",
    "1",
    "--quiet",
]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def program(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scbench", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    ["run", "plan", "list", "report", "score", "make-data", "check-data", "doctor"],
)
def test_help_teaches_every_command(command: str) -> None:
    found = call(command, "--help")
    assert found.exit_code == 0
    assert len(found.output) > 200


def test_a_run_ends_by_naming_its_page_and_a_report_is_made_again(tmp_path: Path) -> None:
    found = call("run", *GRID, "--methods", "dense,snapkv[tau=1/4]", "--out", str(tmp_path))
    assert found.exit_code == 0, found.output
    last = found.output.rstrip().splitlines()[-1]
    assert last.startswith(f"page: {tmp_path / 'index.html'}")
    for name in (
        "report.md",
        "results.csv",
        "turns.csv",
        "cost.csv",
        "tables.tex",
        "index.html",
        "manifest.json",
    ):
        assert (tmp_path / name).stat().st_size > 0
    again = call("report", str(tmp_path), "--to", str(tmp_path / "other"))
    assert again.exit_code == 0, again.output
    assert (tmp_path / "other" / "results.csv").read_text() == (
        tmp_path / "results.csv"
    ).read_text()


def test_a_plan_counts_without_running(tmp_path: Path) -> None:
    found = call(
        "plan", *GRID, "--methods", "dense,snapkv[tau=1/4]", "--out", str(tmp_path / "none")
    )
    assert found.exit_code == 0, found.output
    assert "1,024" in found.output  # two sessions, one read of 512 each
    assert not (tmp_path / "none").exists()


def test_lists_name_every_task_method_and_model() -> None:
    from scbench.methods import names
    from scbench.tasks import names as tasks

    shown = {what: call("list", what).output for what in ("tasks", "methods", "models", "pairs")}
    assert all(name in shown["methods"] for name in names())
    assert all(name in shown["tasks"] for name in tasks())
    assert "llama-3.1-8b" in shown["models"]
    assert "stores codes" in shown["pairs"]
    assert "(...)" not in shown["pairs"]
    assert "(last queries / column sums of attention" in " ".join(shown["pairs"].split())


@pytest.mark.parametrize("what", ["methods", "tasks", "models", "modes", "pairs"])
def test_lists_need_no_torch(what: str) -> None:
    code = (
        "import sys; from scbench.commands.lists import list_; "
        f"list_({what!r}); sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--tasks", "kw", "--model", "toy"], "kv"),
        (["run", "--methods", "snapvk", "--model", "toy"], "snapkv"),
        (["run", "--methods", "snapkv[tau=2]", "--model", "toy"], "1/8"),
        (["run", "--methods", "snapkv+h2o", "--model", "toy"], "at most one"),
        (["list", "things"], "methods"),
        (["report", "nowhere"], "records.jsonl"),
        (["score", "nowhere.jsonl"], "no file"),
        (["make-data", "--out", "x", "--format", "csv"], "jsonl or parquet"),
        (["make-data", "--out", "x", "--form", "small"], "full, tiny"),
        (["doctor", "nowhere.py:Thing"], "no file"),
    ],
)
def test_a_wrong_word_gets_its_fix(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = call(*words).exception
    assert isinstance(error, ScbenchError)
    assert said in str(error)


def test_the_program_prints_an_error_without_traceback_and_exits_with_2() -> None:
    done = program("list", "things")
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_full_disk_keeps_what_was_done_and_says_so(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000));"
        "sys.argv = ['scbench', *sys.argv[1:]]; from scbench.cli import main; main()"
    )
    words = ["run", *GRID, "--sessions", "32", "--cost-sessions", "0", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr
    kept = (tmp_path / "records.jsonl").read_bytes()
    assert kept.endswith(b"\n")
    assert kept.count(b"\n") > 3
    again = call(*words)
    assert again.exit_code == 0, again.output
    assert (tmp_path / "records.jsonl").read_bytes().startswith(kept)


def test_score_adds_both_scores_to_every_line(tmp_path: Path) -> None:
    lines = [
        {
            "task": "scbench_kv",
            "subtask": None,
            "mode": "multi-turn",
            "prediction": "it is 4821",
            "gold": "4821",
        },
        {
            "task": "scbench_mf",
            "subtask": None,
            "mode": "multi-request",
            "prediction": "78",
            "gold": 77,
        },
    ]
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = call("score", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert found.exit_code == 0, found.output
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["scores"] for line in scored] == [
        {"strict": 1.0, "official": 1.0},
        {"strict": 0.0, "official": 0.0},
    ]


def test_made_data_is_read_back_as_the_published_is(tmp_path: Path) -> None:
    made = call(
        "make-data",
        "--out",
        str(tmp_path / "data"),
        "--tasks",
        "kv,vt",
        "--length",
        "512",
        "--sessions",
        "2",
    )
    assert made.exit_code == 0, made.output
    words = [
        "run",
        *GRID,
        "--methods",
        "dense",
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "run"),
    ]
    found = call(*words)
    assert found.exit_code == 0, found.output
    assert "100.0" in found.output


def test_tiny_data_are_made_and_counted_by_the_lab_tokenizer(tmp_path: Path) -> None:
    words = [
        "--tasks",
        "kv,mf",
        "--form",
        "tiny",
        "--length",
        "96",
        "--sessions",
        "2",
        "--counter",
        "lab",
    ]
    made = call("make-data", "--out", str(tmp_path), *words)
    assert made.exit_code == 0, made.output
    sides = [
        json.loads(line)
        for line in (tmp_path / "scbench_kv.evidence.jsonl").read_text().splitlines()
    ]
    assert [(side["recipe"]["form"], side["counter"]) for side in sides] == [("tiny", "lab/1")] * 2
    assert all(94 <= side["counted"] <= 98 for side in sides)
    assert "tiny form" in call("list", "tasks").output


@pytest.mark.slow
def test_doctor_names_the_law_that_a_method_breaks(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nimport torch\nfrom scbench.methods.contract import "
        "Eviction\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass Wrong(Eviction):\n    "
        "name = 'wrong'\n    category = 'KV dropping'\n    def keep(self, view):\n        return "
        "[torch.arange(self.budget(view.tokens) // 2)] * view.k_HSD.shape[0]\n"
    )
    found = call("doctor", f"{tmp_path / 'mine.py'}:Wrong[tau=1/4]")
    assert found.exit_code == 1
    assert "bytes held are those of the formula" in found.output
    assert "broken" in found.output


def test_check_data_names_what_differs_and_what_is_not_there(tmp_path: Path) -> None:
    made = call("make-data", "--out", str(tmp_path), "--tasks", "kv", "--length", "512")
    assert made.exit_code == 0
    ran = call("check-data", str(tmp_path))
    assert ran.exit_code == 1
    assert "kv: 8 rows that can be read, published are 100" in " ".join(ran.output.split())
    assert "not there: prefix_suffix" in " ".join(ran.output.split())
    assert call("check-data", str(tmp_path / "nowhere")).exit_code == 1


def test_an_odd_row_is_a_gap_of_a_run_and_its_end_under_strict_data(tmp_path: Path) -> None:
    made = call(
        *("make-data", "--out", str(tmp_path / "data"), "--tasks", "kv,vt"),
        *("--length", "512", "--sessions", "3", "--counter", "bytes", "--turns", "2"),
    )
    assert made.exit_code == 0, made.output
    (tmp_path / "data" / "scbench_kv.evidence.jsonl").unlink()
    rows = tmp_path / "data" / "scbench_kv.jsonl"
    first, _, last = rows.read_text().splitlines()
    rows.write_text("\n".join([first, "{torn", last]))
    words = [
        *("run", "--model", "toy", "--tasks", "kv,vt", "--methods", "dense", "--quiet"),
        *("--data", str(tmp_path / "data"), "--sessions", "3", "--modes", "multi-turn"),
    ]
    strict = call(*words, "--out", str(tmp_path / "strict"), "--strict-data")
    assert isinstance(strict.exception, BadRow)
    assert "scbench_kv.jsonl line 2" in str(strict.exception)
    ran = call(*words, "--out", str(tmp_path / "run"))
    assert ran.exit_code == 0, ran.output
    told = (tmp_path / "run" / "manifest.json").read_text()
    assert "scbench_kv.jsonl line 2" in told
    lines = [
        json.loads(one) for one in (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    ]
    assert len(lines) >= 10


def test_a_task_without_a_sound_row_is_a_gap_and_the_others_are_played(tmp_path: Path) -> None:
    made = call(
        *("make-data", "--out", str(tmp_path / "data"), "--tasks", "kv,vt,mf"),
        *("--length", "512", "--sessions", "1", "--counter", "bytes", "--turns", "1"),
    )
    assert made.exit_code == 0, made.output
    for name in ("vt", "mf", "kv"):
        (tmp_path / "data" / f"scbench_{name}.evidence.jsonl").unlink()
    (tmp_path / "data" / "scbench_mf.jsonl").write_text("")
    vt = tmp_path / "data" / "scbench_vt.jsonl"
    vt.write_text(json.dumps({**json.loads(vt.read_text()), "context": " "}) + "\n")
    words = [
        *("run", "--model", "toy", "--tasks", "vt,mf,kv", "--methods", "dense", "--quiet"),
        *("--data", str(tmp_path / "data"), "--sessions", "1", "--modes", "multi-turn"),
    ]
    ran = call(*words, "--out", str(tmp_path / "run"))
    told = (tmp_path / "run" / "manifest.json").read_text()
    assert ran.exit_code == 1, "most of what was planned has no answer"
    assert "must be text that is not empty" in told
    assert "scbench_mf.jsonl is empty" in told
    assert len((tmp_path / "run" / "records.jsonl").read_text().splitlines()) == 1
    none = call(
        *[word.replace("vt,mf,kv", "vt,mf") for word in words], "--out", str(tmp_path / "n")
    )
    assert isinstance(none.exception, BadRow)
