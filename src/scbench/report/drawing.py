"""Pictures of charts, drawn in a child process: what ends that one ends no report.

The engine that draws (V8, inside vl-convert) cannot be stopped by an exception: a limit of memory
or an odd sign ends its process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

SWITCH = "SCBENCH_CHARTS"
LEFT_OUT = f"charts are left out ({SWITCH}=off)"
PNG = "png"  # a specification under this name is drawn in points, and told in base64
VEGA = "vega"  # a specification under this name is Vega's, not Vega-Lite's
CHILD = """
import base64, json, sys
import vl_convert
for line in sys.stdin:
    spec = json.loads(line)
    try:
        if spec is None:
            text = vl_convert.javascript_bundle()
        elif "vega" in spec:
            text = vl_convert.vega_to_svg(spec["vega"])
        elif "png" in spec:
            text = base64.b64encode(vl_convert.vegalite_to_png(spec["png"], scale=2)).decode()
        else:
            text = vl_convert.vegalite_to_svg(spec)
        print(json.dumps({"text": text}), flush=True)
    except Exception as err:
        print(json.dumps({"why": f"{type(err).__name__}: {err}"[:500]}), flush=True)
"""
START_S, EACH_S = 60.0, 20.0  # a child is given this long, and this for each picture
MOST_BARREN = 2  # children in a row that end before their first picture: then no more are started
_MADE: list[str] = []  # the bundle, once it could be made
Spec: TypeAlias = Mapping[str, Any]  # Vega-Lite


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """An SVG or a script; or why there is none."""

    text: str = ""
    why: str = ""


def is_off() -> bool:
    """Whether nobody wants charts."""
    return os.environ.get(SWITCH) == "off"


def drawings(specs: Sequence[Spec | None]) -> list[Drawing]:
    """One for each specification, in order; None asks for the script that makes charts live,
    `{PNG: specification}` for points in place of an SVG, `{VEGA: specification}` is Vega's own.

    With SCBENCH_CHARTS=off in the environment none is made: where no process may be started, or
    where nobody looks.
    """
    if is_off():
        return [Drawing(why=LEFT_OUT)] * len(specs)
    done: list[Drawing] = []
    barren = 0
    while len(done) < len(specs):
        drawn, why = _of_one_child(specs[len(done) :])
        done += drawn
        barren = 0 if drawn else barren + 1
        if len(done) < len(specs):
            lost = len(specs) - len(done) if barren == MOST_BARREN else 1
            done += [Drawing(why=why)] * lost
    return done


def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (0.9 MB) that defines window.vegaEmbed.

    Empty if it cannot be made here; it is then tried anew the next time.
    """
    if is_off():
        return ""
    if not _MADE:
        _MADE.extend(filter(None, [drawings([None])[0].text]))
    return next(iter(_MADE), "")


def _of_one_child(specs: Sequence[Spec | None]) -> tuple[list[Drawing], str]:
    """What a child drew before it ended, and how it ended."""
    lines = "".join(json.dumps(spec) + "\n" for spec in specs)
    words = [sys.executable, "-P", "-c", CHILD]
    try:
        ended = subprocess.run(
            words,
            input=lines.encode(),
            capture_output=True,
            timeout=START_S + EACH_S * len(specs),
            check=False,
        )
        written, why = ended.stdout, f"the process that draws ended {_how(ended.returncode)}"
    except subprocess.TimeoutExpired as err:
        written, why = err.stdout or b"", f"drawing took more than {err.timeout:.0f} s"
    except OSError as err:
        written, why = b"", f"no process that draws can be started: {err}"
    whole = written.decode(errors="replace").split("\n")[:-1]
    return [Drawing(**json.loads(line)) for line in whole], why


def _how(code: int) -> str:
    if code >= 0:
        return f"with code {code}"
    known = {int(one): one.name for one in signal.Signals}
    return f"by {known.get(-code, f'signal {-code}')}"
