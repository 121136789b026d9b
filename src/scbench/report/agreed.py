"""Agreement with dense in the tables: KL, likeliest tokens, the gold answer's likelihood."""

from __future__ import annotations

from scbench.report.table import Entry
from scbench.report.words import GAP, interval, nats, nats_interval, percent
from scbench.stats import KL_MARGIN, TOP1_MARGIN, Agreement, Ruling, Setting, Standing, Summary

KL, TOP1, NLL = "KL to dense", "Top-1 as dense, %", "Gold NLL − dense's"
COLUMNS = (KL, TOP1, NLL)


def is_measured(summary: Summary, setting: Setting, mode: str) -> bool:
    """Whether any method has a number of this kind here."""
    return any(
        not (one.kl.is_gap and one.nll_difference.is_gap)
        for one in summary.agreements
        if (one.setting, one.mode) == (setting, mode)
    )


def entry(agreement: Agreement | None, name: str) -> Entry:
    if agreement is None:
        return Entry(main=GAP)
    if name == TOP1:
        top1 = agreement.top1
        return Entry(
            main=percent(top1.value),
            interval=interval(top1),
            verdict=_words(agreement.top1_judged),
            tone=_tone(agreement.top1_judged),
        )
    one = agreement.kl if name == KL else agreement.nll_difference
    judged = agreement.kl_judged if name == KL else None
    return Entry(
        main=nats(one.value),
        interval=nats_interval(one),
        verdict=_words(judged),
        tone=_tone(judged),
        aside="" if name != KL or not one.is_gap else agreement.why,
    )


def _words(judged: Ruling | None) -> str:
    return "" if judged is None else judged.text


def _tone(judged: Ruling | None) -> str:
    return "worse" if judged is not None and judged.standing is Standing.DEPARTS else ""


def notes(summary: Summary, setting: Setting, mode: str) -> list[str]:
    """What the columns are; or why there are none."""
    mine = [one for one in summary.agreements if (one.setting, one.mode) == (setting, mode)]
    if not is_measured(summary, setting, mode):
        reasons = sorted({one.why for one in mine if one.why})
        return [
            f"Agreement with {summary.baseline} was not measured: {'; '.join(reasons)}."
        ] * bool(reasons)
    return [
        f"KL to dense, top-1 and gold NLL: the gold answer was fed to {summary.baseline} and to "
        "the method token by token; nats a token, and the share of tokens whose likeliest next "
        f"one is the same. Agrees: surely below {KL_MARGIN:g} nats, surely above "
        f"{100.0 * TOP1_MARGIN:g} %; departs: surely not. They say nothing of answers, and are in "
        "no average."
    ]
