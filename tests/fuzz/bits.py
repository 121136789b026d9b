"""One flipped bit in a file that is read back: refused, without effect, or taken in silence."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from fuzz.tally import Tally, draws
from scbench import api
from scbench.engines.toy import ToyEngine
from scbench.errors import ScbenchError
from scbench.grid import folder as run_folder
from scbench.grid.agreement import AGREEMENT, DenseBook
from scbench.grid.evidence import EVIDENCE, EvidenceBook
from scbench.grid.runner import run
from scbench.kv.pool import DiskTier, PrefixPool, file
from scbench.ledger import manifest
from scbench.ledger.cells import PLAN, read_plan
from scbench.ledger.facts import FACTS, Facts
from scbench.ledger.journal import COSTS, RECORDS, Costs, Journal
from scbench.ledger.lock import Lock
from scbench.ledger.store import FOLDER, SessionStore
from scbench.methods import parse
from scbench.play.pooled import made_by

REFUSED, NO_EFFECT, SILENT, CRASHED = "refused", "no effect", "SILENT", "TRACEBACK"
POOL = "pool"
Ids: TypeAlias = tuple[int, ...]
BLOCK_TOKENS = 16
GRID = {
    "models": "toy",
    "tasks": "kv,vt",
    "length": "512",
    "sessions": 2,
    "turns": 2,
    "cost_sessions": 1,
    "cost_repeats": 1,
}


@dataclass(slots=True)
class Seen:
    """What a reader made of a folder; `told` is what it said about it that was not an error."""

    values: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """A file, the folder it is read back with, and how."""

    name: str
    path: Path
    read: Callable[[], Seen]
    wanted: Seen


def make(room: Path) -> list[Target]:
    """Two small finished runs with every file that is read back, and the pool of a third."""
    plain = _play(room / "plain", methods="dense,streaming-llm,snapkv[tau=1/1000]")
    equal = _play(room / "equal", methods="dense,knorm,streaming-llm", equal_bytes="1/2")
    method = f"prefix[block_tokens={BLOCK_TOKENS},disk_mib=0,folder={room / POOL}]"
    _play(room / "pooled", methods=method, sessions=1, tasks="kv")
    targets = list[Target]()
    for folder in (plain, equal):
        wanted = read_back(folder)
        for path in (*_evidence(folder), *(folder / FOLDER).iterdir()):
            name = FOLDER if path.parent.name == FOLDER else path.name
            targets.append(Target(name, path, lambda at=folder: read_back(at), wanted))
    seal = made_by(ToyEngine(), parse(method))
    prompts = _stored(room / POOL, seal)
    wanted = read_pool(room / POOL, seal, prompts)
    assert any(wanted.values.values()), "the pool serves nothing"
    for path in sorted((room / POOL).glob("*.scbkv")):
        targets.append(Target(POOL, path, lambda: read_pool(room / POOL, seal, prompts), wanted))
    return targets


def attack(targets: Sequence[Target], *, flips: int, seed: int) -> Tally:
    """Flip `flips` bits, one at a time, the same share of them in each kind of file."""
    began = time.monotonic()
    draw, tally = draws(seed, "bits"), Tally("bits")
    by_name: dict[str, list[Target]] = {}
    for target in targets:
        by_name.setdefault(target.name, []).append(target)
    for _ in range(flips):
        target = draw.choice(by_name[draw.choice(sorted(by_name))])
        whole = target.path.read_bytes()
        at, bit = draw.randrange(len(whole)), draw.randrange(8)
        flipped = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        target.path.write_bytes(flipped)
        outcome, why = examined(target)
        target.path.write_bytes(whole)
        where = f"{target.path.parent.name}/{target.path.name} byte {at} bit {bit}"
        if outcome in (SILENT, CRASHED):
            tally.fail(target.name, outcome, f"{where}: {why}")
        else:
            tally.note(target.name, outcome)
    tally.seconds = time.monotonic() - began
    return tally


def examined(target: Target) -> tuple[str, str]:
    """The outcome of reading a damaged folder, and what tells of it."""
    try:
        seen = target.read()
    except ScbenchError as error:
        return REFUSED, str(error)
    except BaseException:
        return CRASHED, traceback.format_exc(limit=-2)
    differing = [name for name in target.wanted.values if _differs(target.wanted, seen, name)]
    if not differing:
        return NO_EFFECT, ""
    return (REFUSED, "; ".join(seen.told)) if seen.told else (SILENT, ", ".join(differing))


def read_back(folder: Path) -> Seen:
    """All that a report and a resume read of a run folder."""
    report = api.open_run(folder)
    told = report.torn()
    values: dict[str, Any] = {
        "records": report.records(),
        "costs": report.costs(),
        "cost gaps": report.cost_gaps(),
        "equal bytes": report.equal_bytes(),
        "evidence": len(report.evidence()),
        "methods": report.methods(),
        "manifest": manifest.read(folder),
        "plan": read_plan(folder),
        "earlier settings": run_folder.earlier(folder),
    }
    store = SessionStore(folder)
    values["sessions"] = {digest: store.get(digest) for digest in store.digests()}
    with (
        Lock(folder) as lock,
        Journal(folder, lock) as journal,
        Costs(folder, lock) as costs,
        Facts(folder, lock) as facts,
        DenseBook(folder, lock) as dense,
        EvidenceBook(folder, lock) as evidence,
    ):
        for book in (journal, costs, facts, dense, evidence):
            told += [f"{book.lines.path.name}: {book.torn_bytes} bytes"] * bool(book.torn_bytes)
        values["journal"] = [record for _, record in journal.lines.places()]
        values["cost rows"] = [row for _, row in costs.lines.places()]
        values["facts"] = facts.known
        values["evidence lines"] = [line for _, line in evidence.lines.places()]
        values["dense"] = [line for _, line in dense.lines.places()]
    for torn in folder.glob("*.torn"):
        torn.unlink()
    return Seen(values, told)


def read_pool(folder: Path, seal: str, prompts: Sequence[Ids]) -> Seen:
    """What another process is served of each stored prefix; a miss is told by its absence."""
    pool = PrefixPool(
        block_tokens=BLOCK_TOKENS, capacity_bytes=0, made_by=seal, disk=DiskTier(folder, None)
    )
    values = dict[str, Any]()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for ids in prompts:
            hit = pool.lookup(ids, leave_tokens=0)
            served = 0 if hit is None else hit.tokens
            values[str(ids[:served])] = None if hit is None else hit.snapshot.digest()
    return Seen(values, [str(one.message) for one in heard])


def _stored(folder: Path, seal: str) -> list[Ids]:
    """The ids of every stored prefix, from the first token: a file may go on where another ends."""
    headers = list[file.Header]()
    for path in sorted(folder.glob("*.scbkv")):
        fd = file.open_to_read(path)
        try:
            headers.append(file.read_header(fd, path.stem.partition("-")[2], seal))
        finally:
            os.close(fd)
    prompts = {header.end: header.ids for header in headers if header.start == 0}
    for header in sorted(headers, key=lambda one: one.start):
        for parent in headers:
            if header.start and header.before in parent.links:
                kept = prompts[parent.end][: header.start]
                prompts[header.end] = (*kept, *header.ids)
    assert len(prompts) == len(headers), "a stored file goes on from no other"
    return list(prompts.values())


def _evidence(folder: Path) -> list[Path]:
    names = (RECORDS, COSTS, FACTS, AGREEMENT, EVIDENCE, PLAN, manifest.NAME, "equal-bytes.json")
    return [folder / name for name in names if (folder / name).is_file()]


def _differs(wanted: Seen, seen: Seen, name: str) -> bool:
    return bool(wanted.values[name] != seen.values.get(name))


def _play(folder: Path, **more: Any) -> Path:
    settings = api.settle({**GRID, **more, "out": str(folder)})
    run(settings, [api.load(settings, "toy")], quiet=True)
    return folder
