"""A copy of the package with one line changed, and who notices."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
    """The first law, or promise, that is broken with this fault, as `scbench doctor` plays them.

    Each fault has a process of its own. It is a fork of this one, which has torch and no part of
    the package: to import them takes longer than to examine most methods.
    """
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    assert LlamaForCausalLM is not None
    assert not [name for name in sys.modules if name.partition(".")[0] == "scbench"]
    began = time.monotonic()
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe(duplex=False)
    with planted(mutant) as folder:
        process = forked.Process(target=_examined, args=(folder, mutant.method, there))
        process.start()
        is_heard = here.poll(DOCTOR_LIMIT_S)
        words = here.recv() if is_heard else f"nothing came in {DOCTOR_LIMIT_S} s"
        process.kill()
        process.join()
    return Sighting(bool(words), words, time.monotonic() - began)


def _examined(folder: Path, method: str, there: Connection) -> None:
    """In a process of its own: what is broken first, or "" """
    sys.path.insert(0, str(folder))
    os.chdir(TESTS.parent)
    try:
        from scbench.engines.tiny import tiny
        from scbench.exam.laws import verdicts
        from scbench.methods import parse

        for kind in KINDS:
            for law, verdict in verdicts(tiny(kind), parse(method)):
                if verdict.startswith("broken"):
                    there.send(f"{law} ({kind}): {verdict.partition(': ')[2]}")
                    return
    except Exception as error:
        there.send(f"raises: {type(error).__name__}: {error}"[:200])
        return
    there.send("")


def by_tests(mutant: Mutant) -> Sighting:
    """What the method's own tests say: those of every save, and where these are green the rest."""
    began = time.monotonic()
    files = [str(TESTS / name) for name in mutant.tests]
    with planted(mutant) as folder:
        for marks in MARKS:
            words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
            status, out, err = _run([*words, "-m", marks, *files], folder, TESTS_LIMIT_S)
            if status not in (0, 5):  # 5: no test has these marks
                failed = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]
                said = failed[0] if failed else _last_line(out + err)
                return Sighting(True, said, time.monotonic() - began)
    return Sighting(False, "", time.monotonic() - began)


WITNESSES = {"doctor": by_doctor, "tests": by_tests}


def key(mutant: Mutant, witness: str) -> str:
    """Names a sighting: it holds as long as the fault, the code and its witness are the same."""
    seal = hashlib.sha256(repr((mutant, witness)).encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        if witness == "doctor" or "exam" not in path.relative_to(PACKAGE).parts:
            seal.update(path.read_bytes())
    for name in mutant.tests if witness == "tests" else ():
        seal.update((TESTS / name).read_bytes())
    return seal.hexdigest()[:24]


def _run(command: list[str], folder: Path, limit_s: int) -> tuple[int, str, str]:
    place = os.pathsep.join([str(folder), str(TESTS)])
    quiet = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **quiet, "PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=TESTS.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"nothing came in {limit_s} s"
    return done.returncode, done.stdout, done.stderr


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it ended without a word"
