"""How a run is played again, and its manifest for people to read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import PurePath

SETTINGS = "run.toml"  # beside the manifest in a run's folder


def commands(manifest: Mapping[str, object]) -> list[tuple[str, str]]:
    """(what it does, command): by the run's settings file, and the newest command as it was given.

    Folders from before there was a settings file have the words of the command alone.
    """
    newest = newest_of(manifest)
    given, words = newest.get("command"), newest.get("argv")
    if given:
        settings = newest.get("settings")
        folder = str(settings.get("out") or ".") if isinstance(settings, Mapping) else "."
        file = str(PurePath(folder) / SETTINGS)
        again = shlex.join(["scbench", "run", "--config", file, "--out", folder])
        return [
            ("Again, or on, from the settings that the run's folder holds", again),
            ("The newest command, as it was given", str(given)),
        ]
    if isinstance(words, list) and words:
        command = shlex.join(["scbench", *(str(word) for word in words[1:])])
        return [("The newest command, as it was given", command)]
    return []


def readable(manifest: Mapping[str, object]) -> str:
    """The manifest as JSON."""
    return json.dumps(manifest, indent=2, ensure_ascii=False, default=str)


def newest_of(manifest: Mapping[str, object]) -> Mapping[str, object]:
    """What the manifest says of the newest command."""
    runs = manifest.get("runs")
    found = runs[-1] if isinstance(runs, list) and runs else {}
    return found if isinstance(found, Mapping) else {}
