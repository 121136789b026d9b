"""`scbench ask`: one question under several methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.cli import main

CONTEXT = "{" + ", ".join(f'"key{at:02d}": "value{at:02d}"' for at in range(24)) + "}"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(CONTEXT, encoding="utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["scbench", "ask", "--model", "toy", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_answers_stand_side_by_side_with_their_bytes_and_the_text_is_read_once(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = "dense,streaming-llm[tau=1/4],streaming-llm[tau=1/700]"
    words = ("--context", str(text), "--question", 'Key: "key12"', "--methods", methods)
    assert run(monkeypatch, *words) == 0
    told = capsys.readouterr()
    lines = [line for line in told.out.splitlines() if "│" in line]
    dense, small, refused = (
        next(line for line in lines if name in line)
        for name in ("dense", "[tau=1/4]", "[tau=1/700]")
    )
    assert "value12" in dense
    assert dense.count(", 100 %") == 2
    assert "value12" not in small
    assert ", 25 %" in small
    assert "%" not in refused  # the reason stands there instead
    assert "read: once" in told.err


def test_why_a_text_was_read_again_is_said_once_at_the_end(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = "dense,snapkv[tau=1/4],selective-context,minference[tau=1/4]"
    words = ("--context", str(text), "--question", 'Key: "key12"', "--methods", methods)
    assert run(monkeypatch, *words) == 0
    told = capsys.readouterr().err
    assert "read again" not in told
    last = told.splitlines()[-1]
    assert last.startswith("read 3 times: ")
    assert "because selective-context leaves words of it out, and minference[tau=1/4]" in last


def test_a_table_in_a_pipe_has_at_most_100_columns(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--context", str(text), "--question", 'Key: "key12"', "--methods")
    spelled = "streaming-llm[sink_tokens=4,recent_tokens=60]"
    refused = "snapkv[tau=1/700]+kivi[bits=4]"
    assert run(monkeypatch, *asked, f"dense,{spelled},{refused}") == 0
    wide = capsys.readouterr().out
    assert max(map(len, wide.splitlines())) <= 100
    # A spelling is cut between its words.
    for words in ("streaming-llm[", "recent_tokens=60]", "snapkv[tau=1/700]+", "kivi[bits=4]"):
        assert f"{words} " in wide
    assert run(monkeypatch, *asked, "dense") == 0
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) < 80
    assert "value12" in narrow


def test_a_model_without_attention_loads_nothing_that_is_known(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--context", str(text), "--question", "x", "--methods", "dense", "--max-tokens", "3")
    assert run(monkeypatch, "--model", "lab-mamba2", *words) == 0
    told = capsys.readouterr().out
    assert "0.0" not in told
    assert " – " in told
    assert "100 %" in told


def test_a_text_beyond_the_window_is_one_error_and_not_a_table_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.txt"
    path.write_text("what is where . " * 3000, encoding="utf-8")
    words = ("--context", str(path), "--question", "x", "--methods", "dense,snapkv[tau=1/4]")
    assert run(monkeypatch, "--model", "lab-mamba2", *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: the text has ")
    assert "lab-mamba2 holds" in told.err
    assert "read" not in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--question", " "), "question is empty"),
        (("--question", "x", "--max-tokens", "0"), "max_tokens is 0"),
        (("--question", "x", "--max-tokens", "-3"), "max_tokens is -3"),
        (("--question", "x", "--compress-after", "never"), "first-query"),
    ],
)
def test_a_bad_question_is_one_error_before_anything_is_read(
    text: Path,
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("scbench.front.load", load)
    assert run(monkeypatch, "--context", str(text), *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert len(told.err.splitlines()) == 1
    assert says in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--context", "no-such-file", "--question", "x"), "text file in UTF-8"),
        (("--context", "TEXT", "--question", "x", "--methods", "snapkw"), "snapkv"),
    ],
)
def test_bad_input_is_refused_in_words(
    text: Path,
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(text) if word == "TEXT" else word for word in words]
    assert run(monkeypatch, *given) == 2
    told = capsys.readouterr()
    assert says in " ".join((told.out + told.err).replace("│", " ").split())


LONG = "what is where . " * 3000
BOX = (
    "class Box:\n"
    "    def open(self, prompt): return []\n"
    "    def ask(self, handle, prompt, limit_tokens): return ''\n"
    "    def close(self, handle): pass\n"
)


@pytest.mark.parametrize(
    ("model", "text", "words", "says"),
    [
        ("lab-mamba2", LONG, ("--methods", "dense"), "lab-mamba2 holds"),
        ("lab-transformer", LONG, ("--methods", "dense,snapkv[tau=1/4]"), "lab-transformer holds"),
        ("lab-transformer", CONTEXT, ("--max-tokens", "9999"), "a smaller max_tokens"),
        ("lab-mamba2", CONTEXT, ("--methods", "quest[tau=1/4],kivi"), "its recurrent state is"),
        ("lab-transformer", CONTEXT, ("--methods", "snapkv[budget_tokens=1]"), "snapkv"),
        ("toy", CONTEXT, ("--methods", "BOX:Box"), "is an object of its own"),
        ("lab-transformer", CONTEXT, ("--device", "moon"), "moon"),
        ("lab-transformer", CONTEXT, ("--dtype", "int3"), "int3"),
        ("lab-transformer", CONTEXT, ("--compress-after", "never"), "--compress-after 'never'"),
        ("lab-transfomer", CONTEXT, (), "lab-transformer"),
    ],
)
def test_what_is_known_without_weights_is_told_before_they_are_read(
    model: str,
    text: str,
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("scbench.engines.load._read_weights", load)
    monkeypatch.setattr("scbench.engines.toy.ToyEngine.read", load)
    path, box = tmp_path / "text.txt", tmp_path / "box.py"
    path.write_text(text, encoding="utf-8")
    box.write_text(BOX, encoding="utf-8")
    given = [word.replace("BOX", str(box)) for word in words]
    ended = run(monkeypatch, "--model", model, "--context", str(path), "--question", "x", *given)
    told = capsys.readouterr()
    assert ended in (1, 2)
    assert says in " ".join((told.out + told.err).replace("│", " ").split())
