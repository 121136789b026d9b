"""`scbench search-patterns` and `search-gates`: what is looked for once per model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scbench.console import say, tell

Trust = Annotated[
    bool, typer.Option("--trust-remote-code", help="run code that the model's folder brings")
]


def search_patterns(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2-135m, a folder, a hub name, or a short name from `scbench list models`"
        ),
    ],
    to: Annotated[
        Path, typer.Option("--out", help="JSON file to write, for minference\\[table=FILE]")
    ],
    length: Annotated[
        str, typer.Option(help="tokens of the sample text, a generated Retr.KV context: 4k, 32k")
    ] = "4k",
    budget: Annotated[
        int | None, typer.Option(help="keys a row of every candidate; default: 1/32 of the tokens")
    ] = None,
    trust_remote_code: Trust = False,
) -> None:
    """Find which sparse pattern keeps most of each head's attention (MInference's offline
    search).
    """
    from collections import Counter

    from scbench.engines import load
    from scbench.files import write_atomically
    from scbench.grid.suite import TokenCount
    from scbench.grid.words import tokens
    from scbench.methods.generation.minference_patterns import written
    from scbench.search.patterns import search_patterns as search
    from scbench.tasks import task

    engine = load.load(model, trust_remote_code=trust_remote_code)
    session = task("kv").make(
        seed="patterns:0", target=tokens(length), turns=1, count=TokenCount(engine.tokenizer)
    )
    table = search(engine, engine.tokenizer.encode(session.context).ids, budget_tokens=budget)
    write_atomically(to, written(table).encode())
    found = [pattern for layer in table for pattern in layer.values()]
    for (kind, first, second), heads in Counter(
        (p.kind, p.first, p.second) for p in found
    ).most_common():
        scores = [p.score for p in found if (p.kind, p.first, p.second) == (kind, first, second)]
        say(
            f"{heads} heads: {kind} {first}, {second}, keeping {sum(scores) / heads:.3f} of their "
            f"attention"
        )
    say(f"{len(found)} heads; use it with --methods 'minference[table={to}]'")


def search_gates(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2-135m, a folder, a hub name, or a short name from `scbench list models`"
        ),
    ],
    to: Annotated[
        Path, typer.Option("--out", help="JSON file to write, for duo-attention\\[gates=FILE]")
    ],
    length: Annotated[str, typer.Option(help="tokens of a synthetic session: 2k, 8k")] = "2k",
    steps: Annotated[
        int, typer.Option(help="of the optimiser, one session each; the paper takes 2000")
    ] = 200,
    lr: Annotated[float, typer.Option(help="the optimiser's highest rate")] = 0.02,
    sessions: Annotated[int, typer.Option(help="different sessions, taken in turn")] = 8,
    trust_remote_code: Trust = False,
) -> None:
    """Find by gradient which KV heads of a model must see everything (DuoAttention's retrieval
    heads).
    """
    from scbench.engines import load
    from scbench.files import write_atomically
    from scbench.grid.words import tokens
    from scbench.search.gates import search_gates as search

    engine = load.load(model, trust_remote_code=trust_remote_code)
    every = max(1, steps // 10)

    def told(step: int, objective: float) -> None:
        if step % every == 0:
            tell(f"step {step} of {steps}: {objective:.4f}")

    gates, found = search(
        engine, length_tokens=tokens(length), steps=steps, rate=lr, sessions=sessions, on_step=told
    )
    write_atomically(to, gates.text().encode())
    every_gate = [gate for row in gates.rows for gate in row]
    full = sum(gate >= 0.5 for gate in every_gate)
    say(
        f"objective {found.objective[0]:.4f} to {found.objective[1]:.4f}, distance from full "
        f"attention {found.distance[1]:.4f}; {full} of {len(every_gate)} heads have a gate of 0.5 "
        f"or more"
    )
    say(f"use it with --methods 'duo-attention[preset=paper,gates={to}]'")
