"""How large a page is, and how soon it is seen, at a thousand turns and at ten thousand.

    PYTHONPATH=src:tests/report:tests/stats python benchmarks/page_speed.py

Thirty methods, twelve tasks, made-up answers with sessions and evidence. Opened from a file in the
system's Chromium, each page several times; prints a table and one JSON line. Seconds are medians:
first paint as the browser tells it (`first-contentful-paint`), until the summary is live, and until
Samples is shown after that.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from factory import ALL_TASKS, run
from page_sample import answered, held, session_of

from scbench.report.page import PageSource, page_files
from scbench.stats import summarise
from scbench.types import Record

NAMES = ("snapkv", "kvzip", "h2o", "quest", "tova", "knorm", "keydiff", "adakv", "pyramidkv", "rtn")
METHODS = ["dense", *(f"{name}[tau=1/{part}]" for name in NAMES for part in (2, 4, 8))][:30]
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
NOW = "() => performance.now()"


def chance(place: int) -> Any:
    return lambda turn: max(0.05, 0.95 - 0.02 * place - 0.1 * turn * (place % 3))


def told_apart(record: Record, number: int) -> Record:
    """The record with an answer like no other, of some forty words: what packs badly."""
    luck = np.random.Generator(np.random.PCG64(number))
    words = " ".join(f"{one:x}" for one in luck.integers(0, 4096, size=40))
    assert record.answer is not None
    return replace(record, answer=replace(record.answer, text=words))


def page_of(turns: int, folder: Path) -> tuple[Path, int]:
    """A page of about so many turns, and how many they are."""
    each = len(METHODS) * len(ALL_TASKS)
    turns_each = 3 if turns < 2 * each * 2 else 7
    chances = {name: chance(place) for place, name in enumerate(METHODS)}
    sessions = max(1, round(turns / (each * turns_each)))
    made = run(
        tasks=ALL_TASKS, methods=chances, sessions=sessions, turns=turns_each, modes=("multi-turn",)
    )
    records = [told_apart(answered(one), number) for number, one in enumerate(made)]
    source = PageSource(
        records=records,
        sessions={one.session_digest: session_of(one) for one in records},
        evidence={(one.key, one.turn): held(one) for one in records},
    )
    files = page_files(summarise(records, resamples=0), source=source)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "index.html", len(records)


def opened(browser: Any, path: Path) -> dict[str, float]:
    """Seconds of one visit in a fresh context."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    tab.goto(path.as_uri())
    tab.wait_for_function(
        "() => document.documentElement.dataset.shown"
        " && document.querySelector('#live-headline svg')"
    )
    live = tab.evaluate(NOW)
    paint = tab.evaluate(PAINT)
    start = time.perf_counter()
    tab.evaluate("() => { location.hash = '#samples'; }")
    tab.wait_for_selector("#reader h3")
    samples = time.perf_counter() - start
    context.close()
    return {"first_paint_s": paint / 1e3, "live_s": live / 1e3, "samples_s": samples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", default="1000,10000")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        place = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=place, args=["--no-sandbox"])
        for turns in map(int, given.turns.split(",")):
            path, made = page_of(turns, Path(folder))
            visits = [opened(browser, path) for _ in range(given.repeats)]
            medians = {name: round(median(one[name] for one in visits), 3) for name in visits[0]}
            rows.append({"turns": made, "page_bytes": path.stat().st_size, **medians})
        browser.close()
    print("turns   page, MB   first paint, s   live, s   samples, s")
    for row in rows:
        print(
            f"{row['turns']:>6,} {row['page_bytes'] / 1e6:>9.2f} {row['first_paint_s']:>16.2f} "
            f"{row['live_s']:>9.2f} {row['samples_s']:>12.2f}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
