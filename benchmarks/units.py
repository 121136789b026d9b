"""What the size of a method's units does to its score: the cells of docs/decisions/0084-units.md.

    python benchmarks/units.py lab      # the lab transformer, 512 tokens, by turn
    python benchmarks/units.py needle   # a five-digit needle in 451 tokens, SmolLM2

Every line is one method, its score on the first turn and on the later ones (lab), or the share of
six prompts answered rightly when it compressed after the question and after the context (needle).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import mean

from torch import Tensor

import scbench
from scbench.engines.contract import Engine, Feed
from scbench.engines.load import load
from scbench.kv import Snapshot, Stream
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.types import Record

LAB_METHODS = {
    "kv": ("dense", "quest[budget_tokens=64]", "flexprefill[tau=1/8]", "infllm[tau=1/2]"),
    "repoqa": ("dense", "flexprefill[tau=1/8]", "xattention[tau=1/8]", "minference[tau=1/8]"),
    "kv,repoqa,qa_eng,vt": ("dense", *(f"snapkv[tau=1/{part}]" for part in (2, 4, 8))),
}
NEEDLE_METHODS = (
    "dense",
    "snapkv[tau=1/2]",
    "snapkv[tau=1/4]",
    "pyramidkv[tau=1/2]",
    "adakv[tau=1/2]",
    "quest[tau=1/4]",
    "quest[page_tokens=16,read_tokens=112]",
    "quest[page_tokens=4,read_tokens=112]",
    "retroinfer[tau=1/8]",
)
NUMBERS = (70231, 48165, 90372, 15846, 63709, 27418)
FILLER = (
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
)
CONTEXT_TOKENS = 440


def lab(extra: tuple[str, ...]) -> None:
    """Means of strict scores over sessions, in multi-turn mode (compressed after the question)."""
    for tasks, methods in LAB_METHODS.items():
        with tempfile.TemporaryDirectory() as folder:
            run = scbench.run(
                models="lab-transformer",
                tasks=tasks,
                methods=",".join((*methods, *extra)),
                modes="multi-turn",
                length="512",
                sessions=8,
                turns=3,
                cost_sessions=0,
                out=Path(folder) / "run",
                quiet=True,
            )
            records = [one for one in run.records() if one.strict.value is not None]
        for method in dict.fromkeys(one.method for one in records):
            first, later = (
                [100 * (one.strict.value or 0) for one in records if is_mine(one, method, at)]
                for at in (True, False)
            )
            print(f"{tasks:22} {method:40} {mean(first):6.1f} {mean(later):6.1f}", flush=True)


def is_mine(record: Record, method: str, is_first: bool) -> bool:
    """Whether a record is of this method, and of a first turn or a later one."""
    return record.method == method and (record.turn == 0) is is_first


def needle(extra: tuple[str, ...]) -> None:
    """Right answers of six, compressed after the question (T1) and after the context (T0)."""
    engine = load("smollm2-135m")
    methods = [parse(spelling) for spelling in (*NEEDLE_METHODS, *extra)]
    needs = frozenset().union(*(method.needs for method in methods))
    right = [[0, 0] for _ in methods]
    for number in NUMBERS:
        context, question = (engine.tokenizer.encode(text).ids for text in prompt(engine, number))
        base = engine.read(context, needs=needs)
        whole = engine.read(question, needs=needs, base=base)
        mark_question(whole, len(question))
        streams = [fork(whole, method) for method in methods]
        streams += [fork(base, method) for method in methods]
        first = engine.advance([Feed(stream, question) for stream in streams[len(methods) :]])
        texts = said(engine, streams, [*[whole.logits_V] * len(methods), *first])
        for at, text in enumerate(texts):
            right[at % len(methods)][at // len(methods)] += str(number) in text
    for method, (seen, unseen) in zip(methods, right, strict=True):
        print(f"{method!s:42} {100 * seen / 6:6.0f} {100 * unseen / 6:6.0f}")


def said(engine: Engine, streams: list[Stream], logits: list[Tensor]) -> list[str]:
    """Eight greedy tokens of every stream, as text."""
    ids = [[int(row.argmax())] for row in logits]
    for _ in range(7):
        feeds = [Feed(stream, row[-1:]) for stream, row in zip(streams, ids, strict=True)]
        for row, scores in zip(ids, engine.advance(feeds), strict=True):
            row.append(int(scores.argmax()))
    return [engine.tokenizer.decode(row) for row in ids]


def mark_question(snapshot: Snapshot, rows: int) -> None:
    """Say how many of a prefix's last tokens are the question, where snapshots can be told."""
    if "question_tokens" in Snapshot.__slots__:
        snapshot.question_tokens = rows  # type: ignore[attr-defined,unused-ignore]


def prompt(engine: Engine, number: int) -> tuple[str, str]:
    """A context with one number at a depth that the number itself chooses, and its question."""
    fact = f"The special magic number is {number}. "
    sentences = FILLER.split(". ")[:-1]
    count = 1
    while len(engine.tokenizer.encode(". ".join(sentences * count)).ids) < CONTEXT_TOKENS:
        count += 1
    words = [f"{sentence}. " for sentence in (sentences * count)]
    while len(engine.tokenizer.encode("".join(words)).ids) > CONTEXT_TOKENS - 20:
        words.pop()
    words.insert(number % len(words), fact)
    head = "<|im_start|>user\n" + "".join(words)
    ask = "\nWhat is the special magic number?<|im_end|>\n<|im_start|>assistant\n"
    ask += "The special magic number is"
    return head, ask


if __name__ == "__main__":
    kind, *more = sys.argv[1:] or ["lab"]
    (needle if kind == "needle" else lab)(tuple(more))
