"""The program `scbench` in a process of its own, without its seconds of imports: a fork that has
them.

The parent plays nothing and draws nothing, so no thread of torch or polars is lost at the fork.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

LONGEST_S = 120.0


def warm(methods: str) -> None:
    """Import all that a run needs, and digest our code for these methods, which takes seconds."""
    import polars  # noqa: F401

    import scbench.cli
    import scbench.engines.toy
    import scbench.grid.runner
    import scbench.report
    from scbench.grid.identity import cost_code, method_facts, scoring_digest
    from scbench.methods import parse

    engine = scbench.engines.toy.ToyEngine()
    cost_code(engine)
    scoring_digest()
    for method in methods.split(","):
        method_facts(parse(method))


def start(words: Sequence[str], log: Path, before: Callable[[], None] | None = None) -> int:
    """Begin `scbench WORDS`; returns the process number. What it prints goes to `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        _own_output(log)
        code = _main(words, before)
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for the end: its status, or minus the signal. One that hangs is killed: -9."""
    until = time.monotonic() + LONGEST_S
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            until += LONGEST_S
        time.sleep(0.002)


def _own_output(log: Path) -> None:
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8")


def _main(words: Sequence[str], before: Callable[[], None] | None) -> int:
    from scbench import cli

    # Charts take half of the time, and drawing them writes nothing.
    _draw_nothing()
    sys.argv = ["scbench", *words]
    try:
        if before is not None:
            before()
        cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _draw_nothing() -> None:
    from scbench.report.drawing import SWITCH

    os.environ[SWITCH] = "off"
