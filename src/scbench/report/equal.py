"""What `--equal-bytes` asked for and left out, as facts of a report; from the run's manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scbench.report.again import newest_of

WHEN = {"context": "right after the context", "end": "at the session's end"}
LEFT_OUT = re.compile(
    r"^(?:(?P<model>.+?): )?equal (?:loaded )?bytes at .+?: (?P<method>.+) is left out: "
)


def equal_facts(manifest: Mapping[str, object]) -> list[tuple[str, str]]:
    """The share and the moment that methods were fitted to, and those that could not be.

    >>> equal_facts({"runs": [{"settings": {"equal_bytes": "1/8", "equal_at": "end"}}]})
    [('Equal bytes', "--equal-bytes 1/8 --equal-at end: of what dense holds at the session's end")]
    """
    newest = newest_of(manifest)
    settings, gaps = newest.get("settings"), newest.get("gaps")
    if not isinstance(settings, Mapping):
        return []
    if loaded := settings.get("equal_loaded"):
        option = "--equal-loaded"
        told = [("Equal bytes", f"{option} {loaded}: of what dense loads in a decode step")]
    elif held := settings.get("equal_bytes"):
        option, moment = "--equal-bytes", str(settings.get("equal_at") or "context")
        words = (
            f"{option} {held} --equal-at {moment}: of what dense holds {WHEN.get(moment, moment)}"
        )
        told = [("Equal bytes", words)]
    else:
        return []
    lines = [str(gap) for gap in gaps] if isinstance(gaps, list) else []
    reasons = dict.fromkeys(
        LEFT_OUT.sub(r"\g<method>: ", one) for one in lines if LEFT_OUT.match(one)
    )
    return told + ([(f"Left out by {option}", "; ".join(reasons))] if reasons else [])
