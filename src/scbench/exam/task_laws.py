"""The laws every task must keep, ours and anyone's: `scbench doctor` and tests/tasks run these.

A law looks at some sessions of a task and gives the sentence that shows it broken, or None. What
it says nothing about is `Beside`. No model and no torch: a task is examined in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from scbench.errors import ScbenchError, TooSmall
from scbench.ledger.store import SessionStore
from scbench.prompts import Wording
from scbench.scoring import grade
from scbench.tasks import published
from scbench.tasks.build import digest_of, tolerance
from scbench.tasks.contract import Task
from scbench.types import PromptSet, Role, Session, Turn

SEEDS = 8
LENGTHS_TOKENS = (1024, 4096)  # the compact shape and the large one
LEAST_OTHER_TURNS = 8  # fewer say nothing of what a constant answer scores
MOST_CONSTANTS = 6
MOST_TURNS = 60  # whose scores are asked for: code and summaries are scored slowly
SIGMAS = 3.0


class Beside(Exception):
    """The law says nothing about this task; the text says why."""


class Thirds:
    """A third of the bytes: close to what sub-word tokenizers count, and quick."""

    name = "thirds"

    def __call__(self, text: str) -> int:
        return (len(text.encode("utf-8", "surrogatepass")) + 2) // 3


@dataclass(frozen=True)
class Exam:
    """A task and the sessions its laws look at."""

    task: Task

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """Of some seeds and two lengths; all those of a file."""
        if self.task.given:
            return self.task.given
        lengths = [(seed, LENGTHS_TOKENS[seed % 2]) for seed in range(SEEDS)]
        return tuple(self.made(f"doctor:{seed}", length) for seed, length in lengths)

    def made(self, seed: str, target: int) -> Session:
        """A session of this length, or of the least that holds its turns."""
        try:
            return self._made(seed, target)
        except TooSmall as small:
            # The stated minimum is of the bare pieces: give it the room that a length may err by.
            return self._made(seed, small.minimum + 2 * tolerance(small.minimum))

    def _made(self, seed: str, target: int) -> Session:
        return self.task.make(seed=seed, target=target, turns=self.task.turns, count=Thirds())

    @property
    def turns(self) -> Iterator[tuple[Session, int, Turn]]:
        for session in self.sessions:
            for number, turn in enumerate(session.turns):
                yield session, number, turn

    def strict(self, turn: Turn, answer: str) -> float | None:
        return grade(turn.task, answer, turn.wanted, rule="strict", within=self.task.name).value


Law = Callable[[Exam], str | None]


def same_seed_same_session(exam: Exam) -> str | None:
    if exam.task.given:
        raise Beside("its sessions are those of a file")
    first, second, third = (exam.made(seed, 2048) for seed in ("doctor:a", "doctor:a", "doctor:b"))
    if first != second:
        return "seed 'doctor:a' made two different sessions, one after the other"
    if first.digest == third.digest:
        return "seeds 'doctor:a' and 'doctor:b' made the same session: does make() use its seed?"
    return None


_ELSEWHERE = """
import sys
from scbench.exam.task_laws import Exam
from scbench.grid.task_places import task_at
print(Exam(task_at(sys.argv[1])).made("doctor:a", 2048).digest)
"""


def same_in_another_process(exam: Exam) -> str | None:
    """What depends on the order of a set shows here."""
    if exam.task.given:
        raise Beside("its sessions are those of a file")
    digests = {exam.made("doctor:a", 2048).digest}
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", _ELSEWHERE, exam.task.written],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        if ran.returncode:
            return f"it cannot be made in another process: {ran.stderr.strip().splitlines()[-1]}"
        digests.add(ran.stdout.strip())
    if len(digests) > 1:
        return "another process makes another session of one seed; is the order of a set in it?"
    return None


def lengths_are_met(exam: Exam) -> str | None:
    if exam.task.given:
        raise Beside("its sessions have the length of their contexts")
    for target in LENGTHS_TOKENS:
        session = exam.made("doctor:length", target)
        counted = Thirds()(session.context)
        if session.counted != counted:
            return f"counted is {session.counted:,}, and the context has {counted:,} tokens"
        asked = session.recipe.get("target", target)
        if not isinstance(asked, int) or abs(counted - asked) > tolerance(asked):
            return f"{asked:,} tokens were asked for and {counted:,} made (2 % or 4 are allowed)"
    return None


def sessions_are_sealed(exam: Exam) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        store = SessionStore(folder)
        for session in exam.sessions:
            if session.digest != digest_of(session):
                return "a digest is not that of its session; make it with tasks.build.sealed"
            store.put(session)
            if digest_of(store.get(session.digest)) != session.digest:
                return "a session comes back different from a run's folder"
    return None


def turns_are_the_cards(exam: Exam) -> str | None:
    card = exam.task.card
    for session, number, turn in exam.turns:
        if session.task != card.name:
            return f"a session is of the task {session.task!r}, its card is {card.name!r}"
        if turn.task not in card.parts:
            return f"turn {number + 1} is of {turn.task!r}; the card has {', '.join(card.parts)}"
        if not turn.ask.strip() or not turn.gold.strip() or not turn.wanted.golds:
            return f"turn {number + 1} lacks its question, its gold or its accepted answers"
        if turn.max_new_tokens < 1:
            return f"turn {number + 1} may be answered in {turn.max_new_tokens} tokens"
    asked = exam.task.turns
    if not exam.task.given and {len(session.turns) for session in exam.sessions} != {asked}:
        return f"{asked} turns were asked for, and a session has another number"
    return None


def evidence_says_what_it_is(exam: Exam) -> str | None:
    """Spans lie inside the context; an answer's span holds an accepted answer, or its option."""
    has_evidence = False
    for session, number, turn in exam.turns:
        known = {text.casefold() for text in (*turn.wanted.golds, *turn.wanted.options, turn.gold)}
        for span in turn.evidence:
            has_evidence = True
            if not 0 <= span.start < span.stop <= len(session.context):
                return f"turn {number + 1}: [{span.start}, {span.stop}) lies outside the context"
            text = session.context[span.start : span.stop]
            is_part = any(text.casefold() in one or one in text.casefold() for one in known)
            if span.role is Role.ANSWER and not is_part:
                return (
                    f"turn {number + 1}: the answer's span says {text[:60]!r}, gold {turn.gold!r}"
                )
    if not has_evidence:
        raise Beside("it says of no turn where its evidence stands")
    return None


def golds_score_1(exam: Exam) -> str | None:
    for _, number, turn in _some(exam):
        value = exam.strict(turn, turn.gold)
        if value != 1.0:
            return f"turn {number + 1}: the gold {turn.gold[:60]!r} scores {value} under strict"
    return None


def constants_score_by_chance(exam: Exam) -> str | None:
    """Golds given often, put to turns of other sessions: at most the card's chance, and noise."""
    for part in exam.task.card.subtasks:
        turns = [one for one in _some(exam) if one[2].task == part.name]
        tried = 0
        for answer, _ in Tally(turn.gold for _, _, turn in turns).most_common(MOST_CONSTANTS):
            own = {session.digest for session, _, turn in turns if turn.gold == answer}
            often = len(own) > 1
            others = [turn for session, _, turn in turns if often or session.digest not in own]
            if len(others) < LEAST_OTHER_TURNS:
                continue
            tried += 1
            mean = sum(exam.strict(turn, answer) or 0.0 for turn in others) / len(others)
            noise = (max(part.chance, 0.02) * (1 - part.chance) / len(others)) ** 0.5
            if mean > part.chance + SIGMAS * noise + 1 / len(others):
                return (
                    f"{part.name}: {answer[:60]!r} scores {mean:.2f} on {len(others)} turns, and "
                    f"the card's chance is {part.chance:.2f}; is it higher, or the scorer too kind?"
                )
        if not tried:
            raise Beside(f"too few turns to tell what a constant answer scores ({len(turns)})")
    return None


def prompts_ask_what_is_asked(exam: Exam) -> str | None:
    """Two different questions of a session are told in different words, and nothing is empty."""
    for session in exam.sessions:
        for prompts in PromptSet:
            for is_chat in (False, True):
                for is_alone in (False, True):
                    words = Wording(session, prompts, is_chat, is_alone)
                    if problem := _told_alike(session, words, is_alone=is_alone):
                        return f"{prompts} prompts: {problem}"
    return None


def _told_alike(session: Session, words: Wording, *, is_alone: bool) -> str | None:
    words.head()
    told: dict[str, str] = {}
    for number, turn in enumerate(session.turns):
        is_first = is_alone or number == 0
        text = words.ask(number) if is_first else words.follow_up(number)
        if not words.gold(number).strip():
            return f"history would show nothing as the answer to turn {number + 1}"
        question = f"{turn.ask} {turn.wanted.options}"
        if told.setdefault(text, question) != question:
            return f"turn {number + 1} is told as an earlier turn is: {text[:60]!r}"
    return None


def published_rows_read_back(exam: Exam) -> str | None:
    if exam.task.read_turn is None:
        raise Beside("it has no published rows")
    sessions = exam.sessions[:2]
    with tempfile.TemporaryDirectory() as folder:
        file = published.write(exam.task, sessions, folder)
        back = [digest_of(session) for session in published.read(exam.task, file)]
        if back != [session.digest for session in sessions]:  # sequences come back as lists
            return "published rows with their side file come back as other sessions"
        for side in file.parent.glob("*.evidence.jsonl"):
            side.unlink()
        for session, again in zip(sessions, published.read(exam.task, file), strict=True):
            for turn, read in zip(session.turns, again.turns, strict=True):
                if read.ask != turn.ask or exam.strict(turn, read.gold) != 1.0:
                    return f"a published turn comes back as {read.ask[:60]!r}, {read.gold[:60]!r}"
    return None


def _some(exam: Exam) -> Sequence[tuple[Session, int, Turn]]:
    return list(exam.turns)[:MOST_TURNS]


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "turns are those of the card": turns_are_the_cards,
        "the same seed makes the same session": same_seed_same_session,
        "another process makes it too": same_in_another_process,
        "contexts have the length asked for": lengths_are_met,
        "sessions are sealed and survive being kept": sessions_are_sealed,
        "evidence stands where it says": evidence_says_what_it_is,
        "a gold answer scores 1": golds_score_1,
        "a constant answer scores at most the chance": constants_score_by_chance,
        "different questions are told in different words": prompts_ask_what_is_asked,
        "published rows read back": published_rows_read_back,
    }
)


@dataclass(frozen=True, slots=True)
class TaskFinding:
    """One law on one task: holds, idle or broken, and why with its numbers."""

    law: str
    verdict: str
    why: str = ""


def examine_task(task: Task, laws: Iterable[str] = tuple(LAWS)) -> list[TaskFinding]:
    """Every law on a task; code of a task that fails breaks the law it fails in."""
    exam = Exam(task)
    findings = []
    for name in laws:
        try:
            why = LAWS[name](exam)
            findings.append(TaskFinding(name, "broken" if why else "holds", why or ""))
        except Beside as reason:
            findings.append(TaskFinding(name, "idle", str(reason)))
        except ScbenchError as error:
            findings.append(TaskFinding(name, "broken", str(error)))
        except Exception as error:
            if task.origin is None:
                raise
            where = f"{type(error).__name__}: {error}"
            findings.append(TaskFinding(name, "broken", f"the task's own code stops here: {where}"))
    return findings


__all__ = ["LAWS", "Beside", "Exam", "TaskFinding", "examine_task"]
