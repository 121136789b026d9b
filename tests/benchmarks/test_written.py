"""What the benchmark scripts write of a run, and runs that are kept beside the results."""

from __future__ import annotations

import importlib.util
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from factory import record, session
from quick import quick

from scbench.api import open_run
from scbench.stats import summarise
from scbench.types import Cost, Mode

FOLDER = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    """A script of benchmarks/, as a module."""
    found = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    quick(folder, model="toy", tasks="kv", methods="dense,streaming-llm[tau=1/4]", length="256",
          sessions=2, turns=2, cost_sessions=0)  # fmt: skip
    return folder


def test_a_kept_run_comes_back_with_every_record(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_runs = script("kept_runs")
    monkeypatch.setattr(kept_runs, "KEPT", tmp_path / "kept")
    packed = kept_runs.keep(run)
    first = packed.read_bytes()
    assert kept_runs.keep(run).read_bytes() == first
    back = kept_runs.unpack("small", tmp_path / "again")
    assert open_run(back).records() == open_run(run).records()
    assert len(first) < 20_000
    with pytest.raises(SystemExit, match="there already"):
        kept_runs.unpack("small", tmp_path / "again")
    with pytest.raises(SystemExit, match="there are small"):
        kept_runs.unpack("other", tmp_path / "again")


def test_a_kept_run_names_no_folder_of_the_machine_it_ran_on() -> None:
    """Whoever keeps a run plays it from the root of the tree, by relative names."""
    kept = FOLDER.parent / "docs" / "results" / "runs"
    for packed in kept.glob("*.tar.xz"):
        with tarfile.open(packed) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                text = b"" if file is None else file.read()
                for place in (b'"/root', b'"/home', b'"/tmp', b'"/work', b'"/Users'):
                    assert place not in text, f"{packed.name}: {member.name} names {place!r}"


def test_a_grids_rows_hold_first_and_later_turns_bytes_and_agreement() -> None:
    records = [
        one
        for number in range(3)
        for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
        for method, values, held in (
            ("dense", (1.0, 1.0, 1.0), 1000),
            ("snapkv[tau=1/4]", (1.0, 0.0, 0.0), 250),
        )
        for one in session(
            values, number=number, mode=mode, method=method, cost=Cost(held_bytes=held)
        )
    ]
    summary = summarise(records)
    (setting,) = summary.settings
    shown = script("shown").Shown(summary, setting)
    dense, snapkv = shown.rows()
    assert (dense["method"], snapkv["method"]) == ("dense", "snapkv[tau=1/4]")
    assert (snapkv["first turn"], snapkv["later turns"]) == (1.0, 0.0)
    assert snapkv["held"] == pytest.approx(0.25)
    assert snapkv["multi-turn"] == pytest.approx(1 / 3)
    line = next(line for line in shown.table("a script").splitlines() if "snapkv" in line)
    assert [part.strip() for part in line.split("|")][4:6] == ["100.0", "0.0"]


@pytest.mark.slow
def test_figures_draw_the_methods_they_are_told(tmp_path: Path) -> None:
    records = [
        record(method=method, session=number, turn=turn, turns=2, value=value)
        for number in range(2)
        for turn in range(2)
        for method, value in (("dense", 1.0), ("snapkv[tau=1/4]", 1.0 - turn))
    ]
    summary = summarise(records)
    shown = script("shown").Shown(summary, summary.settings[0])
    shown.by_turn(tmp_path / "turns.svg", ["dense", "snapkv[tau=1/4]"])
    text = (tmp_path / "turns.svg").read_text(encoding="utf-8")
    assert "snapkv[tau=1/4]" in text
    assert "turn of the conversation" in text
