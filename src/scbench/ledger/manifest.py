"""Where the numbers of a run folder came from: `manifest.json`, rewritten whole, with one entry for
every start of a command on it.

Packages are asked for their versions without being imported; secrets on the command line are left
out.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import scbench
from scbench.errors import BadRecord
from scbench.files import sealed, unsealed, write_atomically
from scbench.ledger.cells import canonical_json
from scbench.reading import read_json

NAME = "manifest.json"
FORMAT = 2  # 1 had no id and no checksum
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "triton",
    "numpy",
    "msgspec",
    "tree-sitter",
    "openai",
)
_SECRET = re.compile(
    r"(^|[-_])(api[-_]?key|key|token|secret|password|passwd|authorization)$", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_HIDDEN = "(left out)"


def manifest(
    settings: object,
    *,
    given: Collection[str] = (),
    argv: Sequence[str] | None = None,
) -> dict[str, Any]:
    """One entry: the command, its settings, and all that surrounds them, at its start.

    `settings` is a dataclass or a mapping; `given` names those that the user passed, the others are
    listed as `defaults`. Models join when they are loaded (`add_model`).
    """
    plain = _plain(settings)
    words = hide_secrets(sys.argv if argv is None else argv)
    return {
        "argv": words,
        "command": shlex.join(["scbench", *words[1:]]),
        "settings": _hide_values(plain),
        "defaults": sorted(plain.keys() - set(given)),
        "models": [],
        "code": {"scbench": scbench.__version__, "revision": revision()},
        "versions": versions(),
        "host": host(),
        "started": _now(),
        "ended": None,  # stays so if the process is killed
        "outcome": None,
    }


def begin(folder: str | Path, entry: Mapping[str, Any]) -> int:
    """Add `entry` to the folder's manifest; returns its index, for `end`.

    A folder's first entry gives the run its id. The caller holds the folder's Lock. Raises
    BadRecord, CannotWrite.
    """
    path = Path(folder) / NAME
    held = read(folder) if path.exists() else {"runs": []}
    held.setdefault("id", f"{_now()[:10]}-{secrets.token_hex(4)}")
    held["runs"].append(dict(entry))
    _write(path, held)
    return len(held["runs"]) - 1


def add_model(folder: str | Path, index: int, model: object, **facts: object) -> None:
    """Note that the run has loaded a model, a dataclass or a mapping, with any other facts."""
    held = read(folder)
    held["runs"][index]["models"].append(_hide_values({**_plain(model), **_plain(facts)}))
    _write(Path(folder) / NAME, held)


def end(folder: str | Path, index: int, outcome: str, **facts: object) -> None:
    """Note when and how an entry ended ("complete", "interrupted", "failed"), with any facts."""
    held = read(folder)
    held["runs"][index] |= {"ended": _now(), "outcome": outcome, **_plain(facts)}
    _write(Path(folder) / NAME, held)


def read(folder: str | Path) -> dict[str, Any]:
    """The manifest of a run folder: `{"format": 2, "id": ..., "runs": [entry, ...]}`, oldest
    first. Raises BadRecord if it is missing or damaged."""
    path = Path(folder) / NAME
    where = repr(str(path))
    try:
        text, has_crc = unsealed(path.read_bytes(), where)
        held = read_json(text, where)
        written = held["format"]
        is_whole = (written == FORMAT) is has_crc and all(
            isinstance(entry, dict) for entry in held["runs"]
        )
    except (OSError, ValueError, TypeError, KeyError, BadRecord) as err:
        raise BadRecord(
            f"{where} is not a manifest ({err}); move it away, the records do not need it"
        ) from err
    if written not in (1, FORMAT):
        raise BadRecord(
            f"{where} has format {written!r}, this version reads 1 and {FORMAT}; use the scbench "
            "that wrote it"
        )
    if not is_whole:
        raise BadRecord(f"{where} is damaged; move it away, the records do not need it")
    return dict(held)


def versions() -> dict[str, str]:
    """Python, and the installed packages that a number may depend on. Nothing is imported."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def revision() -> dict[str, Any] | None:
    """`{"commit": ..., "is_changed": ...}` of the git checkout that holds this code; None for an
    installed package.
    """
    here = Path(scbench.__file__).resolve()
    # an installed package may lie inside a checkout of something else: ask whether git knows this
    # very file
    if (
        _git(here.parent, "ls-files", "--error-unmatch", here.name) is None
        or (commit := _git(here.parent, "rev-parse", "HEAD")) is None
    ):
        return None
    return {
        "commit": commit,
        "is_changed": bool(_git(here.parent, "status", "--porcelain", "--untracked-files=no", ".")),
    }


def host() -> dict[str, Any]:
    """CPU, cores, memory in bytes, threads and accelerators. None means not known: accelerators,
    before torch is imported.
    """
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "threads": None if (torch := sys.modules.get("torch")) is None else torch.get_num_threads(),
        "accelerators": _accelerators(),
    }


def hide_secrets(argv: Sequence[str]) -> list[str]:
    """The words of a command without the values of options such as --api-key, and without logins
    inside URLs.
    """
    shown: list[str] = []
    hide_next = False
    for word in argv:
        option, equals, _ = word.partition("=")
        is_secret = word.startswith("-") and _SECRET.search(option.lstrip("-")) is not None
        if hide_next and not word.startswith("--"):
            shown.append(_HIDDEN)
        elif is_secret and equals:
            shown.append(f"{option}={_HIDDEN}")
        else:
            shown.append(_LOGIN.sub("", word))
        hide_next = is_secret and not equals
    return shown


def _hide_values(value: Any, name: str = "") -> Any:
    if _SECRET.search(name) and isinstance(value, str) and value:
        return _HIDDEN
    if isinstance(value, dict):
        return {key: _hide_values(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide_values(item) for item in value]
    return _LOGIN.sub("", value) if isinstance(value, str) else value


def _plain(value: object) -> dict[str, Any]:
    if is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    assert isinstance(value, Mapping), (
        f"settings and model facts are dataclasses or mappings, not {type(value).__name__}"
    )
    return {str(key): json.loads(canonical_json(_spelled(item))) for key, item in value.items()}


def _spelled(value: object) -> object:
    """Paths as text; the rest as it is."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    return (
        {key: _spelled(item) for key, item in value.items()}
        if isinstance(value, Mapping)
        else value
    )


def _write(path: Path, held: Mapping[str, Any]) -> None:
    whole = {**held, "format": FORMAT}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, sealed(text.encode(errors="backslashreplace")) + b"\n")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _git(folder: Path, *words: str) -> str | None:
    try:
        got = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a path is what it is, whatever the console's code page
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return got.stdout.strip()


def _cpu_model() -> str | None:
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or None
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", info, re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or None


def _memory_bytes() -> int | None:
    """Installed memory, or the container's limit where that is lower."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit in (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ):
        try:
            return min(installed, int(limit.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return installed


def _accelerators() -> list[dict[str, Any]] | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if not torch.cuda.is_available():
        return []
    cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        {"name": card.name, "memory_bytes": card.total_memory, "cuda": torch.version.cuda}
        for card in cards
    ]
