"""A console that cannot show a sign, a network that is not there, a path with odd signs in it.

A run that was complete ended with an encoding error; a model in the cache was asked of the network
for minutes and without a word; a file in a folder called "a+b" was read as a method called "a".
"""

from __future__ import annotations

import io
import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import scbench
from engines.folders import in_hub_cache, write_model
from field.saves import few
from run.strangers import write
from scbench import cli
from scbench.engines.load import load, load_tokenizer
from scbench.engines.places import locate
from scbench.errors import ScbenchError
from scbench.grid.settings_file import NAME
from scbench.methods import parse

WORDS: dict[str, Any] = {
    "tasks": "kv",
    "methods": "dense,snapkv[tau=1/4]",
    "length": "256",
    "sessions": 1,
    "turns": 2,
    "max_new_tokens": 2,
    "cost_sessions": 0,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("paths") / "m", max_position_embeddings=2048)


# -- consoles --------------------------------------------------------------------------------------


def shown(words: list[str], page: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """The status of a command on a console of this code page, and what stood there."""
    held = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(one, encoding=page, errors="strict") for one in held]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(sys, "argv", ["scbench", *words])
    status = 0
    try:
        cli.main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        monkeypatch.undo()
    for stream in streams:
        stream.flush()
    out, err = (bytes_of.getvalue().decode(page) for bytes_of in held)
    return status, out, err


GRID = ["--model", "toy", "--tasks", "kv", "--methods", "dense,snapkv[tau=1/4]", "--length", "512"]


@pytest.mark.parametrize("page", ["ascii", pytest.param("cp950", marks=pytest.mark.slow)])
def test_words_before_a_run_are_shown_on_a_console_without_their_signs(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ["run", "--model", "toy", "--methods", "✅Δ"]
    for words, wanted in ((["list", "methods"], 0), (["list", "tasks"], 0), (refused, 2)):
        status, out, err = shown(words, page, monkeypatch)
        assert (status, "Traceback" in err) == (wanted, False), (words, err)
        assert (out + err).strip()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["ascii", "cp1252", "cp437", "cp950"])
def test_a_run_its_report_its_plan_and_a_question_end_as_earned_on_any_console(
    tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(tmp_path / "run")
    (tmp_path / "text").write_text('{"k": "Δ ≈ 文"}', encoding="utf-8")
    ask = ["ask", "--model", "toy", "--context", str(tmp_path / "text"), "--methods", "dense"]
    grid = [*GRID, "--sessions", "1", "--turns", "2"]
    for words in (
        ["run", *grid, "--cost-sessions", "0", "--full", "--out", run],
        ["report", run, "--full"],
        ["plan", *grid],
        ["list", "models"],
        [*ask, "--question", 'Key: "k"'],
    ):
        status, out, err = shown(words, page, monkeypatch)
        assert (status, "Traceback" in err) == (0, False), (words, err)
        assert out.strip()


# -- the network -----------------------------------------------------------------------------------


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache, the hub switched on, and a network that no one may touch."""

    def touched(*given: object, **words: object) -> None:
        raise AssertionError(f"the network was touched: {given}")

    home = tmp_path / "hub"
    home.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", touched)
    monkeypatch.setattr(socket.socket, "connect", touched)
    return home


def test_loading_touches_no_network_for_a_model_in_the_cache(
    dead: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_hub_cache(model, dead, "org/tiny")
    assert load("org/tiny").facts.name == "org/tiny"
    assert load_tokenizer("org/tiny").has_chat_template
    assert "asking the hub" not in capsys.readouterr().err


@pytest.mark.slow
def test_no_command_touches_the_network_for_a_model_in_the_cache(
    dead: Path, model: Path, tmp_path: Path
) -> None:
    in_hub_cache(model, dead, "org/tiny")
    assert scbench.run(model="org/tiny", out=tmp_path / "run", quiet=True, **WORDS).records()
    assert scbench.plan(model="org/tiny", **WORDS).rows
    (tmp_path / "text").write_text("A red box.", encoding="utf-8")
    text, data = str(tmp_path / "text"), str(tmp_path / "data")
    for words in (
        ["check-model", "org/tiny"],
        ["make-data", "--tasks", "kv", "--sessions", "1", "--counter", "org/tiny", "--out", data],
        ["ask", "--model", "org/tiny", "--question", "Q?", "--methods", "dense", "--context", text],
    ):
        found = CliRunner().invoke(cli.app, words)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.output
        assert "asking the hub" not in found.output + found.stderr


@pytest.mark.parametrize("lost", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_piece_that_the_cache_lacks_is_asked_for_aloud_and_named(
    dead: Path, model: Path, lost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = in_hub_cache(model, dead, "org/half")
    (snapshot / lost).unlink()
    with pytest.raises(ScbenchError, match=rf"lacks {lost}, and the hub did not give it"):
        locate("org/half")
    assert f"asking the hub for org/half ({lost} is not in the cache)" in capsys.readouterr().err


# -- paths -----------------------------------------------------------------------------------------

PLAIN = ["b c", "h#h", "c:d", "文档", "k=v", "100%", "~", "it's"]
ODD = ["a+b", "x,y", "[v1]", "a|b", "+,[]=|", 'half"']


def as_written(place: str) -> str:
    path, _, name = place.rpartition(":")
    return '"' + path.replace('"', '""') + f'":{name}'


@pytest.mark.parametrize("sign", few([*PLAIN, *ODD], "b c", "a+b", "[v1]", 'half"'))
def test_a_method_in_a_folder_of_any_name_is_found_by_its_path_in_quotes(
    tmp_path: Path, sign: str
) -> None:
    place = write(tmp_path / sign, "honest")
    written = as_written(place)
    settings = scbench.api.settle({"model": "toy", "methods": f"dense,{written}"})
    assert [str(parse(one)) for one in settings.methods] == ["dense", "mine.py:Mine[tau=1/4]"]
    spelled = parse(settings.methods[1]).spelling
    assert parse(spelled).spelling == spelled  # as records have it
    listed = scbench.api.settle({"model": "toy", "methods": ["dense", spelled]})
    assert parse(listed.methods[1]).spelling == spelled


@pytest.mark.parametrize("sign", few(PLAIN, "文档", "k=v"))
def test_a_path_whose_signs_mean_nothing_needs_no_quotes(tmp_path: Path, sign: str) -> None:
    assert str(parse(write(tmp_path / sign, "honest"))) == "mine.py:Mine[tau=1/4]"


@pytest.mark.parametrize("sign", few(ODD, "a+b", "x,y", "a|b"))
def test_a_path_that_is_read_as_something_else_is_one_sentence_that_speaks_of_quotes(
    tmp_path: Path, sign: str
) -> None:
    place = write(tmp_path / sign, "honest")
    with pytest.raises(ScbenchError) as refused:
        scbench.plan(model="toy", **{**WORDS, "methods": f"dense,{place}"})
    assert "in quotes" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_run_of_a_method_in_an_odd_folder_is_resumed_from_its_own_settings(
    tmp_path: Path,
) -> None:
    written = as_written(write(tmp_path / '+, [1] | "x"', "honest"))
    words = {**WORDS, "model": "toy", "methods": f"dense,{written}", "quiet": True}
    first = scbench.run(out=tmp_path / "run", **words)
    again = scbench.run(config=tmp_path / "run" / NAME, out=tmp_path / "run", quiet=True)
    assert again.outcome is not None
    assert len(again.records()) == len(first.records()) == 8


@pytest.mark.parametrize(
    "sign", few(["m,odel", "m+o", "[m]", "m odel", "文", "m=o", "m|o"], "m,odel", "[m]")
)
def test_a_model_in_a_folder_of_any_name_is_found(model: Path, tmp_path: Path, sign: str) -> None:
    shutil.copytree(model, tmp_path / sign)
    folder = str(tmp_path / sign)
    written = f'"{folder}"' if "," in sign else folder
    assert scbench.api.settle({"model": f"toy,{written}"}).models == ("toy", folder)
    for alone in (folder, [folder]):
        assert scbench.api.settle({"model": alone}).models == (folder,)
    assert load_tokenizer(folder).has_chat_template


def test_a_folder_cut_at_its_comma_is_told_to_stand_in_quotes(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m,odel")
    with pytest.raises(ScbenchError, match="a path with a comma stands in quotes"):
        scbench.run(model=f"{tmp_path / 'm,odel'},toy", out=tmp_path / "run", **WORDS)


@pytest.mark.parametrize("sign", few(["o,ut", "o+ut", "[o]", "o ut", "文", "%20"], "o,ut"))
def test_a_run_may_lie_in_a_folder_of_any_name(tmp_path: Path, sign: str) -> None:
    out = tmp_path / sign
    words = {**WORDS, "model": "toy", "quiet": True}
    assert scbench.run(out=out, **words).records()
    assert scbench.api.open_run(out).report()["report.md"].is_file()
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))
