"""`scbench view`: the pages of runs in a browser, while they are played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer

from scbench.console import counted, say
from scbench.errors import BadConfig, BadRecord
from scbench.view.watched import REST_S, Watched

RECORDS = "records.jsonl"
GROWING = (RECORDS, "costs.jsonl", "plan.json", "manifest.json")  # what a run writes as it goes on
ENDED = {None: "running, or killed", "complete": "complete"}


def view(
    runs: Annotated[
        list[Path], typer.Argument(help="folders of runs, or a folder that holds some: runs")
    ],
    port: Annotated[int, typer.Option("--port", help="0 takes a free one")] = 8377,
) -> None:
    """Show the pages of runs in a browser while they are played; Ctrl-C ends it.

    `scbench view runs` lists every run below `runs`, those that begin later
    too; a page is made anew when its run has grown. It is served to this
    machine alone (127.0.0.1), and nothing is written into a run.
    """
    from scbench.view.server import ViewServer

    listed = RunList(runs)
    listed()
    try:
        server = ViewServer(listed, port)
    except (OSError, OverflowError) as err:
        raise BadConfig(f"--port {port} cannot be had ({err}); give another, or 0") from err
    with server:
        say(f"{counted(len(listed()), 'run')}: {server.address}  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended; nothing was written")


class RunList:
    """The runs that are looked at; those of a folder of runs as they come."""

    def __init__(self, places: Sequence[Path], *, rest_s: float = REST_S) -> None:
        self.places = places
        self.rest_s = rest_s
        self._known: dict[Path, Watched] = {}

    def __call__(self) -> list[Watched]:
        """Raises BadConfig for a folder without any run."""
        folders = [folder for place in self.places for folder in _runs_in(place)]
        return [self._watched(folder) for folder in dict.fromkeys(folders)]

    def _watched(self, folder: Path) -> Watched:
        if folder not in self._known:
            self._known[folder] = Watched(
                str(folder),
                state=lambda: _state(folder),
                make=lambda: _pages(folder),
                told=lambda: _told(folder),
                rest_s=self.rest_s,
            )
        return self._known[folder]


def _runs_in(place: Path) -> list[Path]:
    if (place / RECORDS).is_file():
        return [place]
    try:
        found = sorted(path.parent for path in place.glob(f"*/{RECORDS}"))
    except OSError:
        found = []
    if not place.is_dir():
        raise BadConfig(
            f"{str(place)!r} is no folder; give the --out of a run, or a folder that holds runs"
        )
    return found


def _state(folder: Path) -> str:
    """Another text once a run has written anything."""
    sizes = []
    for name in GROWING:
        try:
            found = (folder / name).stat()
            sizes.append(f"{found.st_size}.{found.st_mtime_ns}")
        except OSError:
            sizes.append("-")
    return "/".join(sizes)


def _pages(folder: Path) -> Mapping[str, bytes]:
    from scbench import api

    return api.open_run(folder).page_files()


def _told(folder: Path) -> dict[str, str]:
    """What the list shows of a run, from its manifest and the length of its journal."""
    from scbench.ledger import manifest

    answers = {"answers": counted(_lines(folder / RECORDS), "record")}
    try:
        runs = manifest.read(folder)["runs"]
        entry: Mapping[str, Any] = runs[-1] if runs else {}
        settings = entry.get("settings", {})
        return {
            **answers,
            **{name: _few(settings.get(name)) for name in ("models", "tasks", "methods")},
            "state": ENDED.get(entry.get("outcome"), str(entry.get("outcome"))),
        }
    except (BadRecord, KeyError, TypeError, AttributeError) as err:
        return {**answers, "state": f"its manifest cannot be read ({type(err).__name__})"}


def _few(names: object) -> str:
    if not isinstance(names, list):
        return ""
    texts = [str(name) for name in names]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _lines(path: Path) -> int:
    """Lines of a file; read again only once it has grown."""
    try:
        return _counted(path, path.stat().st_size)
    except OSError:
        return 0


@lru_cache(maxsize=1024)
def _counted(path: Path, size: int) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
