"""Blocks, functions and votes of Code.RepoQA."""

from __future__ import annotations

import pytest

from scbench.scoring import functions, grade
from scbench.scoring.bleu import similarity
from scbench.scoring.functions import by_indentation, first_published, outermost
from scbench.scoring.repoqa import blocks_of, published_reading
from scbench.types import Wanted

from .sources import CLIP, FUNCTIONS


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("plain", ["plain"]),
        ("", [""]),
        ("a\n```py\nb\n```\nc", ["b"]),
        ("```\na\n```\n```\nb\n```", ["a", "b"]),
        ("  ```c++\n  a\n  ```", ["  a"]),
        ("```\na", ["a"]),
        ("~~~\n```\na\n~~~", ["```\na"]),
        ("````\n```\na\n````", ["```\na"]),
        ("```\na\n````\nb", ["a"]),
        ("``` x ` y\na", ["``` x ` y\na"]),
        ("```", [""]),
        ("```\r\na\r\n```\r\n", ["a\r"]),
    ],
)
def test_blocks_are_those_between_fences(text: str, blocks: list[str]) -> None:
    assert blocks_of(text) == blocks


@pytest.mark.parametrize("lang", functions.LANGUAGES)
def test_every_source_of_a_language_is_found_whole_when_fenced(lang: str) -> None:
    sources = FUNCTIONS[lang]
    for name, source in sources.items():
        if name == "Box":
            continue  # a class, found as its methods
        wanted = Wanted(golds=(source,), name=name, lang=lang, candidates=sources)
        score = grade("repoqa", f"Here:\n```{lang}\n{source}\n```", wanted, rule="strict")
        assert score.value == 1.0, (name, score)


def test_methods_of_classes_are_outermost_and_inner_functions_are_not() -> None:
    text = (
        "class A:\n    def f(self):\n        def inner(): pass\n        return inner\n    def "
        "g(self): pass\n"
    )
    assert [f.split("(")[0] for f in outermost(text, "python")] == ["def f", "def g"]
    java = "class Box { int f() { return 1; } Box() { g(); } interface I { void h(); } }"
    assert len(outermost(java, "java")) == 3
    assert outermost("const f = (x: number) => x + 1;\nlist.map((y) => y);", "typescript") == [
        "const f = (x: number) => x + 1;"
    ]


def test_python_is_read_by_indentation_without_its_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(lang: str) -> None:
        raise functions.NoParser(f"no parser for {lang}")

    monkeypatch.setattr(functions, "_parser", missing)
    text = (
        "import x\n\nasync def f(\n    a,\n):\n    def inner():\n        pass\n\n    return "
        "a\n\nclass A:\n    def g(self):\n        pass\nprint(1)"
    )
    assert [found.split("(")[0] for found in outermost(text, "python")] == ["async def f", "def g"]
    assert by_indentation(CLIP) == [CLIP]
    wanted = Wanted(golds=(CLIP,), name="clip", lang="python")
    assert grade("repoqa", f"```\n{CLIP}\n```", wanted, rule="strict").value == 1.0
    assert grade("repoqa", f"```\n{CLIP}\n```", wanted, rule="official").is_gap
    assert grade(
        "repoqa", "```\nx\n```", Wanted(golds=("x",), name="x", lang="go"), rule="strict"
    ).is_gap


def test_released_reader_knows_plain_functions_only() -> None:
    assert first_published(FUNCTIONS["cpp"]["Box::open"], "cpp") is None
    assert first_published(FUNCTIONS["cpp"]["first"], "cpp") is None
    assert first_published(FUNCTIONS["go"]["Push"], "go") is None
    assert first_published(FUNCTIONS["typescript"]["pairs"], "typescript") is None
    assert first_published("x\n" + CLIP, "python") == CLIP
    assert first_published("def f(): return '\ud800'", "python") is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("x\n```c++\na\n```", "x\n```c++\na\n```"),
        (" \n```\na\n```", "a\n"),
        ("  ```\na\n```", "a\n"),
        ("x\n ```\na\n```", "x\n ```\na\n```"),
        ("```\n\n\na\n```", "a\n"),
        ("```py x\na\n```\nb\n```", "b\n"),
        ("```\na", "```\na"),
        ("```\na\n```\n```\ndef f(): pass\n```", "def f(): pass"),
        ("```\na```\n```", "a```\n"),
    ],
)
def test_released_reader_takes_the_first_function_else_the_first_block_else_all(
    text: str, read: str
) -> None:
    assert published_reading(text, "python") == read


def test_equal_sources_under_two_names_are_one_candidate() -> None:
    wanted = Wanted(
        golds=(CLIP,),
        name="clip",
        lang="python",
        candidates={"a": CLIP, "b": CLIP.replace("\n", "\n  "), "clip": CLIP},
    )
    score = grade("repoqa", f"```\n{CLIP}\n```", wanted, rule="strict")
    assert (score.value, score.side["exact"], score.side["similarity"]) == (1.0, 1.0, 1.0)


def test_official_needle_order_decides_between_equals() -> None:
    wanted = Wanted(golds=(CLIP,), name="clip", lang="python")
    for needles, value in (
        ([(CLIP, "copy"), (CLIP, "clip")], 0.0),
        ([(CLIP, "clip"), (CLIP, "copy")], 1.0),
    ):
        assert (
            grade("repoqa", f"```\n{CLIP}\n```", wanted, rule="official", needles=needles).value
            == value
        )


def test_similarities_of_the_table_are_as_described() -> None:
    clamp = CLIP.replace("def clip(", "def clamp(").replace("low to high.", "low up to high.")
    assert 0.8 < similarity(clamp, CLIP) < 1
    assert similarity("\n".join(CLIP.split("\n")[:5]), CLIP) < 0.8


def test_three_hundred_candidates_are_searched_in_a_blink() -> None:
    import time

    pool = {
        f"f{i}": CLIP.replace("clip", f"clip{i}").replace("out", f"out{i % 17}") for i in range(300)
    }
    wanted = Wanted(golds=(pool["f7"],), name="f7", lang="python", candidates=pool)
    start_s = time.process_time()
    assert grade("repoqa", f"```\n{pool['f7']}\n```", wanted, rule="strict").value == 1.0
    assert time.process_time() - start_s < 30
