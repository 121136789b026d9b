"""scbench measures what happens to a long-context LLM when its KV cache is shared, compressed,
fetched and reused.

    import scbench
    methods = ["dense", "snapkv[tau=1/4]"]
    result = scbench.run(model="lab-transformer", tasks=["kv"], methods=methods, length="512")
    result.frame()        # a polars table, one row a turn
    doc = scbench.load("smollm2-135m").read("The code is 4711.")
    doc.under("snapkv[tau=1/2]").ask("What is the code?").text

`import scbench` imports neither torch nor transformers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack

from scbench.extras import require_local

if TYPE_CHECKING:
    from pathlib import Path

    from scbench.analysis import Analysis
    from scbench.analysis_words import AnalysisWords
    from scbench.api import Result
    from scbench.front import LanguageModel
    from scbench.grid.listener import OnRecord
    from scbench.grid.plan import Plan
    from scbench.options import RunWords

__version__ = "0.1.0"
__all__ = ["__version__", "analyze", "load", "plan", "run", "wrap"]

# OpenMP reads this when torch is loaded. By default its threads spin while they wait for each
# other, and on a busy machine the one they wait for does not get a core: 20 times slower, measured
# (docs/log.md). Sleeping costs next to nothing on an idle one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def load(
    name: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    window_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> LanguageModel:
    """A model to ask, by its short name (`scbench list models`), folder or hub name.

    `dtype` auto is float32 on a CPU and bfloat16 on a GPU. Raises Unknown, BadConfig, DataError,
    Mismatch, MissingExtra or OutOfDevice, each with what to do.
    """
    require_local("scbench.load")
    from scbench.front import load

    return load(
        name,
        dtype=dtype,
        device=device,
        window_tokens=window_tokens,
        trust_remote_code=trust_remote_code,
    )


def wrap(model: Any, tokenizer: Any, *, name: str = "") -> LanguageModel:
    """A `transformers` causal LM in memory with its tokenizer, to ask.

    Its attention is ours from now on. Raises Mismatch where ours does not compute what it does.
    """
    require_local("scbench.wrap")
    from scbench.front import wrap

    return wrap(model, tokenizer, name=name)


def run(*, on_record: OnRecord | None = None, **words: Unpack[RunWords]) -> Result:
    """Play a grid of tasks, modes and methods, and write its report.

    Every word is typed and explained in `scbench.options.RunWords`; what is not said takes the
    models' default (docs/defaults.md). `methods` may hold objects, `model` a loaded model. Raises
    UsageError for words that cannot work, Mismatch for a method that no model takes; what was
    computed stays in the run's folder. `on_record` is called with every new `types.Record` once it
    is on the disk (examples/tracker.py); an exception in it is told, and costs no record.
    """
    require_local("scbench.run")
    from scbench.api import run

    return run(on_record=on_record, **words)


def plan(*, price_per_hour: float | None = None, **words: Unpack[RunWords]) -> Plan:
    """What `scbench.run` with these settings would cost and refuse; nothing is played, no weights
    are read. `device` may also name a card that is not here: "h200" (docs/python.md)."""
    from scbench.api import plan as made

    return made(price_per_hour=price_per_hour, **words)


def analyze(
    what: str | Path | LanguageModel,
    *,
    shares: str | Sequence[str] = "1/32,1/8",
    answer_tokens: int = 64,
    out: str | Path | None = None,
    quiet: bool = False,
    **words: Unpack[AnalysisWords],
) -> Analysis:
    """Look at a model's attention over a few sessions, or over those of a run's folder, and write a
    page of it (docs/python.md).

    How alike the most-attended keys of two turns are, how they move along an answer, how sparse
    each head is, and how much of dense's attention each method's keys have. Raises UsageError for
    what cannot be looked at.
    """
    require_local("scbench.analyze")
    from scbench.analysis import analyze as made

    return made(what, shares=shares, answer_tokens=answer_tokens, out=out, quiet=quiet, words=words)


def __getattr__(name: str) -> Any:
    """`scbench.api` without importing it first."""
    if name == "api":
        return import_module("scbench.api")
    raise AttributeError(f"module 'scbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for whoever completes them."""
    return sorted(__all__)
