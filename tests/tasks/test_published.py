from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest

from scbench.errors import BadConfig, BadRow, Unknown
from scbench.task_cards import PAPER
from scbench.tasks import published, published_set, task
from scbench.tasks.contract import Bytes
from scbench.types import Role

KEY, VALUE = "11111111-2222-4333-8444-555555555555", "0f3c9a52-7b1e-4d60-9c55-2a8e61d4b7f0"
CLIP = "def clip(x):\n    return min(x, 1)"
WRAP = "def wrap(x):\n    return x % 7"
ROWS: dict[str, dict[str, Any]] = {
    "kv": {
        "id": 9,
        "context": f'{{"{KEY}": "{VALUE}"}}',
        "multi_turns": [{"answer": VALUE, "input": f'Key: "{KEY}"'}],
    },
    "prefix_suffix": {
        "context": "ab12cd\nef34gh\n",
        "multi_turns": [{"answer": "ef34gh", "input": "ef ... gh"}],
    },
    "vt": {
        "input": "VAR ABCDE = 48213 noise VAR FGHIJ = VAR ABCDE noise",
        "index": 4,
        "length": 9,
        "multi_turns": [{"answer": ["ABCDE", "FGHIJ"], "input": "Find all variables of 48213"}],
    },
    "repoqa": {
        "context": f"{CLIP}\n\n\n{WRAP}\n",
        "lang": "python",
        "repo": "us/tools",
        "stars": 3,
        "multi_turns": [{"answer": CLIP, "input": "It bounds a number.", "name": "clip"}],
    },
    "repoqa_and_kv": {
        "context": f'{CLIP}\n\n\n# "{KEY}": "{VALUE}"\n{WRAP}\n',
        "lang": "python",
        "repo": "us/tools",
        "multi_turns": [
            {
                "answer": CLIP,
                "input": "It bounds a number.",
                "task": "scbench_repoqa",
                "name": "clip",
            },
            {"answer": VALUE, "input": f'Key: "{KEY}"', "task": "scbench_kv"},
        ],
    },
    "qa_eng": {
        "id": 1,
        "context": "Mara went to the old mill.",
        "multi_turns": [{"answer": "the old mill", "input": "Where?"}],
    },
    "qa_chn": {
        "id": 1,
        "context": "林小梅去了老磨坊。",
        "multi_turns": [{"answer": "老磨坊", "input": "去了哪里？"}],
    },
    "choice_eng": {
        "id": 2,
        "context": "Bob rang.",
        "multi_turns": [
            {"answer": "Bob", "input": "Who rang?", "options": ["Ann", "Cy", "Bob", "Di"]}
        ],
    },
    "mf": {
        "id": 3,
        "context": [3, 1, 2],
        "multi_turns": [{"answer": 3, "input": "The largest number is"}],
    },
    "many_shot": {
        "id": 5,
        "task": "date",
        "context": "Question: x\nAnswer: (A)\n\n",
        "multi_turns": [{"answer": "B", "input": "Question: y\nOptions:\n(A) 1\n(B) 2\nAnswer:"}],
    },
    "summary": {
        "context": "Report 1: mills\nThey grind.",
        "multi_turns": [{"answer": "Mills grind.", "input": "Summarize it."}],
    },
    "summary_with_needles": {
        "context": "Report 1: mills\nThe pass key for red fox is 90210. Remember it.",
        "multi_turns": [
            {"answer": "Mills.", "input": "Summarize it.", "task": "scbench_summary"},
            {"answer": "90210", "input": "What is the pass key?", "task": "scbench_passkey"},
        ],
    },
}


def put(folder: Path, name: str, rows: list[dict[str, Any]], place: str = "{0}.jsonl") -> Path:
    path = folder / place.format(f"scbench_{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        polars.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    else:
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    return path


def test_there_is_a_published_row_of_every_task() -> None:
    assert set(ROWS) == set(PAPER)


@pytest.mark.parametrize(
    "place", ["{0}/test-00000-of-00001.parquet", "{0}.parquet", "data/{0}.jsonl", "{0}.jsonl"]
)
@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_of_every_config_is_read_from_every_place(
    name: str, place: str, tmp_path: Path
) -> None:
    put(tmp_path, name, [ROWS[name]], place)
    (session,) = published.read(name, tmp_path)
    raw = ROWS[name].get("context", ROWS[name].get("input"))
    assert session.context == (raw if isinstance(raw, str) else str(raw))
    assert [turn.ask for turn in session.turns] == [
        item["input"] for item in ROWS[name]["multi_turns"]
    ]
    assert all(turn.gold and not turn.wanted.generated for turn in session.turns)


def test_list_of_numbers_becomes_the_text_that_python_prints(tmp_path: Path) -> None:
    put(tmp_path, "mf", [ROWS["mf"]], "{0}.parquet")
    (session,) = published.read("mf", tmp_path)
    assert (session.context, session.turns[0].gold) == ("[3, 1, 2]", "3")


def test_recipe_names_file_hash_and_row_and_keeps_the_id_as_a_note(tmp_path: Path) -> None:
    import hashlib

    path = put(tmp_path, "kv", [ROWS["kv"], {**ROWS["kv"], "id": 9}])
    first, second = published.read("kv", tmp_path)
    assert first.recipe["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (
        (first.recipe["row"], first.recipe["id"]),
        (second.recipe["row"], second.recipe["id"]),
    ) == ((0, 9), (1, 9))
    assert first.digest != second.digest
    assert str(tmp_path) not in str(first.recipe)


@pytest.mark.parametrize(
    ("name", "turn", "texts"),
    [
        ("kv", 0, [VALUE]),
        ("prefix_suffix", 0, ["ef34gh"]),
        ("vt", 0, ["ABCDE", "FGHIJ"]),
        ("repoqa", 0, [CLIP]),
        ("repoqa_and_kv", 1, [VALUE]),
        ("summary_with_needles", 1, ["90210"]),
        ("qa_chn", 0, ["老磨坊"]),
        ("choice_eng", 0, []),
        ("summary", 0, []),
    ],
)
def test_evidence_is_where_the_gold_stands(
    name: str, turn: int, texts: list[str], tmp_path: Path
) -> None:
    put(tmp_path, name, [ROWS[name]])
    (session,) = published.read(name, tmp_path)
    spans = session.turns[turn].evidence
    assert [session.context[span.start : span.stop] for span in spans] == texts
    assert all(span.role is Role.ANSWER for span in spans)


def test_a_gold_that_stands_twice_has_no_evidence(tmp_path: Path) -> None:
    put(tmp_path, "qa_eng", [{**ROWS["qa_eng"], "context": "the old mill, and again the old mill"}])
    (session,) = published.read("qa_eng", tmp_path)
    assert session.turns[0].evidence == ()


def test_candidates_come_from_all_rows_of_the_repo_before_the_limit(tmp_path: Path) -> None:
    other = {
        **ROWS["repoqa"],
        "multi_turns": [{"answer": WRAP, "input": "It wraps.", "name": "wrap"}],
    }
    elsewhere = {**other, "repo": "them/others"}
    twin = {
        **ROWS["repoqa"],
        "multi_turns": [{"answer": CLIP + "  # twin", "input": "It bounds.", "name": "clip"}],
    }
    put(tmp_path, "repoqa", [ROWS["repoqa"], other, elsewhere, twin])
    (session,) = published.read("repoqa", tmp_path, limit=1)
    candidates = session.turns[0].wanted.candidates
    assert candidates["clip"] == CLIP
    assert sorted(candidates.values()) == sorted([CLIP, WRAP, CLIP + "  # twin"])


def test_key_value_turns_are_no_candidates(tmp_path: Path) -> None:
    put(tmp_path, "repoqa_and_kv", [ROWS["repoqa_and_kv"]])
    (session,) = published.read("repoqa_and_kv", tmp_path)
    assert dict(session.turns[0].wanted.candidates) == {"clip": CLIP}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", sorted(ROWS))
def test_written_sessions_come_back_whole(name: str, form: published.Form, tmp_path: Path) -> None:
    kind = task(name)
    turns = 2
    target = max(1500, int(kind.minimum(turns=turns, count=Bytes()) * 1.1))
    made = [kind.make(seed=f"3:{at}", target=target, turns=turns, count=Bytes()) for at in range(2)]
    published.write(kind, made, tmp_path, form=form)
    back = list(published.read(name, tmp_path))
    assert [(session.digest, session.turns, session.context) for session in back] == [
        (s.digest, s.turns, s.context) for s in made
    ]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_written_sessions_can_be_read_without_their_side_file(name: str, tmp_path: Path) -> None:
    kind = task(name)
    target = max(1500, int(kind.minimum(turns=2, count=Bytes()) * 1.1))
    made = kind.make(seed="3:0", target=target, turns=2, count=Bytes())
    published.write(kind, [made], tmp_path)
    (tmp_path / f"{kind.config}.evidence.jsonl").unlink()
    (back,) = published.read(name, tmp_path)
    assert (back.context, [turn.ask for turn in back.turns]) == (
        made.context,
        [turn.ask for turn in made.turns],
    )


def test_a_row_changed_beside_its_side_file_is_refused(tmp_path: Path) -> None:
    kind = task("kv")
    published.write(kind, [kind.make(seed="1", target=1500, turns=2, count=Bytes())], tmp_path)
    path = tmp_path / "scbench_kv.jsonl"
    path.write_text(path.read_text().replace("value associated", "value belonging"))
    with pytest.raises(BadRow, match=r"evidence\.jsonl"):
        list(published.read("kv", tmp_path))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"multi_turns": [{"input": "x", "answer": "y"}]}, "row 0: 'context'"),
        ({"context": 7, "multi_turns": [{"input": "x", "answer": "y"}]}, "row 0: 'context'"),
        ({"context": "c"}, "row 0: 'multi_turns'"),
        ({"context": "c", "multi_turns": []}, "row 0: 'multi_turns'"),
        (
            {"context": "c", "multi_turns": [{"input": "x", "answer": "y"}, {"input": "x"}]},
            "row 0, turn 1: .*answer",
        ),
    ],
)
def test_a_bad_row_is_named_by_file_row_and_field(
    row: dict[str, Any], says: str, tmp_path: Path
) -> None:
    put(tmp_path, "kv", [row])
    with pytest.raises(BadRow, match=r"scbench_kv\.jsonl " + says):
        list(published.read("kv", tmp_path))


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "scbench_kv.jsonl").write_text(json.dumps(ROWS["kv"]) + "\n{torn\n")
    with pytest.raises(BadRow, match="line 2"):
        list(published.read("kv", tmp_path))


def test_a_folder_without_the_config_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Unknown, match=r"data/scbench_kv\.jsonl"):
        published.read("kv", tmp_path)


def test_without_a_network_the_official_data_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub

    def refuse(**_: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(Unknown, match="huggingface-cli download microsoft/SCBench"):
        published.read("kv", "official")


def test_a_limit_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig):
        published.read("kv", tmp_path, limit=0)


GOOD, TORN = json.dumps(ROWS["kv"]), "{torn"
EMPTY_GOLD = json.dumps({"context": "c", "multi_turns": [{"input": "x", "answer": " "}]})


def test_an_odd_row_is_named_in_its_place_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "scbench_kv.jsonl").write_text("\n".join([GOOD, TORN, EMPTY_GOLD, GOOD]))
    first, torn, empty, last = published.read_rows("kv", tmp_path)
    assert [first.recipe["row"], last.recipe["row"]] == [0, 3]  # type: ignore[union-attr]
    assert isinstance(torn, BadRow)
    assert "line 2" in str(torn)
    assert isinstance(empty, BadRow)
    assert "row 2, turn 0" in str(empty)
    assert "none of them empty" in str(empty)


@pytest.mark.parametrize("name", ["kv", "qa_eng", "choice_eng", "vt", "repoqa", "summary"])
@pytest.mark.parametrize("answer", ["", "  ", [], [""], ["x", " "]])
def test_an_empty_gold_is_an_odd_row(name: str, answer: object, tmp_path: Path) -> None:
    row = json.loads(json.dumps(ROWS[name]))
    row["multi_turns"][0]["answer"] = answer
    put(tmp_path, name, [row])
    with pytest.raises(BadRow, match="row 0, turn 0"):
        list(published.read(name, tmp_path))


@pytest.mark.parametrize(("answer", "gold"), [(7.0, "7"), (7, "7"), (2.5, "2.5")])
def test_a_number_is_a_gold_however_it_came(answer: float, gold: str, tmp_path: Path) -> None:
    put(tmp_path, "mf", [{**ROWS["mf"], "multi_turns": [{"answer": answer, "input": "The x is"}]}])
    (session,) = published.read("mf", tmp_path)
    assert session.turns[0].gold == gold


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "scbench_kv.jsonl").write_text(text)
    with pytest.raises(BadRow, match=r"scbench_kv\.jsonl is empty"):
        list(published.read("kv", tmp_path))


# --- what a folder holds --------------------------------------------------------------------------


def test_the_table_has_every_config() -> None:
    assert set(published_set.PUBLISHED) == set(ROWS)
    assert sum(one.rows for one in published_set.PUBLISHED.values()) == 922
    assert sum(one.turns for one in published_set.PUBLISHED.values()) == 5143


@pytest.mark.parametrize("name", ROWS)
def test_our_rows_have_the_fields_of_the_published_ones(name: str) -> None:
    wanted = published_set.PUBLISHED[name]
    assert set(wanted.fields) <= set(ROWS[name])
    for item in ROWS[name]["multi_turns"]:
        assert set(wanted.turn_fields) <= set(item)


def test_a_whole_config_has_no_difference_and_a_part_says_what_is_missing(tmp_path: Path) -> None:
    row = {**ROWS["kv"], "context": "x" * 200_000, "multi_turns": ROWS["kv"]["multi_turns"] * 5}
    put(tmp_path, "kv", [row] * 100)
    assert published_set.check_config("kv", tmp_path).differences == ()
    short = {"context": "x" * 90, "multi_turns": [{"answer": "y"}]}
    put(tmp_path, "kv", [row, row, short])
    found = published_set.check_config("kv", tmp_path)
    assert (found.rows, found.turns) == (3, 10)
    counted, turns, field, odd = found.differences
    assert counted == "3 rows that can be read, published are 100"
    assert turns == "10 turns that can be read, published are 500"
    assert field == "1 of 11 turns have no 'input'"
    assert "row 2, turn 0" in odd


def test_contexts_of_another_length_are_another_set(tmp_path: Path) -> None:
    put(tmp_path, "kv", [ROWS["kv"]])
    (said,) = [d for d in published_set.check_config("kv", tmp_path).differences if "context" in d]
    assert "125,000 tokens are 125,000 to 875,000" in said
