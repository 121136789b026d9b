"""What a key seals: the model, the method, the code that plays and the code that scores."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from pathlib import Path
from typing import Any

import torch

from scbench import code
from scbench.code import house_code
from scbench.engines.contract import Engine
from scbench.ledger.cells import SHORT, AnsweringModel, MethodFacts, digest
from scbench.methods.described import card_of as stage_card
from scbench.methods.method import Method
from scbench.methods.origin import origin_of, shown_name
from scbench.play.played_code import NOT_PLAYED, play_code
from scbench.tasks.contract import TaskOrigin

GRAMMARS = (  # they parse what RepoQA scores
    "tree-sitter",
    "tree-sitter-python",
    "tree-sitter-java",
    "tree-sitter-typescript",
    "tree-sitter-rust",
    "tree-sitter-cpp",
    "tree-sitter-go",
)
# Words of a card that stay with a run.
KEPT = ("stage", "category", "about", "paper", "bytes_formula", "difference", "needs")
PROBE = 'The quick brown fox 0123456789 {"key": "value"}\n\n阅读以下书籍 VAR ABCDE = 48213'


def model_facts(engine: Engine) -> AnsweringModel:
    """What of the model and its engine can move a number."""
    facts, tokenizer = engine.facts, engine.tokenizer
    packages = ("torch", "transformers")
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    own = getattr(facts, "tokenizer_digest", "")
    probe = {"name": tokenizer.name, "probe": list(tokenizer.encode(PROBE).ids)}
    return AnsweringModel(
        name=facts.name,
        weights_digest=facts.weights_digest,
        tokenizer_digest=own or digest(probe),
        template_digest=tokenizer.template_digest,
        generation_digest=getattr(facts, "generation_digest", ""),
        end_ids=tuple(sorted(tokenizer.end_ids)),
        dtype=facts.dtype,
        device=_card(facts.device),
        engine=f"{type(engine).__name__} {versions}",
        settings={"window_tokens": facts.window_tokens, **facts.choices},
    )


def _card(device: str) -> str:
    """The card and not its number: cuda:1 of a machine answers as cuda:0 does."""
    kind = device.partition(":")[0]
    if kind != "cuda":
        return kind
    return f"{kind} {torch.cuda.get_device_name(device)}"


def method_facts(method: Method) -> MethodFacts:
    """A method for keys."""
    sources = {
        f"{origin_of(cls).class_name}: {name}": seal
        for cls in method.classes
        for name, seal in origin_of(cls).sources
    }
    files = tuple(filter(None, (part.data_digest() for part in method.parts)))
    return MethodFacts(shown=str(method), parameters=repr(method), sources=sources, data=files)


def card_of(method: Method) -> dict[str, Any]:
    """A method for people: how it is written, where it comes from, and what its stages say of
    themselves. It stays with the run, so that a report needs neither the file nor torch."""
    classes: list[type] = [type(stage) for stage in method.chosen or (method.generation,)]
    if method.foreign is not None:
        classes = [method.foreign.kind]
    cards = [stage_card(cls) for cls in classes]
    origins = [
        {"kind": str(one.kind), "place": one.place, "path": one.path, "class": one.class_name}
        for one in method.origins
        if not one.is_ours
    ]
    return {
        "shown": str(method),
        "spelling": method.spelling,
        "resolved": method.resolved,  # presets written out
        "stage": cards[0].stage,
        "category": cards[0].category or "other",
        "simulated": method.is_simulated,
        "origins": origins,
        "stages": [
            {
                "name": shown_name(cls),
                **{word: getattr(card, word) for word in KEPT if getattr(card, word)},
            }
            for cls, card in zip(classes, cards, strict=True)
        ],
    }


def scoring_digest(needles: object = (), origin: TaskOrigin | None = None) -> str:
    """What scores an answer: the scoring room, the making of records, and the grammars.

    `needles` are what the published RepoQA rule compares with beside the turn's own gold; `origin`
    is that of a task which is not the paper's and may have a scorer of its own.
    """
    own = {"task": origin.digest} if origin is not None else {}
    return digest({**_scoring_code(code.ROOT), "needles": needles, **own})[:SHORT]


@cache
def _scoring_code(root: Path) -> dict[str, Any]:
    room = [f"scbench.scoring.{path.stem}" for path in sorted((root / "scoring").glob("*.py"))]
    rules = house_code(["scbench.play.record", *room], without=("scbench.prompts",))
    return {
        "code": rules,
        "versions": {name: importlib.metadata.version(name) for name in GRAMMARS},
    }


def cost_code(engine: object) -> dict[str, str]:
    """Our modules that a row of the cost pass runs through."""
    return {**play_code(engine), **_cost_code(code.ROOT)}


@cache
def _cost_code(root: Path) -> dict[str, str]:
    return house_code(["scbench.grid.costs"], without=NOT_PLAYED)
