"""`scbench.analyze` as it is called: of a model, of a run, and refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import scbench
from scbench.analysis import Analysis
from scbench.attention.held import why_not
from scbench.cli import app
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch, TooLong
from scbench.front import LanguageModel
from scbench.methods import parse

GRID: dict[str, Any] = {"tasks": "kv", "methods": "dense,snapkv[tau=1/4],kivi", "length": 300}


@pytest.fixture(scope="module")
def llm() -> LanguageModel:
    return LanguageModel(tiny("gqa"))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def of_model(llm: LanguageModel, **words: Any) -> Analysis:
    given = {**GRID, "sessions": 1, "turns": 2, "answer_tokens": 4, "quiet": True, **words}
    return scbench.analyze(llm, **given)


def run_of(llm: LanguageModel, **words: Any) -> scbench.api.Result:
    """A run of one token an answer, in one mode."""
    short = {"max_new_tokens": 1, "modes": "multi-turn", "cost_sessions": 0, "quiet": True}
    return scbench.run(model=llm, **{**GRID, **short, **words})


def seals(folder: Path) -> dict[str, str]:
    return {
        path.name: f"{sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_a_run_is_analysed_as_its_model_by_the_same_words_and_stays_as_it_is(
    llm: LanguageModel,
) -> None:
    run = run_of(llm, sessions=2, turns=2, seed="7")
    before = seals(run.folder)
    of_run = scbench.analyze(run.folder, model=llm, answer_tokens=4, quiet=True)
    assert seals(run.folder) == before
    same = of_model(llm, sessions=2, seed="7")
    for name, frame in of_run.tables.named().items():
        assert frame.equals(same.tables.named()[name])
        assert frame.height
    assert of_run.facts.source == str(run.folder)
    assert of_run.folder != same.folder
    fewer = scbench.analyze(run.folder, model=llm, sessions=1, methods="dense", quiet=True)
    assert fewer.facts.sessions == {"kv": 1}
    assert fewer.facts.methods == ("dense",)


def test_a_page_lies_beside_its_tables(llm: LanguageModel) -> None:
    found = of_model(llm)
    assert found.folder.parent == Path("runs")
    page = (found.folder / "analysis.md").read_text(encoding="utf-8")
    for name, frame in found.tables.named().items():
        assert pl.read_parquet(found.folder / f"{name}.parquet").equals(frame)
    assert "| snapkv\\[tau=1/4\\] |" in page
    assert "left out: kivi holds every key and chooses none" in page
    assert set(found.kept["method"]) == {"dense", "snapkv[tau=1/4]"}
    assert found.heads.height == 1 * 2 * 3 * 4  # session, turns, layers, heads
    assert found.along["step"].max() == 3
    assert "Analysis('runs" in repr(found)
    assert of_model(llm).folder == found.folder  # the same words find the same folder
    assert of_model(llm, answer_tokens=0).folder != found.folder


def test_answers_are_left_out_where_nobody_asks_for_them(llm: LanguageModel) -> None:
    found = of_model(llm, answer_tokens=0, shares="1/8")
    assert found.along.is_empty()
    assert set(found.overlap["share"]) == {"1/8"}
    assert "Along an answer" not in (found.folder / "analysis.md").read_text(encoding="utf-8")


def test_a_hybrid_is_looked_at_where_it_attends() -> None:
    found = of_model(LanguageModel(tiny("jamba", check=False)), methods="dense", turns=1)
    assert set(found.heads["layer"]) == {1}
    assert found.facts.layers == 1


@pytest.mark.parametrize("kind", ["mamba2"])
def test_a_model_without_attention_is_refused(kind: str) -> None:
    with pytest.raises(Mismatch, match="no attention layers: there are no keys to analyse"):
        of_model(LanguageModel(tiny(kind, check=False)), methods="dense")


def test_what_cannot_be_analysed_says_what_can(llm: LanguageModel, tmp_path: Path) -> None:
    class Box:
        def open(self, prompt: Any) -> None: ...
        def ask(self, handle: Any, prompt: Any, limit_tokens: int) -> str:
            return ""

        def close(self, handle: Any) -> None: ...

    with pytest.raises(Mismatch, match="a cache of its own: nobody sees which keys it reads"):
        of_model(llm, methods=["dense", Box()])
    with pytest.raises(Mismatch, match="toy looks its answers up"):
        scbench.analyze("toy", quiet=True)
    for share in ("0", "2/3", "x", "1/0"):
        with pytest.raises(BadConfig, match="above 0 and at most 1/2, such as 1/32"):
            of_model(llm, shares=share)
    with pytest.raises(BadConfig, match="0 leaves long answers out"):
        of_model(llm, answer_tokens=-1)
    with pytest.raises(BadConfig, match="names 2; an analysis is of one"):
        of_model(llm, length="300,400")
    with pytest.raises(BadConfig, match="is no folder of one"):
        of_model(llm, model="smollm2-135m")
    with pytest.raises(BadConfig, match="sesions: did you mean sessions"):
        of_model(llm, sesions=3)
    (tmp_path / "a-run").mkdir()
    (tmp_path / "a-run" / "records.jsonl").touch()
    with pytest.raises(BadConfig, match="is the folder of a run, which an analysis leaves alone"):
        of_model(llm, out=tmp_path / "a-run")
    with pytest.raises(BadConfig, match=r"run.toml"):
        scbench.analyze(tmp_path / "a-run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "analysis.md").write_text("my own")
    with pytest.raises(BadConfig, match=r"holds analysis.md, which no report of scbench wrote"):
        of_model(llm, out=tmp_path / "mine")
    with pytest.raises(BadConfig, match=r"holds neither run.toml nor config.json; give the folder"):
        scbench.analyze(tmp_path / "mine")
    with pytest.raises(BadConfig, match=r"'runs/nothing' does not exist; give the folder of a run"):
        scbench.analyze("runs/nothing")


def test_a_run_without_the_model_names_those_it_has(llm: LanguageModel) -> None:
    run = run_of(llm, sessions=1, turns=1)
    with pytest.raises(BadConfig, match=r"is not in the run .*; it has tiny-gqa"):
        scbench.analyze(run.folder, model="lab-transformer")


def test_a_session_that_the_window_has_no_room_for_is_told(llm: LanguageModel) -> None:
    engine = tiny("gqa")
    from dataclasses import replace

    engine.facts = replace(engine.facts, window_tokens=200)
    with pytest.raises(TooLong):
        of_model(LanguageModel(engine))


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        ("kivi", "holds every key"),
        ("llmlingua-2[tau=1/2]", "another text"),
        ("infllm", "memory of its own"),
        ("cacheblend", "where a cache comes from"),
        ("a-shape", "holds every key"),
        ("dense", ""),
        ("snapkv", ""),
        ("quest", ""),
        ("a-shape+snapkv", ""),
        ("snapkv+kivi", ""),
        ("tier", "holds every key"),
    ],
)
def test_a_method_without_keys_of_its_own_is_left_out_with_its_reason(
    spelled: str, why: str
) -> None:
    told = why_not(parse(spelled))
    assert why in told
    assert bool(told) == bool(why)


def test_the_command_says_it_in_forty_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny("gqa")
    monkeypatch.setattr("scbench.api.load", lambda settings, name: engine)
    words = ["--length", "300", "--sessions", "1", "--turns", "2", "--answer-tokens", "4"]
    methods = ["--methods", "dense,exact-topk[tau=1/4],snapkv[tau=1/4],quest[tau=1/4],kivi"]
    found = CliRunner().invoke(
        app, ["analyze", "lab-transformer", "--quiet", *words, *methods, "--out", "here"]
    )
    assert found.exit_code == 0, found.output
    lines = found.output.rstrip().splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith("tiny-gqa, kv, ")
    assert any(line.startswith("exact-topk[tau=1/4]") and "100.0" in line for line in lines)
    assert lines[-1] == "page: here/analysis.md"
    assert Path("here/kept.parquet").is_file()
    refused = CliRunner().invoke(app, ["analyze", "lab-mamba2", "--quiet"])
    assert isinstance(refused.exception, Mismatch)
