"""A run and its folder: which run a folder holds, and whether a command may go on in it.

One folder holds one run. The same settings go on with it, `--extend` makes it larger, and
anything else is another run with a folder of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from scbench.errors import BadConfig
from scbench.grid.method_files import absolute, read_in
from scbench.grid.settings import (
    ASIDE,
    COUNTS,
    GROWING,
    OF_A_COMMAND,
    Settings,
    fixed_names,
    read_settings,
)
from scbench.grid.settings_file import NAME, plain, plain_value
from scbench.grid.words import known, typed_words
from scbench.ledger import manifest
from scbench.ledger.cells import digest

ROOM = Path("runs")  # where runs without a named folder lie
# By one of these a folder is known as ours; a crash may have left only the first few.
OURS = {
    ".lock",
    NAME,
    manifest.NAME,
    "records.jsonl",
    "facts.jsonl",
    "plan.json",
    "costs.jsonl",
    "agreement.jsonl",
    "evidence.jsonl",
}
HARMLESS = {".DS_Store", ".gitignore", ".gitkeep", "Thumbs.db"}


def own_folder(settings: Settings) -> Path:
    """The folder of a run that names none: the same settings find the same one again."""
    words = plain(settings)
    mark = digest(known_words(words))[:8]
    model = Path(settings.models[0]).name
    what = settings.tasks[0] if len(settings.tasks) == 1 else f"{len(settings.tasks)}-tasks"
    name = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in f"{model}-{what}")
    return ROOM / f"{name[:60]}-{mark}"


def earlier(folder: Path) -> list[dict[str, Any]]:
    """The settings of the commands that played into a folder, oldest first; none for a new one.

    Raises BadConfig for a folder that holds something else, BadRecord for a damaged manifest.
    """
    if (folder / manifest.NAME).exists():
        entries = manifest.read(folder)["runs"]
        held = [entry["settings"] for entry in entries if isinstance(entry.get("settings"), dict)]
        return [_read_here(folder, words) for words in held]
    refuse_foreign(folder)
    return []


def _read_here(folder: Path, words: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in a folder's manifest, with methods in files as the working folder writes them."""
    return (
        {**words, "methods": read_in(folder, words["methods"])} if "methods" in words else {**words}
    )


def refuse_foreign(folder: Path) -> None:
    """Raise BadConfig for a folder with files in it that no run of ours wrote, or with links."""
    if not folder.is_dir():
        return
    entries = list(folder.iterdir())
    links = sorted(path.name for path in entries if path.is_symlink())
    if links:
        raise BadConfig(
            f"{str(folder)!r} holds links ({', '.join(links[:3])}), and links are not followed; "
            "remove them, or name a new folder"
        )
    names = {path.name for path in entries} - HARMLESS
    if names and not names & OURS:
        some = ", ".join(sorted(names)[:3])
        raise BadConfig(
            f"{str(folder)!r} is no folder of a run: it holds {some}"
            f"{' and more' if len(names) > 3 else ''}; name a new folder or an empty one"
        )


def admitted(settings: Settings) -> Settings:
    """The settings to play in `settings.out`: as given in a new folder or one of the same run.

    Where the run was extended since, its larger settings, so that the same command goes on with
    all of it. Raises BadConfig for a folder of another run, with both ways out.
    """
    before = earlier(settings.out)
    if not before:
        return settings
    asked = _comparable(plain(settings))
    if any(not difference(_comparable(one), asked) for one in before):
        whole = typed_words(known(before[-1]))
        return replace(settings, **{name: whole[name] for name in GROWING if name in whole})
    told = "; ".join(difference(_comparable(before[-1]), asked))
    raise BadConfig(
        f"{str(settings.out)!r} holds another run ({told}). To add methods, tasks, lengths, models "
        f"or sessions to it: scbench run --extend {str(settings.out)!r} ...; for a run of its own, "
        "name another --out, or none"
    )


def _comparable(words: Mapping[str, Any]) -> dict[str, Any]:
    """`known_words`, with one way to write a method's file: its absolute path."""
    return known_words({**words, "methods": absolute(words.get("methods", ()))})


def known_words(words: Mapping[str, Any]) -> dict[str, Any]:
    """Of plain settings, those that say which run it is; the order of lists does not.

    A setting that an older run did not know was what is the default now.
    """
    unsaid = {field.name: plain_value(field.default) for field in fields(Settings)}
    chosen = {name: words.get(name, unsaid[name]) for name in (*GROWING, *fixed_names())}
    return {name: sorted(one) if isinstance(one, list) else one for name, one in chosen.items()}


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`sessions was 8 and is 16`, for every setting that differs."""
    return [_told(name, was[name], now[name]) for name in was if was[name] != now[name]]


def _told(name: str, was: Any, now: Any) -> str:
    if not isinstance(was, list) or not isinstance(now, list):
        return f"{name} was {_said(was)} and is {_said(now)}"
    gone, new = sorted(set(was) - set(now)), sorted(set(now) - set(was))
    words = [f"without {_some(gone)}"] * bool(gone) + [f"with {_some(new)} added"] * bool(new)
    return f"{name}: {' and '.join(words)}"


def _said(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _some(values: list[Any]) -> str:
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return ", ".join(map(str, values[:3])) + more


def extended(folder: Path, given: Mapping[str, Any]) -> Settings:
    """The run in `folder` with what `given` (typed settings) adds to it.

    Lists grow by what they lack, sessions and samples to a larger number. What a command says for
    itself alone (`OF_A_COMMAND`) is that of `given`: old records that one command kept are not
    kept by the next without a word. Raises BadConfig for any other difference, by name, and for a
    folder without a run.
    """
    before = earlier(folder)
    if not before:
        raise BadConfig(f"--extend {str(folder)!r}: there is no run in it; give the folder of one")
    newest = {name: value for name, value in before[-1].items() if name not in OF_A_COMMAND}
    base = dict.fromkeys(COUNTS, 1) | typed_words(known(newest))  # older runs lack the newer one
    changed = [name for name in fixed_names() if name in given and given[name] != base.get(name)]
    if changed:
        told = "; ".join(f"{name} was {base.get(name)} and is {given[name]}" for name in changed)
        raise BadConfig(
            "--extend can add methods, tasks, lengths, models, sessions and samples, and nothing "
            f"else ({told}); for another setting start a run of its own"
        )
    counts = {name: given.get(name, base[name]) for name in COUNTS}
    for name, count in counts.items():
        if count < base[name]:
            raise BadConfig(
                f"--extend: {name}={count}, and the run has {base[name]} already; give more"
            )
    lists = {
        name: tuple(dict.fromkeys((*base[name], *given.get(name, ()))))
        for name in GROWING
        if name not in COUNTS
    }
    aside = {name: given[name] for name in ASIDE if name in given}
    return read_settings({**base, **lists, **aside, **counts, "out": folder})
