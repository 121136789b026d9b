"""`scbench view`: pages of runs on this machine alone, made anew as runs grow, nothing written."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner

from scbench.cli import app
from scbench.commands.view import RunList
from scbench.errors import BadConfig, BadRecord
from scbench.view.frame import around, listing
from scbench.view.server import HOST, ViewServer
from scbench.view.watched import Files, Watched

KEPT = Path(__file__).parents[1] / "house" / "data" / "kept"


class Browser:
    """Asks a server that runs in a thread."""

    def __init__(self, server: ViewServer) -> None:
        self.server = server
        self.port = server.server_address[1]

    def ask(
        self, path: str, *, host: str | None = None, method: str = "GET"
    ) -> http.client.HTTPResponse:
        link = http.client.HTTPConnection(HOST, self.port, timeout=60)
        link.putrequest(method, path, skip_host=True)
        if host != "":
            link.putheader("Host", host or f"127.0.0.1:{self.port}")
        link.endheaders()
        answer = link.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        link.close()
        return answer


def text(answer: http.client.HTTPResponse) -> str:
    return answer.text  # type: ignore[attr-defined,no-any-return]


Serve: TypeAlias = Callable[[Callable[[], list[Watched]]], Browser]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ViewServer] = []

    def begin(runs: Callable[[], list[Watched]]) -> Browser:
        server = ViewServer(runs, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return Browser(server)

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def held(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its bytes and when it was written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def grown(folder: Path, lines: int) -> None:
    """A copy of the kept run that has come so far."""
    whole = (KEPT / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(whole[:lines]))


def test_a_page_grows_with_its_run_and_nothing_is_written(tmp_path: Path, serve: Serve) -> None:
    folder = tmp_path / "runs" / "one"
    shutil.copytree(KEPT, folder)
    grown(folder, 9)
    before = held(tmp_path)
    browser = serve(RunList([tmp_path / "runs"], rest_s=0.0))
    shown = text(browser.ask("/"))
    assert str(folder) in shown
    assert "9 records" in shown
    assert "toy" in shown
    (one,) = re.findall(r'href="/([0-9a-f]{12})/"', shown)
    frame = text(browser.ask(f"/{one}/"))
    (token,) = re.findall(r'data-token="([^"]*)"', frame)
    first = browser.ask(f"/{one}/page/index.html")
    assert first.status == 200
    assert json.loads(text(browser.ask(f"/{one}/state")))["token"] == token
    assert held(tmp_path) == before

    grown(folder, 24)
    before = held(tmp_path)
    now = json.loads(text(browser.ask(f"/{one}/state")))
    assert now["token"] != token
    assert "24 records" in now["told"]
    second = text(browser.ask(f"/{one}/page/index.html"))
    assert second != text(first)
    assert json.loads(text(browser.ask(f"/{one}/state")))["token"] == now["token"]
    assert held(tmp_path) == before


def test_runs_that_begin_later_are_listed(tmp_path: Path, serve: Serve) -> None:
    shutil.copytree(KEPT, tmp_path / "one")
    browser = serve(RunList([tmp_path]))
    assert len(re.findall("<tr>", text(browser.ask("/")))) == 2
    shutil.copytree(KEPT, tmp_path / "two")
    assert len(re.findall("<tr>", text(browser.ask("/")))) == 3


def watched(**words: object) -> Watched:
    given = {
        "state": lambda: "0",
        "make": lambda: {"index.html": b"<p>page</p>"},
        "told": lambda: {"models": "toy"},
        **words,
    }
    return Watched("run", **given)  # type: ignore[arg-type]


HOSTILE = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "localhost",
    "127.0.0.1:1",
    "",
    "0.0.0.0:{port}",
    "127.0.0.1:{port}.evil.example",
    "[::1]:{port}",
    "localhost:{port}@evil.example",
]


@pytest.mark.parametrize("host", HOSTILE)
def test_a_request_by_another_name_is_refused_before_anything_is_looked_up(
    host: str,
    serve: Serve,
) -> None:
    asked: list[int] = []

    def runs() -> list[Watched]:
        asked.append(1)
        return [watched()]

    browser = serve(runs)
    answer = browser.ask("/", host=host.format(port=browser.port))
    assert answer.status == 421
    assert "toy" not in text(answer)
    assert asked == []


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
def test_its_own_names_are_answered(host: str, serve: Serve) -> None:
    browser = serve(lambda: [watched()])
    assert browser.ask("/", host=host.format(port=browser.port)).status == 200


def test_it_listens_to_this_machine_alone(serve: Serve) -> None:
    assert serve(list).server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
)
def test_no_other_method_is_answered(method: str, serve: Serve) -> None:
    answer = serve(lambda: [watched()]).ask("/", method=method)
    assert answer.status == 405
    assert answer.getheader("Allow") == "GET, HEAD"


def test_head_has_the_headers_and_no_body(serve: Serve) -> None:
    browser = serve(lambda: [watched()])
    head, get = browser.ask("/", method="HEAD"), browser.ask("/")
    assert text(head) == ""
    assert head.getheader("Content-Length") == str(len(text(get).encode()))


PATHS = [
    "/x/",
    "/../",
    "/{id}",
    "/{id}/page/",
    "/{id}/page/../../etc/passwd",
    "/{id}/page/%2e%2e%2fmanifest.json",
    "/{id}/page/records.jsonl",
    "/{id}/page//etc/passwd",
    "/{id}/other",
    "//evil.example/",
    "/{id}/page/\x00",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_reaches_a_file(path: str, serve: Serve) -> None:
    run = watched()
    answer = serve(lambda: [run]).ask(path.replace("\x00", "%00").format(id=run.id))
    assert answer.status == 404
    assert "<p>page</p>" not in text(answer)


def test_every_answer_forbids_what_it_does_not_need(serve: Serve) -> None:
    run = watched()
    browser = serve(lambda: [run])
    for path in ("/", f"/{run.id}/", f"/{run.id}/state", "/none/"):
        answer = browser.ask(path)
        assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.getheader("Access-Control-Allow-Origin") is None
        assert answer.getheader("Server") == "scbench"
    page = browser.ask(f"/{run.id}/page/index.html")
    assert page.getheader("Content-Security-Policy") == "frame-ancestors 'self'"
    assert page.getheader("Content-Type") == "text/html; charset=utf-8"


def test_what_a_run_is_called_is_shown_and_not_obeyed() -> None:
    name = "<script>x</script>\x1b[2J\"'"
    for page in (listing([("0", name, {"models": name})]), around(name, name)):
        shown = page.decode()
        assert "<script>x" not in shown
        assert "&lt;script&gt;x&lt;/script&gt;\\x1b[2J" in shown
        assert "\x1b" not in shown


def test_a_run_that_cannot_be_read_says_why_and_is_tried_again(serve: Serve) -> None:
    state = ["0"]

    def make() -> Files:
        if state[0] == "0":
            raise BadRecord("line 3 of <records> is damaged")
        return {"index.html": b"whole"}

    run = watched(state=lambda: state[0], make=make, rest_s=0.0)
    browser = serve(lambda: [run])
    broken = browser.ask(f"/{run.id}/page/index.html")
    assert broken.status == 503
    assert "line 3 of &lt;records&gt; is damaged" in text(broken)
    state[0] = "1"
    assert text(browser.ask(f"/{run.id}/page/index.html")) == "whole"


def test_a_page_is_made_once_a_state_and_rests_between() -> None:
    made: list[str] = []
    state, now = ["0"], [0.0]

    def make() -> Files:
        made.append(state[0])
        now[0] += 4.0  # it takes so long
        return {"index.html": state[0].encode()}

    run = watched(state=lambda: state[0], make=make, rest_s=10.0, clock=lambda: now[0])
    assert run.token() == "0"
    assert [run.page().token for _ in range(3)] == ["0", "0", "0"]
    state[0] = "1"
    assert (run.token(), run.page().token) == ("0", "0")  # too young still
    now[0] += 19.9  # five times the four seconds is the longer rest
    assert run.page().token == "0"
    now[0] += 0.2
    assert (run.token(), run.page().token) == ("1", "1")
    assert made == ["0", "1"]


def test_a_page_of_a_run_that_has_not_grown_is_not_made_again() -> None:
    made: list[int] = []

    def make() -> Files:
        made.append(1)
        return {}

    run = watched(make=make, rest_s=0.0)
    assert run.page() is run.page()
    assert made == [1]


def test_who_asks_meanwhile_gets_the_page_before() -> None:
    state = ["0"]
    begun, may_end = threading.Event(), threading.Event()

    def make() -> Files:
        if state[0] == "1":
            begun.set()
            assert may_end.wait(60)
        return {"index.html": state[0].encode()}

    run = watched(state=lambda: state[0], make=make, rest_s=0.0)
    assert run.page().files["index.html"] == b"0"
    state[0] = "1"
    maker = threading.Thread(target=run.page)
    maker.start()
    assert begun.wait(60)
    assert run.page().files["index.html"] == b"0"
    may_end.set()
    maker.join(60)
    assert run.page().files["index.html"] == b"1"


def test_a_folder_that_is_none_and_a_port_that_is_taken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="is no folder"):
        RunList([tmp_path / "none"])()
    taken = ViewServer(list, 0)
    port = str(taken.server_address[1])
    for words in (["--port", port], ["--port", "99999999"]):
        done = CliRunner().invoke(app, ["view", str(KEPT), *words])
        assert isinstance(done.exception, BadConfig)
        assert "give another, or 0" in str(done.exception)
    taken.server_close()


def test_the_command_says_where_and_ends_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: ViewServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ViewServer, "serve_forever", stop)
    done = CliRunner().invoke(app, ["view", str(KEPT), "--port", "0"])
    assert done.exit_code == 0
    assert re.search(r"1 run: http://127\.0\.0\.1:\d+/", done.output)
    assert "nothing was written" in done.output
