"""What stands around a run's page while it is looked at: the list of runs, and a frame that asks
whether there is a newer page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from scbench.console import visible

STYLE = """
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: #24292f; background: #fff; }
main { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d0d7de; }
header { display: flex; gap: 1rem; padding: .3rem 1rem; border-bottom: 1px solid #d0d7de; }
iframe { border: 0; width: 100%; height: calc(100vh - 2.6rem); }
a { color: #0b57d0; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #14171b; }
  a { color: #7fb3ff; }
  th, td, header { border-color: #3a424c; }
}
"""
ASK_MS = 5000
SCRIPT = """
const frame = document.querySelector("iframe"), said = document.querySelector("#said");
let shown = document.body.dataset.token;
const ask = async () => {
  try {
    const answer = await fetch("state", { cache: "no-store" });
    const now = await answer.json();
    said.textContent = now.told;
    if (now.token !== shown) {
      shown = now.token;
      const inside = frame.contentWindow, place = inside.scrollY;
      frame.addEventListener("load", () => inside.scrollTo(0, place), { once: true });
      inside.location.reload();
    }
  } catch (error) { said.textContent = "scbench view has ended"; }
};
setInterval(ask, ASK_MS);
ask();
""".replace("ASK_MS", str(ASK_MS))
COLUMNS = ("models", "tasks", "methods", "answers", "state")


def script_policy() -> str:
    """The security policy of our own pages: they ask this server, and nobody else."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; connect-src 'self'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _shown(text: str) -> Markup:
    return escape(visible(text))


def _document(title: str, body: Markup, token: str = "") -> bytes:
    page = Markup(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width"><style>{}</style>'
        '<body data-token="{}">{}</body>'
    ).format(_shown(title), Markup(STYLE), _shown(token), body)
    return str(page).encode("utf-8", "backslashreplace")


def listing(runs: Sequence[tuple[str, str, Mapping[str, str]]]) -> bytes:
    """The list of runs: id, name, and what is known of each."""
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in ("run", *COLUMNS))
    rows = Markup("").join(
        Markup('<tr><td><a href="/{}/">{}</a></td>{}</tr>').format(
            one_id,
            _shown(name),
            Markup("").join(
                Markup("<td>{}</td>").format(_shown(told.get(column, ""))) for column in COLUMNS
            ),
        )
        for one_id, name, told in runs
    )
    table = Markup("<table><tr>{}</tr>{}</table>").format(head, rows)
    empty = Markup("<p>No run here yet; reload when one has begun.</p>")
    body = Markup("<main><h1>Runs</h1>{}</main>").format(table if runs else empty)
    return _document("scbench view", body)


def around(name: str, token: str) -> bytes:
    """A run's page in its frame, under its name."""
    body = Markup(
        '<header><a href="/">all runs</a><strong>{}</strong><span id="said"></span></header>'
        '<iframe src="page/index.html" title="report"></iframe><script>{}</script>'
    ).format(_shown(name), Markup(SCRIPT))
    return _document(name, body, token)


def sorry(what: str) -> bytes:
    """A page that says why there is none."""
    return _document("scbench view", Markup("<main><p>{}</p></main>").format(_shown(what)))
