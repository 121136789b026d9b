"""One pattern, three players: a model here, somebody's object, and a server behind one."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from test_session import ASKED, BOTH, job, session

from scbench.engines.contract import Engine, Feed
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.kv import Snapshot
from scbench.methods import parse
from scbench.play.foreign import DECLARED, BlackBox, ForeignPlayer, answer_of
from scbench.play.session import SessionPlay
from scbench.play.talks import Talks
from scbench.prompts import Prompt
from scbench.types import Failure, History, Mode, Protocol, Record


class Plain:
    """Somebody's object: reads a prefix once, and decodes greedily from it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.opened = 0
        self.closed = 0

    def open(self, prompt: Prompt) -> Snapshot:
        self.opened += 1
        return self.engine.read(prompt.ids)

    def ask(self, handle: Snapshot, prompt: Prompt, limit_tokens: int) -> list[int]:
        stream, ids = handle.fork(), list[int]()
        rest = prompt.ids[handle.logical_tokens :]
        logits = self.engine.advance([Feed(stream, rest)])[0] if rest else handle.logits_V
        while len(ids) < limit_tokens:
            ids.append(int(logits.argmax()))
            if ids[-1] in self.engine.tokenizer.end_ids:
                break
            logits = self.engine.advance([Feed(stream, ids[-1:])])[0]
        return ids

    def close(self, handle: Snapshot) -> None:
        self.closed += 1


class Served:
    """Somebody's object that knows an address and nothing else."""

    def __init__(self, address: str) -> None:
        self.address = address

    def open(self, prompt: Prompt) -> str:
        return self.address

    def ask(self, handle: str, prompt: Prompt, limit_tokens: int) -> str:
        asked = {"prompt": prompt.text, "ids": prompt.ids, "max_tokens": limit_tokens}
        request = urllib.request.Request(handle, json.dumps(asked).encode())
        with urllib.request.urlopen(request) as reply:
            return str(json.load(reply)["text"])

    def close(self, handle: str) -> None: ...


@contextmanager
def server(engine: Engine) -> Iterator[str]:
    """A server that reads every prompt anew, and answers with text."""
    plain = Plain(engine)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = Prompt(0, tuple(asked["ids"]), {}, asked["prompt"])
            ids = plain.ask(plain.open(prompt), prompt, asked["max_tokens"])
            self.send_response(200)
            self.end_headers()
            text = engine.tokenizer.decode(ids)
            self.wfile.write(json.dumps({"text": text}).encode())

        def log_message(self, *words: Any) -> None: ...

    serving = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_port}"
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


def locally(engine: Engine, protocol: Protocol) -> list[Record]:
    records: list[Record] = []
    of = session()
    run = SessionPlay(engine, of, protocol, emit=records.append, needles={})
    run.play([job(parse("dense"), mode, protocol, of) for mode in BOTH])
    return ordered(records)


def asked(box: BlackBox, engine: Engine, protocol: Protocol) -> list[Record]:
    """The same cells, by way of somebody's object."""
    records: list[Record] = []
    of = session()
    keeper = SessionPlay(engine, of, protocol, emit=records.append, needles={})
    player = ForeignPlayer(Talks(engine, of, protocol), emit=keeper._answered, fail=keeper._fail)
    for mode in BOTH:
        player.play(job(parse("dense"), mode, protocol, of), box)
    return ordered(records)


def ordered(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda one: (one.mode, one.turn))


def same(ours: list[Record], theirs: list[Record]) -> None:
    assert len(ours) == len(theirs) == len(BOTH) * len(ASKED)
    for one, other in zip(ours, theirs, strict=True):
        assert one.answer is not None
        assert one.answer == other.answer
        assert (one.strict, one.official) == (other.strict, other.official)
        assert one.prompt_tokens == other.prompt_tokens
        assert other.gold is None  # there are no logits to take it from
        assert other.cost.loaded_bytes is None


ENGINES: dict[str, Callable[[], Engine]] = {
    "toy": ToyEngine,
    "random weights": lambda: tiny("gqa"),
}


@pytest.mark.parametrize("history", [History.GOLD, History.MODEL, History.NONE])
@pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
def test_an_object_of_twenty_lines_and_a_server_answer_as_the_model_here_does(
    make: Callable[[], Engine], history: History
) -> None:
    engine, protocol = make(), Protocol(history=history)
    ours = locally(engine, protocol)
    plain = Plain(engine)
    same(ours, asked(plain, engine, protocol))
    assert plain.opened == plain.closed == len(BOTH)
    if isinstance(engine, ToyEngine):  # its text is its ids
        with server(engine) as address:
            same(ours, asked(Served(address), engine, protocol))


class Odd(Plain):
    def ask(self, handle: Snapshot, prompt: Prompt, limit_tokens: int) -> Any:
        if prompt.turn == 1:
            raise ValueError("no answer to this one")
        return super().ask(handle, prompt, limit_tokens)

    def held_bytes(self, handle: Snapshot) -> int:
        return 77


@pytest.mark.parametrize("history", [History.GOLD, History.MODEL])
def test_a_question_that_fails_is_a_gap_and_takes_along_only_what_rests_on_it(
    history: History,
) -> None:
    engine, protocol = ToyEngine(), Protocol(history=history)
    box = Odd(engine)
    records = asked(box, engine, protocol)
    failed = {(one.mode, one.turn): one.failure for one in records if one.failure is not None}
    rests = {(Mode.MULTI_TURN, 2)} if history is History.MODEL else set()
    assert set(failed) == {(mode, 1) for mode in BOTH} | rests
    assert all(isinstance(one, Failure) and "no answer" in one.why for one in failed.values())
    assert box.opened == box.closed
    told = [one for one in records if one.failure is None]
    assert {one.cost.held_bytes for one in told} == {77}
    assert all(DECLARED in one.notes and "held_bytes" in one.cost.estimated for one in told)


@pytest.mark.parametrize("said", [None, 3.5, ["a"], {"text": "seven"}, b"seven"])
def test_an_answer_that_is_neither_text_nor_ids_is_refused_by_name(said: object) -> None:
    engine = ToyEngine()

    class Wrong(Plain):
        def ask(self, handle: Snapshot, prompt: Prompt, limit_tokens: int) -> Any:
            return said

    records = asked(Wrong(engine), engine, Protocol())
    assert {one.failure.kind for one in records if one.failure} == {"refused"}
    assert all("token ids as a list" in one.failure.why for one in records if one.failure)


def test_an_answer_beyond_its_limit_is_cut_where_ours_would_end() -> None:
    engine = ToyEngine()
    talk = Talks(engine, session(), Protocol()).talk(Mode.MULTI_REQUEST, parse("dense").generation)
    step = Talks(engine, session(), Protocol()).steps(talk)[1]
    cut = answer_of("x" * 50, engine.tokenizer, step, who="mine")
    assert (len(cut.ids), cut.finish) == (step.limit_tokens, "length")
    assert cut.text == "x" * step.limit_tokens
    ended = answer_of([120, 121, *engine.tokenizer.end_ids], engine.tokenizer, step, who="mine")
    assert (ended.text, ended.finish) == ("xy", "end")


def test_a_box_is_asked_last_and_leaves_torch_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "ext.py").write_text(
        "import torch\n"
        "class Rude:\n"
        "    def open(self, prompt): torch.set_default_dtype(torch.float64)\n"
        "    def ask(self, handle, prompt, limit_tokens): return 'x'\n"
        "    def close(self, handle): pass\n"
    )
    of, protocol = session(), Protocol()
    records: list[Record] = []
    run = SessionPlay(ToyEngine(), of, protocol, emit=records.append, needles={})
    rude = parse(f"{tmp_path}/ext.py:Rude")
    run.play([job(method, Mode.MULTI_TURN, protocol, of) for method in (rude, parse("dense"))])
    assert [one.method for one in records[:3]] == ["dense"] * 3
    assert [one.answer.text for one in records[3:] if one.answer] == ["x"] * 3
    assert torch.get_default_dtype() == torch.float32
