"""A real browser for tests of the page: the system's Chromium, which nothing downloads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ADVICE = (
    "the page is looked at in Chromium, which is not installed; on Debian run: "
    "sudo apt-get install chromium"
)


def place() -> str:
    """Where Chromium is. Without one a developer's tests are skipped, and CI's fail."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(ADVICE)
    if found is None:
        pytest.skip(ADVICE)
    return found


@dataclass
class Watched:
    """A tab, and what must not happen in it: errors, and requests that leave the machine."""

    tab: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path, view: str = "") -> None:
        """Opens a file's view, and waits until it is shown."""
        self.tab.goto("about:blank")
        self.tab.goto(f"{path.as_uri()}{'#' if view else ''}{view}")
        self.settled(view or "summary")

    def settled(self, view: str) -> None:
        """Waits until a view is shown and its pictures are drawn."""
        name = view.split("?")[0]
        self.tab.wait_for_function(
            "name => document.documentElement.dataset.shown === name"
            " && ![...document.querySelectorAll(`#view-${name} .live`)]"
            ".some((one) => !one.dataset.ready)",
            arg=name,
        )

    def click(self, words: str, view: str) -> None:
        """Clicks a link by its words, and waits for the view that it leads to."""
        self.tab.get_by_role("link", name=words).first.click()
        self.settled(view)

    @property
    def strays(self) -> list[str]:
        """Requests for anything but a file of this machine."""
        return [one for one in self.requests if not one.startswith(("file:", "data:", "about:"))]


@contextmanager
def watched(browser: Any, **traits: Any) -> Iterator[Watched]:
    """A tab whose errors and requests are noted; `traits` as of Playwright's `new_context`."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **traits})
    context.set_default_timeout(120_000)  # a busy machine is no fault of the page
    tab = context.new_page()
    found = Watched(tab)
    tab.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda err: found.errors.append(str(err)))
    tab.on("request", lambda one: found.requests.append(one.url))
    try:
        yield found
    finally:
        context.close()
