"""Reading code that might end the program that reads it: within limits, in a process of its own.

A parser written in C dies of texts that no model should give but some do: deep nesting, megabytes
of one sign. Code that is short and shallow is parsed here, quickly. The rest goes to a child, which
may take its time or die; then the answer has no score, and the reason is named.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from scbench.errors import BadRecord
from scbench.reading import read_json
from scbench.scoring import functions

MOST_CHARS = 1 << 16  # of code in one answer; the longest that a task allows has some 8,000
_TAME_CHARS = 1 << 14
_TAME_DEPTH = 200  # of brackets; a function has some ten
# Of a child's own time, so that a busy machine scores as an idle one; a tame answer takes a
# hundredth of it. Wall-clock time ends only a child that hangs.
_MOST_CPU_S = 1.5
_MOST_WALL_S = 60.0
_MOST_BYTES = 1 << 30  # of a child's memory
_DEPTHS = {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}
_CHILD = "import sys; from scbench.scoring.alone import main; sys.exit(main())"


class CannotParse(ValueError):
    """The code of an answer is beyond the limits, or no parser came back from it."""


def first_published(blocks: Sequence[str], lang: str) -> list[str | None]:
    """`functions.first_published` of each block. Raises CannotParse, NoParser."""
    return _read("first_published", blocks, lang)


def outermost(blocks: Sequence[str], lang: str) -> list[list[str]]:
    """`functions.outermost` of each block. Raises CannotParse, NoParser."""
    return _read("outermost", blocks, lang)


def _read(what: str, blocks: Sequence[str], lang: str) -> list[Any]:
    functions.check_for(what, lang)
    count = sum(map(len, blocks))
    if count > MOST_CHARS:
        raise CannotParse(
            f"the answer holds {count:,} characters of code; at most {MOST_CHARS:,} are parsed"
        )
    if count <= _TAME_CHARS and all(map(_is_shallow, blocks)):
        return [getattr(functions, what)(block, lang) for block in blocks]
    return _in_a_child(what, blocks, lang)


def _is_shallow(block: str) -> bool:
    depth = 0
    for sign in block:
        depth += _DEPTHS.get(sign, 0)
        if depth > _TAME_DEPTH:
            return False
    return True


def _in_a_child(what: str, blocks: Sequence[str], lang: str) -> list[Any]:
    asked = json.dumps([what, list(blocks), lang]).encode()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _CHILD]
    try:
        done = subprocess.run(
            command,
            input=asked,
            capture_output=True,
            timeout=_MOST_WALL_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotParse(f"the parser of {lang} took more than {_MOST_WALL_S} s") from None
    if done.returncode == -getattr(signal, "SIGPROF", 0) != 0:
        raise CannotParse(f"the parser of {lang} took more than {_MOST_CPU_S} s of its own time")
    if done.returncode != 0:
        raise CannotParse(f"the parser of {lang} ended with status {done.returncode}")
    try:
        found: list[Any] = read_json(done.stdout, "the parser's answer", lenient=True)
    except BadRecord as err:
        raise CannotParse(str(err)) from err
    return found


def main() -> int:
    """The child: blocks from the standard input, their functions to the standard output."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # not to be had here; the limit of time stays
    what, blocks, lang = read_json(sys.stdin.buffer.read(), "a parser's task", lenient=True)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, _MOST_CPU_S)
    found = [getattr(functions, what)(block, lang) for block in blocks]
    sys.stdout.write(json.dumps(found))
    return 0
