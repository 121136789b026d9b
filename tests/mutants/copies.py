"""A copy of the package with one line changed, and who notices."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from mutants.mutant import Mutant

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "src" / "scbench"
DOCTOR_LIMIT_S = 300  # a fault may make a loop endless
TESTS_LIMIT_S = 900
MARKS = ("not gpu and not slow and not soak and not network", "slow and not gpu and not network")
UNCLEAR = "unclear:"  # what a witness says that could not do its work
# What a fault changes is looked for on grouped heads first: most are seen there.
KINDS = ("gqa", "mqa", "mha")


@dataclass(frozen=True, slots=True)
class Sighting:
    """Whether one witness, `doctor` or `tests`, noticed a fault, and by what."""

    is_seen: bool
    words: str
    seconds: float


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path]:
    """A folder with the package as `mutant` has it. Files that stay are links: nobody writes them.

    The changed file is a new one, so that the tree itself keeps its own.
    """
    with tempfile.TemporaryDirectory(prefix="scbench-mutant-") as name:
        folder = Path(name) / "src"
        for path in sorted(PACKAGE.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                place = folder / path.relative_to(PACKAGE.parent)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(path)
        file = folder / "scbench" / mutant.file
        text = file.read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, f"{mutant.name!r} cannot be planted in {mutant.file}"
        file.unlink()
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        yield folder


def by_doctor(mutant: Mutant) -> Sighting:
    """The first promise, or law, that is broken with this fault, as `scbench doctor` plays them."""
    began = time.monotonic()
    with planted(mutant) as folder:
        words = _apart(_examined, folder, mutant.method, limit_s=DOCTOR_LIMIT_S)
    return _sighting(words, began)


def _examined(folder: Path, method: str) -> str:
    """What is broken first, or "" """
    from scbench.engines.tiny import tiny
    from scbench.exam.laws import verdicts
    from scbench.methods import parse

    try:
        for kind in KINDS:
            for law, verdict in verdicts(tiny(kind), parse(method)):
                if verdict.startswith("broken"):
                    return f"{law} ({kind}): {verdict.partition(': ')[2]}"
    except Exception as error:  # a model or a method that cannot even be made is no secret
        return f"raises {type(error).__name__}: {error}"
    return ""


def by_tests(mutant: Mutant) -> Sighting:
    """What the method's own tests say, those of every save first; and where these are green, the
    tests of the laws for its forms."""
    began = time.monotonic()
    own = [str(TESTS / name) for name in mutant.tests]
    laws = [str(TESTS / "laws" / "test_laws.py"), "-k", f"gqa and {mutant.place}"]
    words = ""
    with planted(mutant) as folder:
        for asked in (own, laws):
            for marks in MARKS:
                words = words or _apart(_tested, folder, marks, *asked, limit_s=TESTS_LIMIT_S)
    return _sighting(words, began)


def _sighting(words: str, began: float) -> Sighting:
    """Nothing counts as seen because the witness itself came to grief."""
    if words.startswith(UNCLEAR):
        raise RuntimeError(words)
    return Sighting(bool(words), words, time.monotonic() - began)


def _tested(folder: Path, marks: str, *files: str) -> str:
    """The first test that fails, or "" """
    import pytest

    log = folder.parent / "log"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with log.open("w", encoding="utf-8") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        status = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", marks, *files])
    if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    said = log.read_text(encoding="utf-8").splitlines()
    failed = [line for line in said if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else f"{UNCLEAR} pytest ended with {status}: {said[-3:]}"


def _apart(work: Callable[..., str], folder: Path, *words: str, limit_s: int) -> str:
    """What `work` says over the changed package, in a process of its own.

    That is a fork of this one, which has torch and no part of the package: to import them takes
    longer than to examine most methods. What is raised there, or does not end, is said.
    """
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    assert LlamaForCausalLM is not None
    assert not [name for name in sys.modules if name.partition(".")[0] == "scbench"]
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe(duplex=False)
    process = forked.Process(target=_at_work, args=(work, folder, words, there))
    process.start()
    there.close()  # the child's end alone is left: it is closed where native code dies
    try:
        said: str = here.recv() if here.poll(limit_s) else f"nothing came in {limit_s} s"
    except EOFError:
        said = "its process died without a word"
    process.kill()
    process.join()
    return said


def _at_work(
    work: Callable[..., str], folder: Path, words: tuple[str, ...], there: Connection
) -> None:
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(TESTS)])
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    os.chdir(TESTS.parent)
    try:
        there.send(work(folder, *words))
    except BaseException as error:
        there.send(f"{UNCLEAR} raises {type(error).__name__}: {error}"[:200])


WITNESSES = {"doctor": by_doctor, "tests": by_tests}


def key(mutant: Mutant, witness: str) -> str:
    """Names a sighting: it holds as long as the fault, the code and its witness are the same."""
    seal = hashlib.sha256(repr((mutant, witness)).encode())
    looking = ("laws/test_laws.py", "laws/methods.py", *mutant.tests) if witness == "tests" else ()
    for path in (*sorted(PACKAGE.rglob("*.py")), *(TESTS / name for name in looking)):
        seal.update(path.read_bytes())
    return seal.hexdigest()[:24]
