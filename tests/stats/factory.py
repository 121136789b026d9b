"""Synthetic records: what a run would have written, without a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from scbench.types import Answer, Cost, Failure, Finish, Form, Mode, Protocol, Record, Score

MIX = {"summary_with_needles": ("summary", "passkey"), "repoqa_and_kv": ("repoqa", "kv")}
ALL_TASKS = (
    "kv", "prefix_suffix", "vt", "repoqa", "qa_eng", "qa_chn", "choice_eng", "mf", "many_shot", "summary",
    "summary_with_needles", "repoqa_and_kv",
)  # fmt: skip


def record(
    *,
    task: str = "kv",
    method: str = "dense",
    mode: Mode = Mode.MULTI_TURN,
    session: int = 0,
    turn: int = 0,
    turns: int = 5,
    value: float | None = 1.0,
    official: float | None = None,
    failure: str | None = None,
    why: str = "",
    subtask: str | None = None,
    model: str = "toy",
    length_tokens: int = 1024,
    side: Mapping[str, float] | None = None,
    cost: Cost | None = None,
    key: str | None = None,
    truncated_tokens: int = 0,
    evidence_survives: bool | None = None,
    protocol: Protocol | None = None,
    form: Form = Form.FULL,
    notes: tuple[str, ...] = (),
) -> Record:
    """One turn. `value` None with no failure is a gap for the reason `why`."""
    failed = Failure(kind=failure, why="made to fail") if failure else None
    given = None if failed else value
    cell = (task, method, mode, session, model, length_tokens, form)
    parts = MIX.get(task, (task,))
    return Record(
        key=key or hashlib.sha256(repr(cell).encode()).hexdigest(),
        task=task,
        length_tokens=length_tokens,
        seed=f"0:{session}",
        mode=mode,
        model=model,
        method=method,
        protocol=protocol or Protocol(),
        session_digest=f"{task}-{length_tokens}-{session:04d}",
        turn=turn,
        turns=turns,
        subtask=subtask or parts[turn % len(parts)],
        prompt_tokens=length_tokens,
        answer=None if failed else Answer(ids=(1, 2), text="x", finish=Finish.END),
        failure=failed,
        strict=Score(value=given, rule="strict/1", why=why, side=side or {}),
        official=Score(value=given if official is None else official, rule="official/1", why=why),
        cost=cost or Cost(held_bytes=1000, loaded_bytes=500),
        truncated_tokens=truncated_tokens,
        evidence_survives=evidence_survives,
        form=form,
        notes=notes,
    )


def session(values: Sequence[float | None], *, number: int = 0, **fields: object) -> list[Record]:
    return [
        record(session=number, turn=turn, turns=len(values), value=value, **fields)  # type: ignore[arg-type]
        for turn, value in enumerate(values)
    ]


def run(
    *,
    tasks: Sequence[str] = ALL_TASKS,
    methods: Mapping[str, Callable[[int], float]] | None = None,
    modes: Sequence[Mode] = (Mode.MULTI_TURN, Mode.MULTI_REQUEST),
    sessions: int = 6,
    turns: int = 4,
    seed: int = 7,
    models: Sequence[str] = ("toy",),
    held_bytes: Mapping[str, int] | None = None,
    length_tokens: int = 1024,
) -> list[Record]:
    """A whole run; `methods` maps a name to the chance of a right answer by 0-based turn. Methods
    share each turn's luck.
    """
    methods = methods or {
        "dense": lambda turn: 0.9,
        "snapkv": lambda turn: 0.9 if turn == 0 else 0.4,
    }
    luck = np.random.Generator(np.random.PCG64(seed))
    found: list[Record] = []
    for model in models:
        for task in tasks:
            for number in range(sessions):
                ease = luck.normal(0.0, 0.1)
                for mode in modes:
                    for turn in range(turns):
                        draw = luck.random()
                        for method, chance in methods.items():
                            cost = Cost(
                                held_bytes=(held_bytes or {}).get(method, 1_000_000),
                                loaded_bytes=4096,
                            )
                            found.append(
                                record(
                                    task=task,
                                    method=method,
                                    mode=mode,
                                    session=number,
                                    turn=turn,
                                    turns=turns,
                                    value=float(draw < chance(turn) + ease),
                                    model=model,
                                    cost=cost,
                                    length_tokens=length_tokens,
                                )
                            )
    return found
