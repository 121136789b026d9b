"""Where a model lies. Every name becomes a folder on this machine; only here is a network asked.

A name is, in this order: one of the package's own, a folder, a GGUF file, a short name, a name on
the hub. A hub name is looked up in the hub's cache first; what the cache has is never asked of the
network.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scbench.engines.fetched import FETCHED
from scbench.engines.gguf import gguf_folder, is_gguf
from scbench.engines.lab_models import LAB_MODELS, lab_folder
from scbench.engines.models import LLMS
from scbench.engines.smollm2 import SMOLLM2, smollm2_folder
from scbench.errors import BadRecord, Unknown
from scbench.reading import read_json_file

OWN_FILES = (SMOLLM2, *FETCHED)  # their weights come from one place only
SHORT = {llm.name: llm.hub for llm in LLMS if llm.name not in OWN_FILES}  # short name -> hub name
CONFIG, INDEX, SINGLE = "config.json", "model.safetensors.index.json", "model.safetensors"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tiktoken.model")
SMALL_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")  # all but weights and code
TOY = "toy"  # an engine without a model (engines/toy.py)
NEAR = 0.75  # of difflib: 'lab-transformr' is 0.97 from 'lab-transformer'
_HUB_NAME = re.compile(r"(?=.{1,96}$)[\w.-]+(/[\w.-]+)?", re.ASCII)  # as the hub allows


@dataclass(frozen=True, slots=True)
class Place:
    """A model's folder. `hub` is its name on the hub where that is how it was found, else ""."""

    name: str  # as records show it
    folder: Path
    hub: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    weights: bool
    tokenizer: bool
    code: bool


def locate(name: str, *, weights: bool = True, tokenizer: bool = True, code: bool = False) -> Place:
    """The folder of a model; `weights`, `tokenizer` and `code` are made to lie there where asked.

    Raises Unknown for a name that leads nowhere, with the nearest local ones, and for a piece that
    is neither in the hub's cache nor to be had; MissingExtra for SmolLM2 without its package.
    """
    if not name.strip():
        raise Unknown(f"a model has a name, {name!r} is none; {_allowed()}")
    known = canonical(name)
    if known == SMOLLM2:
        return Place(known, smollm2_folder())
    if known in FETCHED:
        return Place(known, FETCHED[known].folder)
    if known in LAB_MODELS:
        return Place(known, lab_folder(known))
    hub = SHORT.get(known, known)
    folder = Path(hub).expanduser()
    if _is_dir(folder):
        return Place(known, folder)
    if is_gguf(folder):
        return Place(known, gguf_folder(folder))
    if known not in SHORT and not is_here(name):
        _refuse_local_slip(name, hub)
    wanted = _Wanted(weights, tokenizer, code)
    return Place(known, _from_hub(name, hub, wanted), hub)


def is_here(name: str) -> bool:
    """Whether the configuration of this model lies on this machine already."""
    known = canonical(name)
    if known == SMOLLM2 or known in LAB_MODELS:
        return True
    if known in FETCHED:
        return FETCHED[known].path.is_file()
    hub = SHORT.get(known, known)
    folder = Path(hub).expanduser()
    if is_gguf(folder):
        return True
    found = folder if _is_dir(folder) else cached_folder(hub)
    return found is not None and (found / CONFIG).is_file()


def canonical(name: str) -> str:
    """A name of the package's own in its own spelling; any other as it is."""
    if name not in (*LAB_MODELS, SMOLLM2) and _is_dir(Path(name).expanduser()):
        return name
    own = {known.casefold(): known for known in (*_own_names(), TOY)}
    return own.get(name.strip().casefold(), name)


def nearest(name: str) -> list[str]:
    """Models on this machine whose names look like `name`: ours, and folders beside it."""
    candidates = {known.casefold(): known for known in (*_own_names(), TOY)}
    path = Path(name).expanduser()
    candidates |= {
        found.name.casefold(): _as_typed(path, found) for found in _models_in(path.parent)
    }
    asked = path.name.casefold() or name.casefold()
    close = difflib.get_close_matches(asked, candidates, n=3, cutoff=NEAR)
    return [candidates[match] for match in close]


def _own_names() -> tuple[str, ...]:
    return (SMOLLM2, *FETCHED, *LAB_MODELS, *SHORT)


def _as_typed(path: Path, found: Path) -> str:
    return str(found) if path.is_absolute() or str(path.parent) != "." else f"./{found.name}"


def _models_in(folder: Path) -> Iterator[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        if (child / CONFIG).is_file():
            yield child


# -- what is meant to be local ---------------------------------------------------------------


def _refuse_local_slip(name: str, hub: str) -> None:
    """Raise Unknown for a name that means a folder, or one of ours, and is written wrongly."""
    near = nearest(name)
    is_path = _is_path(name)
    is_near = bool(near) and ("/" not in hub or _is_dir(Path(name).parent))
    if not is_path and not is_near and _HUB_NAME.fullmatch(hub):
        return
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    path = Path(name).expanduser()
    what = f"there is no folder {name!r}" if is_path else f"no model is called {name!r}"
    if is_path and path.is_file():
        what = f"{name!r} is a file, and a model is a folder, or a file that ends in .gguf"
    comma = "a path with a comma stands in quotes, or " if is_path else ""
    raise Unknown(f"{what}; {hint}{comma}{_allowed()}")


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have, for instance too long
        return False


def _is_path(name: str) -> bool:
    written_so = name.startswith((".", "/", "~", "\\")) or "\\" in name or name.endswith("/")
    if written_so or name.count("/") > 1:
        return True
    try:
        return Path(name).expanduser().exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _allowed() -> str:
    return (
        "give a folder with a transformers checkpoint, a hub name, or one of "
        f"{', '.join(_own_names())}"
    )


# -- the hub ---------------------------------------------------------------------------------


def _from_hub(name: str, hub: str, wanted: _Wanted) -> Path:
    """The snapshot of a hub model, whole: from the cache, else from the network."""
    folder = cached_folder(hub)
    lacking = _lacking(folder, wanted)
    if not lacking and folder is not None:
        return folder
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise _not_cached(name, hub, folder, lacking, "the hub is switched off (HF_HUB_OFFLINE)")
    print(f"scbench: asking the hub for {hub} ({lacking[0]} is not in the cache)", file=sys.stderr)
    try:
        folder = _fetch(hub, weights=wanted.weights, code=wanted.code)
    except KeyboardInterrupt:
        raise
    except Exception as err:
        from scbench.engines.foreign import reason

        raise _not_cached(
            name, hub, folder, lacking, f"the hub did not give it: {reason(err)}"
        ) from err
    lacking = _lacking(folder, wanted)
    if lacking or folder is None:
        raise _not_cached(name, hub, folder, lacking, "the hub does not have it either")
    return folder


def _not_cached(name: str, hub: str, folder: Path | None, lacking: list[str], why: str) -> Unknown:
    what = (
        f"{hub} is not in the hub's cache on this machine"
        if folder is None
        else (
            f"the hub's cache of {hub} ({folder}) lacks {', '.join(lacking[:3])}"
            + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        )
    )
    near = nearest(name)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return Unknown(
        f"the model {name!r} is not here: {what}, and {why}. {hint}"
        f"Run `hf download {hub}` where there is a network, or {_allowed()}"
    )


def cached_folder(hub: str) -> Path | None:
    """The snapshot in the hub's cache that the name's main revision points to; no network."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{hub.replace('/', '--')}"
    try:
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    folder = repository / "snapshots" / commit
    return folder if re.fullmatch(r"[0-9a-f]+", commit) and _is_dir(folder) else None


def _lacking(folder: Path | None, wanted: _Wanted) -> list[str]:
    """What of a model is not in a snapshot; a link to a blob that is gone counts as missing."""
    if folder is None:
        return [CONFIG]
    lacking = [] if (folder / CONFIG).is_file() else [CONFIG]
    if wanted.tokenizer and not any((folder / piece).is_file() for piece in TOKENIZERS):
        lacking.append(TOKENIZERS[0])
    if wanted.code:
        lacking += [piece for piece in _code_names(folder) if not (folder / piece).is_file()]
    if wanted.weights:
        lacking += [piece for piece in _weight_names(folder) if not (folder / piece).is_file()]
    return lacking


def _weight_names(folder: Path) -> Iterable[str]:
    if (folder / SINGLE).is_file() or not (folder / INDEX).is_file():
        return [SINGLE]
    try:
        shards = read_json_file(folder / INDEX, lenient=True)["weight_map"].values()
        return sorted({str(shard) for shard in shards})
    except (OSError, KeyError, TypeError, AttributeError, BadRecord):
        return []  # `weights.check_files` names what is wrong with it


def _code_names(folder: Path) -> list[str]:
    """The files of a model's own code; what it takes from other models is not among them."""
    try:
        named = read_json_file(folder / CONFIG, lenient=True).get("auto_map") or {}
        classes = [str(one) for one in named.values()]
    except (OSError, AttributeError, BadRecord):
        return []  # whoever reads the file in earnest says what is wrong with it
    return sorted({f"{one.split('.')[0]}.py" for one in classes if "--" not in one})


def _fetch(hub: str, *, weights: bool, code: bool) -> Path:
    from huggingface_hub import snapshot_download

    small = [*SMALL_FILES, *(["*.py"] if code else [])]
    folder = Path(snapshot_download(hub, allow_patterns=small, ignore_patterns=["*/*"]))
    if not weights:
        return folder
    if not (folder / INDEX).is_file():
        return Path(snapshot_download(hub, allow_patterns=[SINGLE]))
    return Path(snapshot_download(hub, allow_patterns=list(_weight_names(folder))))
