"""A run with answers, sessions, evidence and costs, made without a model: what a page can show."""

from __future__ import annotations

from dataclasses import replace

from factory import run

from scbench.report.page import HeadsHeld, PageSource
from scbench.stats import Summary, summarise
from scbench.types import (
    Answer,
    Failure,
    Finish,
    GoldScore,
    Record,
    Role,
    Session,
    Span,
    Turn,
    Wanted,
)

TASKS = ("kv", "vt", "qa_eng")
CHANCES = {
    "dense": lambda turn: 0.97,
    "kvzip[tau=1/4]": lambda turn: 0.93,
    "snapkv[tau=1/4]": lambda turn: 0.97 if turn == 0 else 0.1,
    "snapkv[tau=1/8]": lambda turn: 0.8 if turn == 0 else 0.02,
    "quest[tau=1/4]": lambda turn: 0.97,
}
STAGES = {
    "dense": ("reference", "reference"),
    "kvzip[tau=1/4]": ("compression", "KV dropping"),
    "snapkv[tau=1/4]": ("compression", "KV dropping"),
    "snapkv[tau=1/8]": ("compression", "KV dropping"),
    "quest[tau=1/4]": ("loading", "KV loading"),
}
HELD = {"kvzip[tau=1/4]": 0.25, "snapkv[tau=1/4]": 0.25, "snapkv[tau=1/8]": 0.125}
READ_S = {"kvzip[tau=1/4]": 2.0}
STEP_S = {"kvzip[tau=1/4]": 0.015, "snapkv[tau=1/4]": 0.015, "snapkv[tau=1/8]": 0.014}
DENSE_BYTES = 8_000_000
COSTS = [
    {
        "model": "toy",
        "method": method,
        "length_tokens": 1024,
        "prefill_s": [READ_S.get(method, 0.5)],
        "compress_s": [0.0 if method == "dense" else 0.01],
        "ttft_warm_s": [0.05],
        "tpot_s": [STEP_S.get(method, 0.02)],
        "held_accounted_bytes": DENSE_BYTES * HELD.get(method, 1.0),
        "end_accounted_bytes": DENSE_BYTES * HELD.get(method, 1.0) + 500_000,
        "dense_bytes": DENSE_BYTES,
        "loaded_accounted_bytes": DENSE_BYTES
        * (0.25 if "quest" in method else HELD.get(method, 1)),
        "accounting": "bfloat16",
    }
    for method in CHANCES
]
GOLD = "gold-{task}-{session}-{turn}"


def session_of(record: Record) -> Session:
    """The session that a record names: a fact a turn, each on its own line."""
    turns = []
    context = "Some facts follow.\n"
    for turn in range(record.turns):
        gold = GOLD.format(task=record.task, session=record.seed, turn=turn)
        start = len(context) + len(f"Fact {turn} is ")
        context += (
            f"Fact {turn} is {gold}, as was said. " + "Nothing else matters here. " * 20 + "\n"
        )
        turns.append(
            Turn(
                task=record.task,
                ask=f"What is fact {turn} of {record.task}?",
                gold=gold,
                wanted=Wanted(golds=(gold,)),
                max_new_tokens=16,
                evidence=(
                    Span(start - 10, start + len(gold), Role.SUPPORT),
                    Span(start, start + len(gold), Role.ANSWER),
                ),
                depth=turn / record.turns,
            )
        )
    return Session(
        task=record.task,
        context=context,
        turns=tuple(turns),
        counted=len(context.split()),
        counter="words",
        recipe={"seed": record.seed},
        digest=record.session_digest,
    )


def answered(record: Record) -> Record:
    """The record with an answer that fits its score, and with evidence kept where it is right."""
    gold = GOLD.format(task=record.task, session=record.seed, turn=record.turn)
    is_right = record.strict.value == 1.0
    keeps = 1.0 if record.method in ("dense", "quest[tau=1/4]") else 0.9 if is_right else 0.1
    text = gold if is_right else f"not {record.turn}"
    return replace(
        record,
        answer=Answer(ids=tuple(range(5)), text=text, finish=Finish.END),
        strict=replace(record.strict, read=text),
        depth=record.turn / record.turns,
        evidence_kept=keeps,
        evidence_held=keeps,
        gold=GoldScore(tokens=4, nll=0.1, kl_to_dense=1.0 - keeps, top1_agreement=keeps),
    )


def records() -> list[Record]:
    """With one gap, one failure of the form and one answer that was cut, all of snapkv."""
    made = [answered(one) for one in run(tasks=TASKS, methods=CHANCES, sessions=8)]
    places = [
        at
        for at, one in enumerate(made)
        if one.method == "snapkv[tau=1/4]" and one.strict.value == 0.0 and one.mode == "multi-turn"
    ]
    gap, form, cut = places[:3]
    lost = made[gap]
    made[gap] = replace(
        lost,
        answer=None,
        failure=Failure(kind="out-of-memory", why="18 GiB are needed"),
        strict=replace(lost.strict, value=None),
        official=replace(lost.official, value=None),
    )
    made[form] = replace(
        made[form], strict=replace(made[form].strict, format_failure=True, why="no quotes")
    )
    said = made[cut].answer
    assert said is not None
    made[cut] = replace(made[cut], answer=replace(said, finish=Finish.LENGTH))
    return made


def held(record: Record) -> HeadsHeld:
    """Two layers of two KV heads; six evidence tokens."""
    share = record.evidence_held or 0.0
    counts = [round(6 * share), round(6 * share), 6, round(3 * share)]
    return HeadsHeld(heads=(2, 2), tokens=6, held=counts, tokens_held=[share] * 6)


def sample() -> tuple[Summary, PageSource]:
    made = records()
    source = PageSource(
        records=made,
        sessions={one.session_digest: session_of(one) for one in made},
        evidence={(one.key, one.turn): held(one) for one in made if one.answer is not None},
    )
    return summarise(made, COSTS, stages=STAGES, resamples=0), source
