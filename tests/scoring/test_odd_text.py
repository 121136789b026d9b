"""No text makes a scorer raise, and every score is a value in 0..1 or a gap with a reason."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, Unknown
from scbench.scoring import SUBTASKS, grade
from scbench.types import Wanted

from .corpus import NOISE, corpus
from .sources import CLIP

ANY = st.text(st.characters(exclude_categories=[]), max_size=60)
PIECES = st.lists(
    st.sampled_from(
        [*NOISE, "```", "\n", " ", "def f():", "(A)", "C", "{", "}", "answer is", "\ud800", "~~~"]
    ),
    max_size=14,
).map("".join)
WANTED = st.builds(
    Wanted,
    golds=st.lists(
        ANY | st.sampled_from(["77", "A", "Bob", "林小梅", CLIP]), min_size=0, max_size=3
    ).map(tuple),
    generated=st.booleans(),
    question=ANY,
    shape=st.sampled_from([None, "uuid", "digits", "other"]),
    asked_key=st.none() | ANY,
    options=st.lists(ANY, max_size=5).map(tuple),
    vocabulary=st.lists(ANY, max_size=4).map(tuple),
    numeric=st.booleans(),
    name=st.none() | ANY,
    lang=st.sampled_from([None, "python", "java", "typescript", "rust", "cpp", "go", "cobol"]),
    candidates=st.dictionaries(ANY, ANY, max_size=3),
    facts=st.lists(ANY, max_size=2).map(tuple),
    rival_facts=st.lists(ANY, max_size=2).map(tuple),
    rival_golds=st.lists(ANY, max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=400)
@given(
    task=st.sampled_from(SUBTASKS),
    rule=st.sampled_from(["strict", "official"]),
    text=ANY | PIECES,
    wanted=WANTED,
)
def test_any_text_and_any_want_give_a_score(
    task: str, rule: str, text: str, wanted: Wanted
) -> None:
    score = grade(task, text, wanted, rule=rule)  # type: ignore[arg-type]
    assert score.rule == {"strict": "strict/3", "official": "official/1"}[rule]
    assert score.why if score.is_gap else 0 <= (score.value or 0) <= 1


BLOBS = {
    "blank lines": "```" + "\n" * 200_000,
    "fences": "```\n" * 40_000,
    "digits": "9" * 300_000,
    "groups": "1" + ",111" * 60_000 + "x",
    "phrases": "answer is: " * 20_000,
    "brackets": "{(" * 20_000,
    "marks": "!?.\n " * 40_000,
    "letters": "A. " * 60_000,
}
BIG_WANTS = {
    "mf": Wanted(golds=("77",)),
    "choice_eng": Wanted(golds=("Bob",), options=("Alice", "Bob", "Carl", "Dan")),
    "repoqa": Wanted(golds=(CLIP,), name="clip", lang="python"),
}


@pytest.mark.parametrize("task", SUBTASKS)
@pytest.mark.parametrize("rule", ["strict", pytest.param("official", marks=pytest.mark.slow)])
def test_a_huge_answer_is_scored_in_linear_time(task: str, rule: str) -> None:
    wanted = BIG_WANTS.get(task, Wanted(golds=("The board advises a second pier.",)))
    start_s = time.process_time()
    for blob in BLOBS.values():
        grade(task, blob, wanted, rule=rule)  # type: ignore[arg-type]
    # A second here; what grows with the square of the length takes hours.
    assert time.process_time() - start_s < 60


@pytest.mark.parametrize(
    "task", ["kv", "prefix_suffix", "vt", "qa_eng", "many_shot", "summary", "passkey"]
)
def test_an_ideal_answer_scores_one_under_both_rules(task: str) -> None:
    for item in corpus(task, 60, seed=4):
        golds = item.label if isinstance(item.label, list) else [item.label]
        if not any(c.isascii() and c.isalnum() for c in "".join(golds)) or (
            task == "prefix_suffix" and set("<>-_") & set("".join(golds))
        ):
            continue
        for rule in ("strict", "official"):
            score = grade(task, ", ".join(golds), Wanted(golds=tuple(golds)), rule=rule)  # type: ignore[arg-type]
            assert score.value == pytest.approx(1.0), (item, score)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(Unknown, match="did you mean 'qa_eng'"):
        grade("qa_en", "x", Wanted(golds=("x",)), rule="strict")
    with pytest.raises(BadConfig, match="'lenient'"):
        grade("kv", "x", Wanted(golds=("x",)), rule="lenient")  # type: ignore[arg-type]
    assert grade("scbench_kv", "x", Wanted(golds=("x",)), rule="strict").value == 1.0


def test_importing_the_room_loads_none_of_its_heavy_helpers() -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'nltk', 'rouge_score', 'tree_sitter', 'numpy'}"
    code = f"import sys, scbench.scoring; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
