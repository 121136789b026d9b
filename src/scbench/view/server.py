"""The server of `scbench view`: this machine's own address alone, GET and HEAD, from memory.

A page elsewhere could have its own name point to 127.0.0.1 and read what is served here with the
browser of whoever looks at it (DNS rebinding). So a request whose Host is not one of ours is
refused before anything is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from scbench.view.frame import around, listing, script_policy, sorry
from scbench.view.watched import Made, Watched

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")  # whatever else a browser calls us is not us
TIMEOUT_S = 30.0  # of a connection that says nothing
KINDS = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class ViewServer(ThreadingHTTPServer):
    """Serves `runs()`, which is asked again at every request: runs may come.

    Raises OSError if the port is taken; port 0 takes a free one, which `address` says.
    """

    daemon_threads = True

    def __init__(self, runs: Callable[[], Sequence[Watched]], port: int = 0) -> None:
        super().__init__((HOST, port), ViewHandler)
        self.runs = runs

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news."""


class ViewHandler(BaseHTTPRequestHandler):
    """One request. `/` lists the runs, `/ID/` is the frame of one, `/ID/state` says whether there
    is a newer page, `/ID/page/NAME` is a file of its page."""

    server: ViewServer
    timeout = TIMEOUT_S

    def version_string(self) -> str:
        """No version of anything: nobody needs to know."""
        return "scbench"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What `http.server` refuses by itself, other methods among them."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message = HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered here"
        self._send(sorry(message or HTTPStatus(code).phrase), "html", code)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news either."""

    def _answer(self) -> None:
        if not self._is_for_us():
            self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this server answers to 127.0.0.1 and localhost alone",
            )
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        runs = self.server.runs()
        if parts == [""]:
            self._send(listing([(run.id, run.name, run.told()) for run in runs]), "html")
            return
        run = next((run for run in runs if run.id == parts[0]), None)
        if run is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such run here")
        elif parts[1:] == [""]:
            self._send(around(run.name, run.token()), "html")
        elif parts[1:] == ["state"]:
            told = ", ".join(filter(None, (run.told().get(key) for key in ("answers", "state"))))
            self._send(json.dumps({"token": run.token(), "told": told}).encode(), "json")
        elif len(parts) == 3 and parts[1] == "page":
            self._file(run.page(), parts[2])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page here")

    def _is_for_us(self) -> bool:
        port = self.server.server_address[1]
        asked = self.headers.get_all("Host") or []
        return len(asked) == 1 and asked[0].lower() in {f"{name}:{port}" for name in NAMES}

    def _file(self, made: Made, name: str) -> None:
        """A file of a page, by its name in memory: no path of a disk is ever made of it."""
        if made.why:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"there is no page yet: {made.why}")
        elif name not in made.files:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such file of this page")
        else:
            # The page says itself what its scripts may do (report/page).
            self._send(made.files[name], name.rpartition(".")[2], policy="frame-ancestors 'self'")

    def _refuse(self, code: int, why: str) -> None:
        self._send(sorry(why), "html", code)

    def _send(self, body: bytes, kind: str, code: int = HTTPStatus.OK, policy: str = "") -> None:
        self.send_response(code)
        headers = {
            "Content-Type": KINDS.get(kind, "application/octet-stream"),
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy or script_policy(),
            **SAFE,
        }
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET, HEAD"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
