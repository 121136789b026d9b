"""What is compared: our spelling, the press, and, where the two compute different things, the rule
that makes ours into theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

VOTING = "window_tokens=32,kernel=5,pooling=avg"  # literal: a bare name follows the rule of units
THEIRS = f"scorer=snapkv[{VOTING}],division=kvpress"
SHARES = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2))
ADAPTED = {  # what the adapter `kvpress` can score: press as we spell it -> its arguments
    "KnormPress": {},
    "KeyDiffPress": {},
    "SnapKVPress[window_size=32]": {"window_size": 32},
    "TOVAPress": {},
    "StreamingLLMPress[n_sink=6]": {"n_sink": 6},
    "LagKVPress[lag_size=50]": {"lag_size": 50},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison. `press` is {"class", "args"} and may hold another under "press"; `rule` names
    a function of rules.py, "" for none.
    """

    method: str
    setting: str
    ours: str
    press: dict[str, object]
    rule: str = ""
    shared_by_heads: bool = False  # one ranking for all heads of a layer
    eager: bool = False  # the press needs the weights of attention


def cases(tokens: int, share: Fraction, *, adapter: bool) -> list[Case]:
    """Everything compared at one budget of `tokens` tokens."""
    kept = int(share * tokens + Fraction(1, 2))
    budget, same = (
        f"budget_tokens={kept}",
        {"compression_ratio": 1 - (kept + 0.5) / tokens},
    )  # they take int(tokens * (1 - ratio))
    alike = [
        Case(
            method="knorm",
            setting="same settings",
            ours=f"knorm[{budget}]",
            press=press("KnormPress", same),
        ),
        Case(
            method="keydiff",
            setting="same settings",
            ours=f"keydiff[{budget}]",
            press=press("KeyDiffPress", same),
        ),
        Case(
            method="tova",
            setting="same settings",
            ours=f"tova[{budget}]",
            press=press("TOVAPress", same),
        ),
        Case(
            method="snapkv",
            setting="window 32, kernel 5",
            ours=f"snapkv[{VOTING},{budget}]",
            press=press("SnapKVPress", same, window_size=32),
        ),
        Case(
            method="snapkv",
            setting="window 16, kernel 7",
            ours=f"snapkv[window_tokens=16,kernel=7,pooling=avg,{budget}]",
            press=press("SnapKVPress", same, window_size=16, kernel_size=7),
        ),
        Case(
            method="streaming-llm",
            setting="4 sinks",
            ours=f"streaming-llm[sink_tokens=4,recent_tokens={kept - 4}]",
            press=press("StreamingLLMPress", same),
        ),
    ]
    found = [*alike, *shared(budget, same), *other_rules(tokens, share, budget, same)]
    if adapter:
        found += [
            Case(
                method="kvpress",
                setting=name,
                ours=f"kvpress[press={name},{budget}]",
                press=press(name.partition("[")[0], same, **args),
            )
            for name, args in ADAPTED.items()
        ]
    return found


def shared(budget: str, same: dict[str, float]) -> list[Case]:
    """Ada-KV: one ranking for the heads of a layer."""
    snapkv, knorm = press("SnapKVPress", same, window_size=32), press("KnormPress", same)
    return [
        Case(
            method="adakv",
            setting="over snapkv, alpha 0",
            ours=f"adakv[alpha=0,{THEIRS},{budget}]",
            press=press("AdaKVPress", {}, inner=snapkv, alpha_safeguard=0.0),
            shared_by_heads=True,
        ),
        Case(
            method="adakv",
            setting="over snapkv, alpha 0.2",
            ours=f"adakv[{THEIRS},{budget}]",
            press=press("AdaKVPress", {}, inner=snapkv),
            rule="safeguard",
            shared_by_heads=True,
        ),
        Case(
            method="adakv",
            setting="over snapkv, alpha 0.8",
            ours=f"adakv[alpha=0.8,{THEIRS},{budget}]",
            press=press("AdaKVPress", {}, inner=snapkv, alpha_safeguard=0.8),
            rule="safeguard",
            shared_by_heads=True,
        ),
        Case(
            method="adakv",
            setting="over knorm, alpha 0.2",
            ours=f"adakv[scorer=knorm,division=kvpress,{budget}]",
            press=press("AdaKVPress", {}, inner=knorm),
            shared_by_heads=True,
        ),
    ]


def other_rules(tokens: int, share: Fraction, budget: str, same: dict[str, float]) -> list[Case]:
    """Where the two compute different things, or differ in their defaults."""
    typed = {"compression_ratio": float(1 - share)}
    return [
        Case(
            method="knorm",
            setting=f"tau, ratio = 1 - tau ({tokens} tokens)",
            ours=f"knorm[tau={share}]",
            press=press("KnormPress", typed),
            rule="rounding",
        ),
        Case(
            method="snapkv",
            setting="window 64 there, 32 here",
            ours=f"snapkv[{VOTING},{budget}]",
            press=press("SnapKVPress", same),
            rule="window",
        ),
        Case(
            method="streaming-llm",
            setting="own defaults",
            ours=f"streaming-llm[{budget}]",
            press=press("StreamingLLMPress", same),
            rule="sinks",
        ),
        Case(
            method="pyramidkv",
            setting="window 32, beta 20",
            ours=f"pyramidkv[{VOTING},{budget}]",
            press=press("PyramidKVPress", typed, window_size=32),
            rule="pyramid",
        ),
        Case(
            method="pyramidkv",
            setting="window 32, beta 2",
            ours=f"pyramidkv[beta=2,{VOTING},{budget}]",
            press=press("PyramidKVPress", typed, window_size=32, beta=2),
            rule="pyramid",
        ),
        Case(
            method="expected-attention",
            setting="own defaults",
            ours=f"expected-attention[{budget}]",
            press=press("ExpectedAttentionPress", same),
            rule="softmax",
        ),
        Case(
            method="h2o",
            setting="sums against means",
            ours=f"h2o[{budget}]",
            press=press("ObservedAttentionPress", same),
            rule="means",
            eager=True,
        ),
    ]


def press(
    name: str, ratio: dict[str, float], *, inner: dict[str, object] | None = None, **args: object
) -> dict[str, object]:
    """A press as the other side is told to build it."""
    told: dict[str, object] = {"class": name, "args": {**ratio, **args}}
    return told if inner is None else {**told, "press": inner}
