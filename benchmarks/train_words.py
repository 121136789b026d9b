"""Trains the small word classifier of llmlingua-2[classifier=trained] on generated sessions, and
tells what it keeps of evidence it has not seen.

    python benchmarks/train_words.py [--out FILE] [--steps 200] [--sessions 4] [--held 6]

A word matters if an ANSWER or SUPPORT span of any turn covers a part of it; near misses take no
part in learning. First, for each family of tasks, a network learns from the other families alone
and is asked about this one; then one learns from all (and, with --out, is written). Nobody learns
from strings and code, where any pair or function might be asked for and nothing tells which.
Held-out sessions have seeds of their own. One thread; the same arguments give the same weights on
the same machine. Ends in one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scbench.methods.generation.llmlingua import LLMLingua2
from scbench.methods.generation.small_classifier import (
    CHUNK_PIECES,
    SmallClassifier,
    bags,
    pieces_of,
    save,
)
from scbench.methods.generation.small_network import NEIGHBOURS, Network
from scbench.methods.generation.word_classifiers import Unigram, WordClassifier
from scbench.methods.generation.word_dropping import WORD, chunks
from scbench.methods.generation.word_features import FEATURES, Counts, features_of, grams_of
from scbench.tasks import task
from scbench.tasks.contract import Bytes, Words
from scbench.types import Role, Session

FAMILIES: dict[str, tuple[str, ...]] = {
    "strings": ("kv", "prefix_suffix"),
    "chains": ("vt",),
    "code": ("repoqa",),
    "stories": ("qa_eng", "choice_eng", "qa_chn"),
    "reports": ("summary", "summary_with_needles"),
}
LEARNT = ("chains", "stories", "reports")
TARGET_WORDS = (800, 1600, 2400)
SHARES = (Fraction(1, 4), Fraction(1, 8))
SESSIONS_A_STEP, FIRST_RATE, BLIND = 4, 5e-3, 0.5
MATTERS = (Role.ANSWER, Role.SUPPORT)
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the network is shown of one session, chunks kept apart by rows that are no words, and
    what it should say. Weight 0: not asked.
    """

    grams: Tensor
    offsets_N: Tensor
    features_NF: Tensor
    matters_N: Tensor
    weights_N: Tensor


@dataclass(slots=True)
class Tally:
    """Characters and turns of held-out sessions, for one classifier at one share."""

    evidence: list[float]
    kept: list[float]
    whole: list[float]  # turns whose answer spans are all left

    def row(self) -> dict[str, float]:
        return {name: round(mean(getattr(self, name)), 3) for name in ("evidence", "kept", "whole")}


@dataclass(frozen=True, slots=True)
class Chance:
    """A judge that draws lots."""

    chunk_pieces: int = CHUNK_PIECES

    def pieces(self, words: Sequence[str]) -> list[int]:
        return pieces_of(words)

    def having_read(self, words: Sequence[str]) -> Chance:
        return self

    def keep(self, words: Sequence[str]) -> list[float]:
        draw = random.Random(" ".join(words))
        return [draw.random() for _ in words]


def session(name: str, seed: str, words: int) -> Session:
    """Chinese is counted in bytes, three to a character."""
    count, target = (Bytes(), 3 * words) if name == "qa_chn" else (Words(), words)
    made: Session = task(name).make(seed=seed, target=target, turns=4, count=count)
    return made


def covered(found: Sequence[Range], spans: Sequence[Range], chars: int) -> list[bool]:
    """Whether any character of each range lies in a span."""
    inside = bytearray(chars)
    for start, stop in spans:
        inside[start:stop] = b"\1" * (stop - start)
    return [1 in inside[start:stop] for start, stop in found]


def spans_of(session: Session, *roles: Role) -> list[Range]:
    return [
        (span.start, span.stop)
        for turn in session.turns
        for span in turn.evidence
        if span.role in roles
    ]


def lesson(session: Session) -> Lesson:
    """Weighted so that the evidence and the rest of a session count alike; near misses count
    nothing.
    """
    found = [match.span() for match in WORD.finditer(session.context)]
    words = [session.context[start:stop] for start, stop in found]
    matters = covered(found, spans_of(session, *MATTERS), len(session.context))
    near = covered(found, spans_of(session, Role.DISTRACTOR), len(session.context))
    light, heavy = 1 / max(matters.count(False), 1), 1 / max(matters.count(True), 1)
    weights = [
        heavy if one else 0.0 if miss else light for one, miss in zip(matters, near, strict=True)
    ]
    counts = Counts.of(words)
    rows: list[tuple[tuple[int, ...], tuple[float, ...], float, float]] = []
    for start, stop in chunks(words, pieces_of(words), CHUNK_PIECES):
        part = words[start:stop]
        rows += zip(
            map(grams_of, part),
            features_of(part, counts),
            matters[start:stop],
            weights[start:stop],
            strict=True,
        )
        rows += [((), (0.0,) * FEATURES, 0.0, 0.0)] * NEIGHBOURS
    grams, features, wanted, weighs = zip(*rows, strict=True)
    return Lesson(
        *bags(grams),
        torch.tensor(features),
        torch.tensor(wanted, dtype=torch.float32),
        torch.tensor(weighs),
    )


def trained(material: Sequence[Lesson], *, steps: int) -> Network:
    """A step takes SESSIONS_A_STEP sessions, drawn with a fixed seed."""
    torch.manual_seed(0)
    draw = random.Random(0)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=FIRST_RATE, weight_decay=1e-2)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = FIRST_RATE * (1 - step / steps)
        optimizer.zero_grad()
        for one in draw.sample(material, min(SESSIONS_A_STEP, len(material))):
            logits_N = network(one.grams, one.offsets_N, one.features_NF, blind=BLIND)
            loss = binary_cross_entropy_with_logits(
                logits_N, one.matters_N, one.weights_N, reduction="sum"
            )
            (loss / SESSIONS_A_STEP).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network.eval()


def judged(judge: WordClassifier, sessions: Sequence[Session], share: Fraction) -> dict[str, float]:
    """With newlines and question marks forced, as the method does unless told otherwise."""
    tally = Tally([], [], [])
    for one in sessions:
        kept = bytearray(len(one.context))
        for start, stop in LLMLingua2(tau=share).kept_by(judge, one.context):
            kept[start:stop] = b"\1" * (stop - start)
        matters = {at for start, stop in spans_of(one, *MATTERS) for at in range(start, stop)}
        tally.evidence.append(sum(kept[at] for at in matters) / len(matters))
        tally.kept.append(sum(kept) / len(kept))
        for turn in one.turns:
            spans = [span for span in turn.evidence if span.role is Role.ANSWER]
            if spans:
                tally.whole.append(float(all(all(kept[span.start : span.stop]) for span in spans)))
    return tally.row()


def rows(
    family: str, judges: dict[str, WordClassifier], held: dict[str, list[Session]]
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name in FAMILIES[family]:
        for share in SHARES:
            for judge_name, judge in judges.items():
                row = {
                    "task": name,
                    "tau": str(share),
                    "judge": judge_name,
                    **judged(judge, held[name], share),
                }
                print(
                    "{task:22}{tau:6}{judge:12} evidence {evidence:.3f}  whole answers {whole:.3f}  kept {kept:.3f}".format(
                        **row
                    )
                )
                found.append(row)
    sys.stdout.flush()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="where the weights go, a .safetensors file")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=4, help="per task, to learn from")
    parser.add_argument("--held", type=int, default=6, help="per task, to be asked about")
    args = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    tasks = [name for family in FAMILIES.values() for name in family]
    lengths = [TARGET_WORDS[i % len(TARGET_WORDS)] for i in range(max(args.sessions, args.held))]
    learnt = [name for family in LEARNT for name in FAMILIES[family]]
    material = {
        name: [lesson(session(name, f"words:{i}", lengths[i])) for i in range(args.sessions)]
        for name in learnt
    }
    held = {
        name: [session(name, f"held:{i}", lengths[i]) for i in range(args.held)] for name in tasks
    }
    print(
        f"{sum(map(len, material.values()))} sessions to learn from, "
        f"{time.process_time() - start:.0f} s",
        flush=True,
    )
    found: list[dict[str, object]] = []
    for family, mine in FAMILIES.items():
        others = [one for name in learnt if name not in mine for one in material[name]]
        judges = {
            "chance": Chance(),
            "unigram": Unigram(),
            "not on it": SmallClassifier(trained(others, steps=args.steps)),
        }
        found += rows(family, judges, held)
    final = trained([one for name in learnt for one in material[name]], steps=args.steps)
    for family in FAMILIES:
        found += rows(family, {"on all": SmallClassifier(final)}, held)
    if args.out:
        save(final, args.out)
    print(json.dumps({"seconds": round(time.process_time() - start), "rows": found}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
