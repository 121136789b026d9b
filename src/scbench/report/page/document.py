"""The page as a file: one HTML with its data in it, or for large runs in scripts beside it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from scbench.console import visible
from scbench.report.drawing import VEGA, Spec, bundle, drawings
from scbench.report.page.data import page_data, sample_data
from scbench.report.page.figure_spec import filled
from scbench.report.page.source import PageSource
from scbench.report.page.tables import CELL
from scbench.stats import Summary

INDEX = "index.html"
BESIDE = "index.data-{}.js"  # of a large run, beside the page
MOST_INSIDE = 6_000_000  # characters of packed samples that stand in the page itself
PIECE = 8_000_000  # characters of one file beside it
STYLES = ("page.css", "views.css", "print.css")
SCRIPTS = (  # in the order in which they are joined
    "base.js",
    "data.js",
    "charts.js",
    "summary.js",
    "table.js",
    "turns.js",
    "budgets.js",
    "prices.js",
    "life.js",
    "evidence.js",
    "samples.js",
    "reader.js",
    "attention.js",
    "manifest.js",
    "routes.js",
)
POLICY = (  # nothing is fetched or sent; only the page's own scripts run, each by its digest
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
MARK = 'document.documentElement.dataset.scripts = "yes";'  # else the page says what it lacks
VIEWS = (
    ("summary", "Summary"),
    ("turns", "Turns"),
    ("budgets", "Budgets and lengths"),
    ("life", "Life cycle"),
    ("evidence", "Evidence"),
    ("samples", "Samples"),
    ("attention", "Attention"),
    ("manifest", "Manifest"),
)


def page(
    summary: Summary,
    manifest: Mapping[str, object] | None = None,
    *,
    title: str = "scbench report",
    source: PageSource | None = None,
) -> str:
    """The page alone, without what stands beside that of a large run (`page_files`)."""
    return page_files(summary, manifest, title=title, source=source)[INDEX]


def page_files(
    summary: Summary,
    manifest: Mapping[str, object] | None = None,
    *,
    title: str = "scbench report",
    source: PageSource | None = None,
    most_inside: int = MOST_INSIDE,
) -> dict[str, str]:
    """The page and the files that it needs beside it, by name.

    `manifest` is that of a run's folder: it says how to run this again. A picture that cannot be
    drawn is a line that says why; tables do not depend on it.
    """
    known = dict(manifest or {})
    behind = source or PageSource()
    data = page_data(summary, known, behind)
    packed = pack(sample_data(summary, behind)) if behind.records else ""
    pieces: list[str] = []
    if len(packed) > most_inside:
        pieces = [packed[start : start + PIECE] for start in range(0, len(packed), PIECE)]
        packed = ""
    beside = {
        BESIDE.format(number): f'scbenchPiece({number}, "{piece}");\n'
        for number, piece in enumerate(pieces)
    }
    data["beside"] = [
        {"name": name, "sha256": hashlib.sha256(piece.encode()).hexdigest()}
        for name, piece in zip(beside, pieces, strict=True)
    ]
    data["cell"] = list(CELL)
    library = bundle()
    script = own_script()
    html = _template().render(
        title=title,
        policy=Markup(_policy([MARK, script, *filter(None, [library])], has_files=bool(beside))),
        mark=Markup(MARK),
        css=Markup("\n".join(map(_own, STYLES))),
        views=VIEWS,
        first=_first(summary, data),
        picture=_picture(data),
        facts=data["facts"],
        gaps=data["gaps"]["rows"],
        data=Markup(pack(data)),
        samples=Markup(packed),
        library=Markup(pack_text(library) if library else ""),
        script=Markup(script),
    )
    return {INDEX: html, **beside}


def pack(value: Any) -> str:
    """A value as JSON, gzipped, in base64: no text of it can be markup."""
    return pack_text(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def pack_text(text: str) -> str:
    held = gzip.compress(text.encode("utf-8", "backslashreplace"), 9, mtime=0)
    return base64.b64encode(held).decode()


def own_script() -> str:
    """Our modules, in order, in one function, so that they leave no global name."""
    modules = "\n".join(map(_own, SCRIPTS))
    code = f'(() => {{\n"use strict";\n{modules}\n}})();'
    return code.replace("</script", "<\\/script")


def _policy(scripts: Sequence[str], *, has_files: bool) -> str:
    """Files beside a page can only be allowed as such: a browser checks no digest of a file that
    another file names. The page checks it itself before it reads what is in them."""
    digests = [hashlib.sha256(code.encode()).digest() for code in scripts]
    names = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    names += ["'self'"] if has_files else []
    return f"{POLICY}; script-src {' '.join(names)}"


def _first(summary: Summary, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """What stands in the page before any script runs: verdicts and the main table."""
    if not summary.settings:
        return None
    opens = data["opens"]
    place = opens["setting"], opens["mode"]
    head, table = _at(data["headlines"], place), _at(data["tables"], place)
    best_first = {one["method"]: at for at, one in enumerate(head["points"])}
    rows = sorted(
        zip(table["methods"], table["rows"], strict=True),
        key=lambda row: best_first.get(row[0], len(best_first)),
    )
    return {
        "setting": data["settings"][opens["setting"]],
        "mode": opens["mode"],
        "baseline": summary.baseline,
        "verdicts": head["verdicts"],
        "columns": table["columns"],
        "rows": rows,
        "notes": table["notes"],
        "labels": {one["name"]: one for one in data["methods"]},
    }


def _at(found: Sequence[Mapping[str, Any]], place: tuple[int, str]) -> Mapping[str, Any]:
    return next(one for one in found if (one["setting"], one["mode"]) == place)


def _picture(data: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figure as drawn in both themes, or why there is none."""
    none: dict[str, Any] = {"light": "", "dark": "", "says": "", "why": ""}
    if not data["settings"]:
        return none
    opens = data["opens"]
    head = _at(data["headlines"], (opens["setting"], opens["mode"]))
    layouts, found = head["layouts"], head["points"]
    key = next((name for name in ("held/loss/wide", "loaded/loss/wide") if name in layouts), "")
    if not key:
        return {**none, "why": head["why"] or "no method has both a difference and its bytes"}
    filled_in = partial(filled, found, layouts[key], key, head["titles"])
    specs: list[Spec] = [{VEGA: filled_in(theme)} for theme in ("light", "dark")]
    light, dark = drawings(specs)
    if not light.text:
        return {**none, "why": light.why or "nothing was drawn"}
    return {
        **none,
        "light": _data_uri(light.text),
        "dark": _data_uri(dark.text or light.text),
        "says": "; ".join(_told(one) for one in found),
    }


def _told(one: Mapping[str, Any]) -> str:
    loss = "no score" if one["loss"] is None else f"{one['loss']:+.1f} points"
    held = "" if one["held"] is None else f" at {one['held']:.0f} %"
    return f"{one['name']} {loss}{held}"


def _template() -> Template:
    surroundings = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True
    )
    return surroundings.from_string(_own("page.html.jinja"))


def _shown(value: object) -> object:
    """Every text that the page prints, with control signs and turns of direction made visible."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _own(name: str) -> str:
    found = files("scbench.report.page").joinpath("assets").joinpath(name)
    return found.read_text(encoding="utf-8")


def _data_uri(svg: str) -> Markup:
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode())
