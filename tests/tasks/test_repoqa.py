"""Code.RepoQA: functions cut as they mean, described without being quoted, alone of their kind,
found only by their own span.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from solvers_documents import bm25, functions, spans_text, uniform_distance, without

from scbench.errors import BadConfig, BadRow, MissingExtra, TooLarge, TooSmall
from scbench.scoring import bleu
from scbench.scoring.grade import grade
from scbench.tasks import task
from scbench.tasks.build import tolerance
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.tasks.materials.functions import corpus, harvest, likeness
from scbench.tasks.materials.functions.corpus import PACKAGES, CorpusPackage
from scbench.tasks.materials.functions.describe import described, prose, shape, tells_name
from scbench.tasks.materials.functions.source import Function, functions_of, words_of
from scbench.types import Role, Session

TASK = task("repoqa")
SESSIONS = 6


def make(
    seed: str = "3:0",
    target: int = 32_000,
    turns: int = 5,
    count: Counter = Bytes(),  # noqa: B008
    **knobs: object,
) -> Session:
    return TASK.make(seed=seed, target=target, turns=turns, count=count, **knobs)


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return [make(f"3:{i}") for i in range(SESSIONS)]


def strict(session: Session, turn: int, prediction: str) -> float | None:
    return grade("repoqa", prediction, session.turns[turn].wanted, rule="strict").value


# --- cutting --------------------------------------------------------------------------------------


def cut(text: str) -> list[str]:
    return [function.source for function in functions_of(text.encode(), "m")]


def test_a_docstring_leaves_with_its_lines_and_nothing_else() -> None:
    text = (
        'class A:\n    @p\n    def f(self):\n        """One.\n\n        Two.\n        """\n        '
        "# why\n        x = 1\n        return x\n"
    )
    assert cut(text) == ["@p\ndef f(self):\n    # why\n    x = 1\n    return x"]


@pytest.mark.parametrize(
    "text",
    [
        'def f():\n    """One."""; x = 1\n    y = 2\n    return x\n',  # docstring beside code
        # dedenting would change the string
        'class A:\n    def f(self):\n        x = """a\n        b"""\n        return x\n',
        'def f():\n    """Only a\n    docstring\n    here."""\n',
        "def f():\n    return 1\n",  # two lines
        "def f(:\n    x\n    y\n",
    ],
)
def test_a_function_that_cannot_be_cut_without_changing_it_is_left_out(text: str) -> None:
    assert cut(text) == []


def test_functions_inside_functions_are_not_functions_of_the_library() -> None:
    assert cut("def f():\n    def g():\n        return 1\n    return g\n") == [
        "def f():\n    def g():\n        return 1\n    return g"
    ]


# --- descriptions ---------------------------------------------------------------------------------


def one(doc: str, name: str = "crossing", code: str = "x = 1\n    return x") -> Function:
    return next(functions_of(f'def {name}(G, k=2):\n    """{doc}"""\n    {code}\n'.encode(), "m"))


@pytest.mark.parametrize(
    ("doc", "told"),
    [
        ("Return the k-core of `G` in one pass.", "Returns the k-core of G in one pass."),
        ("Identify each node of a :class:`~a.Graph` twice", "Identify each node of a Graph twice."),
        ("Try each of the ``k`` ways (see below) in turn.", "Tries each of the k ways in turn."),
        ("Compute the very own sum. It is exact.\n\nMore.", "Computes the very own sum. It is exact."),
        ("Return all nodes of it. Then x = y[0] holds.", "Returns all nodes of it."),
        ("Return x.y of the given edges.", ""),  # code in it
        ("Too short.", ""),
        ("Return f(x) for each x > 0 there is.", ""),
        ("Renvoie la somme des nœuds du graphe.", ""),
    ],
)  # fmt: skip
def test_a_description_says_what_the_docstring_says_without_markup(doc: str, told: str) -> None:
    assert prose(one(doc)) == told


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        ("k_core", True),
        ("core_number_of_graph", True),
        ("peel", False),
        ("coreness_by_peeling", False),
        ("returnsCore", True),
        ("_", True),
    ],
)
def test_a_name_or_most_of_its_words_are_not_told(name: str, is_told: bool) -> None:
    assert tells_name(one("", name), "Returns the k-core of a graph.") is is_told


def test_the_shape_of_a_function_is_what_its_code_looks_like() -> None:
    code = (
        "for a in G:\n        if a:\n            raise ValueError(a)\n        raise\n    return k"
    )
    assert shape(one("", code=code)) == (
        "It takes 2 arguments, 1 of them optional, has a loop, has 1 return statement, raises "
        "ValueError, and is about 5 lines long."
    )
    assert "raises an exception" in shape(
        one("", code="try:\n        G()\n    except E:\n        raise")
    )


def test_the_corpus_is_the_pinned_one_whatever_the_python() -> None:
    """Another version, another Python's file order or a changed file would make other sessions."""
    books = harvest.library()
    assert books.corpus == "networkx 3.6.1, sympy 1.14.0"
    assert books.sha256.startswith("7ad7668ac2ac12cb")
    assert make().recipe["corpus"] == books.corpus
    pins = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for package in PACKAGES:
        assert f'"{package.name}=={package.pinned}"' in pins


def test_a_corpus_that_is_not_installed_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = CorpusPackage(name="no-such-package-here", pinned="1.0")
    monkeypatch.setattr(corpus, "PACKAGES", (gone,))
    with pytest.raises(MissingExtra, match="pip install no-such-package-here"):
        corpus.installed()


# --- the library ----------------------------------------------------------------------------------


def test_the_library_is_read_from_its_kept_copy_exactly() -> None:
    books = harvest.library()
    place = harvest._cache_place(books.sha256)
    assert place is not None
    assert harvest._read(place) == (books.functions, books.needles)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-9],
        lambda b: b.replace(b"name", b"nome", 1),
        lambda b: b"",
        lambda b: b"{}\n[]",
    ],
)
def test_a_damaged_copy_is_not_believed(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    place = tmp_path / "a" / "copy.json"
    made = (
        tuple(functions_of(b"def f():\n    x = 1\n    return x\n", "m")),
        (harvest.Needle(0, ("x",), ()),),
    )
    harvest._write(place, made)
    assert harvest._read(place) == made
    place.write_bytes(damage(place.read_bytes()))
    assert harvest._read(place) is None
    assert [path.name for path in place.parent.iterdir()] == ["copy.json"]


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_harvest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    harvest._write(tmp_path / "file" / "copy.json", ((), ()))
    assert harvest._read(tmp_path / "file" / "copy.json") is None


@pytest.mark.slow
def test_rivals_are_those_a_comparison_of_all_pairs_finds() -> None:
    books = harvest.library()
    some, needles = books.functions[:9000:23], range(0, 390, 13)
    found = set(likeness._alike_in_source(some, needles))
    sources = [function.source for function in some]
    slow = {
        (i, j)
        for i in needles
        for j in range(len(some))
        if i != j
        and max(bleu.similarity(sources[i], sources[j]), bleu.similarity(sources[j], sources[i]))
        >= likeness.MOST_BLEU
    }
    assert found == slow


def test_roots_add_functions_and_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no folder"):
        make(roots=(str(tmp_path / "none"),))


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "turns", "count"),
    [
        (256, 2, Words()),
        (1024, 5, Words()),
        (4096, 5, Words()),
        (32_768, 5, Words()),
        (2048, 5, Bytes()),
        (16_384, 12, Bytes()),
    ],
)
def test_a_session_has_the_length_asked_for(target: int, turns: int, count: Counter) -> None:
    session = make(target=target, turns=turns, count=count)
    assert session.counted == count(session.context)
    assert abs(session.counted - target) <= tolerance(target)
    assert len(session.turns) == turns


def test_lengths_out_of_reach_are_refused_with_the_nearest_possible() -> None:
    with pytest.raises(TooSmall) as small:
        make(target=200, turns=4)
    assert make(target=small.value.minimum, turns=4).counted <= small.value.minimum + tolerance(
        small.value.minimum
    )
    with pytest.raises(TooLarge) as large:
        make(target=50_000_000)
    assert make(target=large.value.maximum).counted <= large.value.maximum
    assert make(target=TASK.minimum(turns=3, count=Bytes()), turns=3)


def test_more_turns_than_functions_and_bad_knobs_are_refused() -> None:
    for knobs in (
        {"turns": 5000, "target": 10_000_000},
        {"lines": (6, 400)},
        {"hints": "all"},
        {"line": 3},
        {"lines": "6"},
    ):
        with pytest.raises(BadConfig):
            make(**knobs)  # type: ignore[arg-type]


def test_the_answer_span_is_one_whole_function_of_a_context_that_parses(
    sessions: list[Session],
) -> None:
    for session in sessions:
        found = functions(session.context)
        for turn in session.turns:
            (source,) = spans_text(session, turn, Role.ANSWER)
            assert spans_text(session, turn, Role.SUPPORT) == [source]
            assert len(ast.parse(source).body) == 1
            assert found[source] == turn.wanted.name
            assert session.context.count(source) == 1
            assert turn.wanted.golds == (source,)


def test_candidates_are_all_functions_of_the_context(sessions: list[Session]) -> None:
    for session in sessions:
        candidates = session.turns[0].wanted.candidates
        assert set(candidates.values()) == set(functions(session.context))
        assert all(
            turn.wanted.candidates[turn.wanted.name or ""] == turn.wanted.golds[0]
            for turn in session.turns
        )


def test_an_asked_function_is_unlike_every_other_in_source_and_description(
    sessions: list[Session],
) -> None:
    told = {function.source: function for function in harvest.library().functions}
    for session in sessions[:3]:
        for turn in session.turns:
            gold, own = turn.wanted.golds[0], set(words_of(turn.wanted.question))
            looks = shape(told[gold])
            for source in set(turn.wanted.candidates.values()) - {gold}:
                assert max(bleu.similarity(gold, source), bleu.similarity(source, gold)) < 0.6
                assert shape(told[source]) != looks
                other = set(words_of(described(told[source], "structure")))
                assert len(own & other) / len(own | other) < 0.6 or not prose(told[source])


def test_no_docstring_is_quoted_and_no_description_names_its_function(
    sessions: list[Session],
) -> None:
    of = {function.source: function for function in harvest.library().functions}
    docs = {source: function.doc for source, function in of.items()}
    for session in sessions:
        context = " ".join(words_of(session.context))
        for turn in session.turns:
            words = words_of(docs[turn.wanted.golds[0]])
            assert not any(" ".join(words[i : i + 6]) in context for i in range(len(words) - 5))
            assert (turn.wanted.name or "").lower() not in turn.wanted.question.lower()
            assert turn.wanted.question == described(of[turn.wanted.golds[0]], "structure")
            assert turn.wanted.golds[0] not in turn.ask


def test_the_gold_scores_1_even_in_an_unclosed_fence_and_another_turns_gold_0(
    sessions: list[Session],
) -> None:
    for session in sessions:
        needles = [(turn.wanted.golds[0], turn.wanted.name or "") for turn in session.turns]
        for k, turn in enumerate(session.turns):
            assert (
                strict(session, k, turn.gold)
                == strict(session, k, turn.gold.removesuffix("```"))
                == 1
            )
            assert (
                grade("repoqa", turn.gold, turn.wanted, rule="official", needles=needles).value == 1
            )
            assert strict(session, k, session.turns[k - 1].gold) == 0


def test_without_its_span_no_function_of_the_context_scores(sessions: list[Session]) -> None:
    session = sessions[0]
    for k, turn in enumerate(session.turns):
        left = list(functions(without(session, turn)))
        assert len(left) == len(turn.wanted.candidates) - 1
        ranked = bm25(turn.wanted.question, dict(zip(left, left, strict=True)))
        assert all(strict(session, k, f"```python\n{source}\n```") == 0 for source in ranked[:20])


@pytest.mark.slow
def test_depths_are_one_in_each_part_and_uniform_over_sessions() -> None:
    depths = []
    for i in range(60):
        session = make(f"5:{i}", target=16_000)
        own = [turn.depth for turn in session.turns if turn.depth is not None]
        assert sorted(int(depth * 5) for depth in own) == [0, 1, 2, 3, 4]
        depths += own
    assert uniform_distance(depths) < 0.05


def test_asked_functions_do_not_depend_on_the_length() -> None:
    short, long = make(target=20_000), make(target=60_000)
    assert [turn.ask for turn in short.turns] == [turn.ask for turn in long.turns]


@pytest.mark.slow
def test_words_alone_find_few_functions_and_rare_words_most() -> None:
    """The difficulty figures the task's text states, on 60 turns among some 260 functions."""
    share = {}
    for hints in ("structure", "lexical"):
        made = [make(f"0:{i}", target=100_000, hints=hints) for i in range(12)]
        turns = [turn for session in made for turn in session.turns]
        share[hints] = sum(
            bm25(turn.wanted.question, turn.wanted.candidates)[0] == turn.wanted.name
            for turn in turns
        ) / len(turns)
    assert 0.15 <= share["structure"] <= 0.5
    assert 0.6 <= share["lexical"] <= 0.95


def test_the_same_arguments_make_the_same_session_in_another_process() -> None:
    code = "from scbench.tasks import task; from scbench.tasks.contract import Bytes\n"
    code += "print(task('repoqa').make(seed='3:0', target=9000, turns=3, count=Bytes()).digest)"
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == make(target=9000, turns=3).digest
    assert make("3:1", 9000, 3).digest != make("3:2", 9000, 3).digest


def test_descriptions_differ_by_hints_and_functions_may_carry_their_module() -> None:
    asks = {hints: make(hints=hints).turns[0].ask for hints in ("none", "structure", "lexical")}
    assert len(set(asks.values())) == 3
    session = make(module_lines=True)
    assert session.context.count("# module: ") == len(session.turns[0].wanted.candidates)
    assert not any(source.startswith("# module") for source in session.turns[0].wanted.golds)


def test_a_published_turn_is_read_and_a_written_row_reads_back() -> None:
    row = {"context": "c", "lang": "rust", "repo": "a/b"}
    turn = TASK.read_turn(row, {"input": "Which?", "answer": "fn f() {}", "name": "f", "more": 1})
    assert (turn.ask, turn.gold, turn.max_new_tokens) == ("Which?", "fn f() {}", 1024)
    assert (turn.wanted.lang, turn.wanted.repo, turn.wanted.name, turn.wanted.generated) == (
        "rust",
        "a/b",
        "f",
        False,
    )
    assert TASK.read_turn({}, {"input": "Which?", "answer": "x"}).wanted.name is None
    with pytest.raises(BadRow):
        TASK.read_turn(row, {"input": "Which?"})
    session = make()
    written = TASK.write_row(session, 7)
    assert (written["context"], written["lang"], written["id"]) == (session.context, "python", 7)
    for item, made in zip(written["multi_turns"], session.turns, strict=True):  # type: ignore[call-overload]
        assert TASK.read_turn(written, item).wanted.golds == made.wanted.golds


def test_limits_leave_room_for_the_whole_answer(sessions: list[Session]) -> None:
    for turn in (turn for session in sessions for turn in session.turns):
        assert turn.max_new_tokens == min(max(64, -(-3 * len(turn.gold) // 2) + 32), 1024)


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 3])
def test_every_pair_of_asked_functions_is_unlike_at_a_million_tokens(turns: int) -> None:
    session = make(target=1_000_000, turns=turns)
    assert abs(session.counted - 1_000_000) <= 20_000
    for one, other in combinations(session.turns, 2):
        assert bleu.similarity(one.wanted.golds[0], other.wanted.golds[0]) < 0.6
