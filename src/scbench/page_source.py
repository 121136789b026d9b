"""What a run's folder has for its page beside numbers: sessions, evidence, analyses of attention.

None of it is needed for a table, so what is damaged or gone is left out, and the page says so.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from scbench.console import tell
from scbench.errors import BadRecord, ScbenchError
from scbench.grid.evidence import read_evidence
from scbench.ledger.store import SessionStore
from scbench.play.evidence import EvidenceHeld
from scbench.reading import read_json_file
from scbench.report.page import Analysed, HeadsHeld, PageSource
from scbench.types import Record, Session

ANALYSES = "analyze-*"  # folders beside the run's, as `scbench analyze RUN` names them
PICTURES = {"overlap": "Keys in common between turns", "along": "Keys in common along an answer"}
PICTURES |= {"sparsity": "Sparsity and evidence by head", "kept": "Attention kept, turn by turn"}
PICTURES |= {"layers": "By layer"}
MOST_FACTS = 1 << 20
MOST_PICTURE_BYTES = 300_000


def page_source(folder: Path, records: Sequence[Record]) -> PageSource:
    """All that a page shows of these records of a run's folder."""
    try:
        evidence = read_evidence(folder)
    except BadRecord as err:
        tell(f"the page shows no evidence by head: {err}", label="report")
        evidence = {}
    answered = [(one.key, one.turn) for one in records if one.answer is not None]
    return PageSource(
        records=records,
        sessions=_sessions(folder, {one.session_digest for one in records}),
        evidence={place: _held(evidence[place]) for place in answered if place in evidence},
        analyses=tuple(_analyses(folder)),
    )


def _sessions(folder: Path, digests: Iterable[str]) -> dict[str, Session]:
    """Those that can be read back."""
    store = SessionStore(folder)
    found = {}
    for digest in sorted(digests):
        try:
            found[digest] = store.get(digest)
        except (KeyError, ScbenchError):
            continue
    return found


def _held(one: EvidenceHeld) -> HeadsHeld:
    bits_RE = one.held.bits_RE if one.loaded is None else one.loaded.bits_RE
    return HeadsHeld(
        heads=one.heads,
        tokens=one.tokens,
        held=one.held.counts_R.tolist(),
        loaded=None if one.loaded is None else one.loaded.counts_R.tolist(),
        tokens_held=None if bits_RE is None or not bits_RE.size else _of_tokens(bits_RE),
    )


def _of_tokens(bits_RE: np.ndarray) -> list[float]:
    shares: list[float] = bits_RE.mean(axis=0).tolist()
    return shares


def _analyses(folder: Path) -> Iterable[Analysed]:
    """Analyses of this run among the folders beside it."""
    for path in sorted(folder.resolve().parent.glob(ANALYSES)):
        try:
            facts = read_json_file(path / "facts.json", most_bytes=MOST_FACTS)
        except (OSError, ScbenchError):
            continue
        of_run = Path(str(facts.get("source"))).name if isinstance(facts, dict) else ""
        if of_run != folder.resolve().name:
            continue
        yield Analysed(
            folder=path.name,
            facts=facts,
            means=_means(path / "means.csv"),
            pictures=tuple(_pictures(path)),
        )


def _means(path: Path) -> list[dict[str, str]]:
    """The rows of an analysis' table; none where it is gone."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _pictures(folder: Path) -> Iterable[tuple[str, str, str]]:
    """Title, address that holds the drawing itself, caption."""
    for name, title in PICTURES.items():
        path = folder / f"{name}.svg"
        try:
            data = path.read_bytes() if path.stat().st_size <= MOST_PICTURE_BYTES else b""
        except OSError:
            continue
        if data:
            address = "data:image/svg+xml;base64," + base64.b64encode(data).decode()
            yield title, address, f"From {folder.name}/{path.name}."
