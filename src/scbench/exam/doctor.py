"""`scbench doctor METHOD`: the laws on tiny random models with MHA, GQA and MQA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig
from scbench.exam.laws import examine
from scbench.methods import parse
from scbench.methods.method import Method

KINDS = ("mha", "gqa", "mqa")


@dataclass(frozen=True, slots=True)
class LawFinding:
    """One law on one model. `verdict` is holds, idle or broken; `why` has the numbers or the
    reason.
    """

    law: str
    model: str
    verdict: str
    why: str


def doctor(spelling: str, *, kinds: Sequence[str] = KINDS) -> tuple[Method, list[LawFinding]]:
    """Examine a method; raises what `parse` raises if it cannot be built."""
    method = parse(spelling)
    if method.is_foreign:
        raise BadConfig(
            f"{method} is an object of its own, and no law can look into its cache; run it beside "
            "dense, and compare their answers"
        )
    findings = []
    for kind in kinds:
        for statement, found in examine(tiny(kind), method).items():
            verdict, _, why = found.partition(": ")
            findings.append(LawFinding(statement, kind, verdict, why))
    return method, findings
