"""What the paper's tables need to know of the twelve tasks: title, ability, order, and the sub-tasks of the two mixes.

Source: SCBench (arXiv 2412.10319), Table 2 and the column groups of Table 4. A task of any other name is reported too, but counts
in no category.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperTask:
    name: str
    title: str
    ability: str
    parts: tuple[str, ...] = ()  # sub-tasks whose means are averaged; empty for a plain task


STRING, SEMANTIC, GLOBAL, MULTI = "Retr.String", "Retr.Semantic", "Global", "Multi-task"
ABILITIES = (STRING, SEMANTIC, GLOBAL, MULTI)
OVERALL = "Overall"

TASKS = (
    PaperTask("kv", "Retr.KV", STRING),
    PaperTask("prefix_suffix", "Retr.Prefix-Suffix", STRING),
    PaperTask("vt", "Retr.MultiHop", STRING),
    PaperTask("repoqa", "Code.RepoQA", SEMANTIC),
    PaperTask("qa_eng", "En.QA", SEMANTIC),
    PaperTask("qa_chn", "Zh.QA", SEMANTIC),
    PaperTask("choice_eng", "En.MultiChoice", SEMANTIC),
    PaperTask("mf", "Math.Find", GLOBAL),
    PaperTask("many_shot", "ICL.ManyShot", GLOBAL),
    PaperTask("summary", "En.Sum", GLOBAL),
    PaperTask("summary_with_needles", "Mix.Sum+NIAH", MULTI, ("summary", "passkey")),
    PaperTask("repoqa_and_kv", "Mix.RepoQA+KV", MULTI, ("repoqa", "kv")),
)
# What the best constant answer scores under the strict scorers, by form and sub-task; the same
# numbers as the tasks' own (a test compares them). A scorer's measured floor comes before these.
CHANCES = {
    "full": {
        "qa_eng": 0.03,
        "qa_chn": 0.03,
        "choice_eng": 0.25,
        "mf": 0.05,
        "many_shot": 1 / 6,
        "summary": 0.45,
    },
    "tiny": {"choice_eng": 0.25, "many_shot": 0.5, "summary": 0.5},
}
STORY = ("qa_eng", "qa_chn", "choice_eng")  # one seed asks the same questions in all three
BY_NAME = {task.name: task for task in TASKS}
ORDER = {task.name: place for place, task in enumerate(TASKS)}


def tasks_of(ability: str) -> tuple[str, ...]:
    return tuple(task.name for task in TASKS if task.ability == ability)


def title_of(task: str, part: str = "") -> str:
    title = BY_NAME[task].title if task in BY_NAME else task
    return f"{title} / {part}" if part else title


def parts_of(task: str) -> tuple[str, ...]:
    return BY_NAME[task].parts if task in BY_NAME else ()


def in_paper_order(names: set[str]) -> tuple[str, ...]:
    """Tasks of the paper first, in its order; then the others by name."""
    return tuple(sorted(names, key=lambda name: (ORDER.get(name, len(ORDER)), name)))


def ability_of(task: str) -> str:
    """The paper's ability; the task's own name for a task that is not the paper's."""
    return BY_NAME[task].ability if task in BY_NAME else task


def chance_of(form: str, part: str) -> float:
    return CHANCES.get(form, {}).get(part, 0.0)


def source_of(task: str) -> str:
    """What a task draws its questions from: tasks of one source share them, seed by seed."""
    return "story" if task in STORY else task
