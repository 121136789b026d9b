"""The words of a run, said once: for the command line, for Python and for a settings file.

`RunWords` is what `scbench.run` takes, and an editor completes; each word carries its flag, panel
and help, from which the command line is made. A `run.toml` uses the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from scbench.answer_words import AnswerWords
from scbench.flags import GRID, MACHINE, PANELS, SHOWN, Flag
from scbench.grid.settings import Settings
from scbench.modes import Mode


class RunWords(AnswerWords, total=False):
    """Settings of a run. What is not said takes the default of the models (docs/defaults.md)."""

    model: Annotated[
        str | Sequence[str] | None,
        Flag(
            "--model",
            str,
            GRID,
            "lab-transformer, smollm2-135m, toy, a folder, a hub name, or a short name from "
            "`scbench list models`; several joined by commas; default: smollm2-135m, then "
            "lab-transformer (lab-transformer alone where tasks, data or --out are given)",
        ),
    ]
    tasks: Annotated[
        str | Sequence[object] | None,
        Flag(
            "--tasks",
            str,
            GRID,
            "task names joined by commas, or all; see `scbench list tasks`; default: a few for our "
            "small models (docs/defaults.md), else all",
        ),
    ]
    methods: Annotated[
        str | Sequence[object] | None,
        Flag(
            "--methods",
            str,
            GRID,
            "joined by commas, stages of one by +, choices by |, or all: "
            "dense,snapkv\\[tau=1/4|1/16],a-shape+kivi\\[bits=2]; a path or a text with such signs "
            "stands in quotes; default: ten at a quarter of the budget (docs/defaults.md)",
        ),
    ]
    equal_bytes: Annotated[
        str | float | None,
        Flag(
            "--equal-bytes",
            str,
            GRID,
            "fit every method's budget or bits to hold this share of dense's bytes, measured: 1/8; "
            "default: budgets as spelled",
        ),
    ]
    equal_at: Annotated[
        str | None,
        Flag(
            "--equal-at",
            str,
            GRID,
            "when --equal-bytes are equal: context (right after it) or end (of the session)",
        ),
    ]
    equal_loaded: Annotated[
        str | float | None,
        Flag(
            "--equal-loaded",
            str,
            GRID,
            "fit what a decode step loads to this share of dense's: compares loading methods; "
            "default: budgets as spelled",
        ),
    ]
    units: Annotated[
        str | None,
        Flag(
            "--units",
            str,
            GRID,
            "scaled: pages, blocks, windows follow context and budget; fixed: as at the shortest",
        ),
    ]
    modes: Annotated[
        str | Sequence[str] | None,
        Flag(
            "--modes",
            str,
            GRID,
            f"{', '.join(Mode)}; several joined by commas; see `scbench list modes`",
        ),
    ]
    length: Annotated[
        str | int | Sequence[str | int] | None,
        Flag(
            "--length",
            str,
            GRID,
            "context in tokens of the model: 4k, 131072; several joined by commas; default: 4k "
            "(256 for a lab model, 512 in the default run)",
        ),
    ]
    sessions: Annotated[
        int | None,
        Flag(
            "--sessions",
            int,
            GRID,
            "sessions per task and length (intervals are over these); default: 8 (the default run "
            "has numbers of its own)",
        ),
    ]
    turns: Annotated[
        int | None,
        Flag(
            "--turns",
            int,
            GRID,
            "turns per session; default: each task's own number (the default run's: 2 or 3)",
        ),
    ]
    seed: Annotated[
        str | int | None,
        Flag(
            "--seed",
            str,
            GRID,
            "names the generated sessions; the same seed makes the same ones for ever",
        ),
    ]
    form: Annotated[
        str | None,
        Flag(
            "--form",
            str,
            GRID,
            "full, or tiny for models of some million parameters; default: what the tokenizer is "
            "for",
        ),
    ]
    data: Annotated[
        str | None,
        Flag(
            "--data",
            str,
            GRID,
            "generated, official (microsoft/SCBench), or a folder with its files",
        ),
    ]
    strict_data: Annotated[
        bool | None,
        Flag(
            "--strict-data",
            bool,
            GRID,
            "stop at the first odd row of --data; default: an odd row is a named gap",
        ),
    ]
    prompts: Annotated[
        str | None,
        Flag(
            "--prompts",
            str,
            SHOWN,
            "strict, or official for comparison with published numbers",
        ),
    ]
    history: Annotated[
        str | None,
        Flag(
            "--history",
            str,
            SHOWN,
            "earlier answers where a turn sees them: gold, model, kept (its own KV stays), none",
        ),
    ]
    compress_after: Annotated[
        str | None,
        Flag(
            "--compress-after",
            str,
            SHOWN,
            "context or first-query; default: first-query where turns see history, else context",
        ),
    ]
    truncate: Annotated[
        str | None,
        Flag(
            "--truncate",
            str,
            SHOWN,
            "a prompt beyond the window: refuse, middle, head, drop-row, task-aware",
        ),
    ]
    chat_template: Annotated[
        bool | None,
        Flag(
            "--chat-template/--plain",
            bool,
            SHOWN,
            "default: the tokenizer's own template if it has one",
        ),
    ]
    out: Annotated[
        str | Path | None,
        Flag(
            "--out",
            Path,
            MACHINE,
            "folder of the run; default: one under runs/ that the settings find again, so that "
            "the same command resumes",
        ),
    ]
    dtype: Annotated[
        str | None,
        Flag(
            "--dtype",
            str,
            MACHINE,
            "auto (fp32 on CPU, bf16 on GPU), float32, bfloat16, float16",
        ),
    ]
    device: Annotated[
        str | None,
        Flag(
            "--device",
            str,
            MACHINE,
            "auto, cpu, cuda, cuda:N",
        ),
    ]
    window_tokens: Annotated[
        int | None,
        Flag(
            "--window",
            int,
            MACHINE,
            "tokens the model may hold; default: what it was made for",
        ),
    ]
    trust_remote_code: Annotated[
        bool | None,
        Flag(
            "--trust-remote-code",
            bool,
            MACHINE,
            "run code that comes with a hub model",
        ),
    ]
    accounting: Annotated[
        str | None,
        Flag(
            "--accounting",
            str,
            MACHINE,
            "what a number of a cache counts: bfloat16 whatever is stored, or store: as allocated "
            "here",
        ),
    ]
    agreement: Annotated[
        bool | None,
        Flag(
            "--agreement/--no-agreement",
            bool,
            GRID,
            "feed each gold answer through every method and compare with dense, beside the scores",
        ),
    ]
    cost_sessions: Annotated[
        int | None,
        Flag(
            "--cost-sessions",
            int,
            MACHINE,
            "sessions per length in the cost pass; 0 leaves it out",
        ),
    ]
    cost_repeats: Annotated[
        int | None,
        Flag(
            "--cost-repeats",
            int,
            MACHINE,
            "repeats of each measurement in the cost pass",
        ),
    ]
    lanes: Annotated[
        int | None,
        Flag(
            "--lanes",
            int,
            MACHINE,
            "streams advanced together in one forward",
        ),
    ]
    preset: Annotated[
        str | None,
        Flag(
            "--preset",
            str,
            GRID,
            "quick, paper (its methods, all tasks), all (every method, all tasks); default: quick",
        ),
    ]
    detect: Annotated[
        float | None,
        Flag(
            "--detect",
            float,
            GRID,
            "choose sessions so that a difference of this many points in the average would be "
            "seen; default: --sessions as it is",
        ),
    ]
    config: Annotated[
        str | Path | None,
        Flag(
            "--config",
            Path,
            GRID,
            "a run.toml to take settings from; words on the command line go before it; default: "
            "none",
        ),
    ]
    extend: Annotated[
        str | Path | None,
        Flag(
            "--extend",
            Path,
            GRID,
            "folder of a run to make larger: more methods, tasks, lengths, models or sessions; "
            "default: a run of its own",
        ),
    ]
    keep_old: Annotated[
        bool | None,
        Flag(
            "--keep-old",
            bool,
            MACHINE,
            "keep records that older code or weights made, marked in every table",
        ),
    ]
    debug: Annotated[
        bool | None,
        Flag(
            "--debug",
            bool,
            MACHINE,
            "stop at a method's first exception, as Python shows it (python -m pdb -m scbench run "
            "--debug ...)",
        ),
    ]
    retry_failed: Annotated[
        bool | None,
        Flag(
            "--retry-failed",
            bool,
            MACHINE,
            "play failed turns again",
        ),
    ]
    quiet: Annotated[
        bool | None,
        Flag(
            "--quiet",
            bool,
            MACHINE,
            "no progress",
        ),
    ]
    full: Annotated[
        bool | None,
        Flag(
            "--full",
            bool,
            MACHINE,
            "print every table at the end, not only the one that sums up",
        ),
    ]


def flags() -> dict[str, Flag]:
    """Every word with its flag, in the order of the help."""
    hints = get_type_hints(RunWords, include_extras=True)
    found = {
        name: next(one for one in hint.__metadata__ if isinstance(one, Flag))
        for name, hint in hints.items()
    }
    return dict(sorted(found.items(), key=lambda item: PANELS.index(item[1].panel)))


def helped(name: str, flag: Flag) -> str:
    """The help of a word with its default: as it says itself, else that of `Settings`."""
    is_switch = flag.kind is bool and "/" not in flag.flag  # off where it is not given
    if is_switch or "default" in flag.help or name not in DEFAULTS:
        return flag.help
    value = DEFAULTS[name]
    if flag.kind is bool:
        return f"{flag.help}; default: {flag.flag.split('/')[not value]}"
    told = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{flag.help}; default: {told}"


DEFAULTS: dict[str, Any] = {
    field.name: field.default for field in fields(Settings) if field.default is not MISSING
}
OPTIONS: tuple[tuple[str, Any, str, str, str], ...] = tuple(  # setting, kind, flag, panel, help
    (name, flag.kind, flag.flag, flag.panel, helped(name, flag)) for name, flag in flags().items()
)
