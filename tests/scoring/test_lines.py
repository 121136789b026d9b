"""Lines and files of answers made anywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scbench.errors import BadConfig, BadRow
from scbench.scoring import grade, means, score_file, score_lines, wanted_from_line, written
from scbench.tasks import task as task_called

from .sources import CLIP, FUNCTIONS

WINDOW = FUNCTIONS["python"]["window"]


def line(task: str, prediction: str | None, gold: Any, **more: Any) -> dict[str, Any]:
    return {
        "task": task,
        "subtask": None,
        "mode": "multi-turn",
        "prediction": prediction,
        "gold": gold,
        **more,
    }


def scores(**row: Any) -> tuple[float | None, float | None]:
    (out,) = score_lines([line(**row)])
    return out["scores"]["strict"], out["scores"]["official"]


OPTIONS = ["Alice", "Dr. Stone", "Bob", "The river"]


@pytest.mark.parametrize(
    ("row", "strict", "official"),
    [
        ({"task": "scbench_kv", "prediction": "it is 4821", "gold": "4821"}, 1, 1),
        ({"task": "scbench_mf", "prediction": "77.9", "gold": 77}, 0, 1),
        ({"task": "scbench_mf", "prediction": "77", "gold": "77"}, 1, None),
        ({"task": "scbench_vt", "prediction": "ABC", "gold": ["ABC", "XYZ"]}, 2 / 3, 0.5),
        ({"task": "scbench_qa_eng", "prediction": "Annabel", "gold": "Ann"}, 0, 1),
        ({"task": "scbench_qa_chn", "prediction": "林小梅", "gold": "林小梅"}, 1, 0.5),
        (
            {"task": "scbench_choice_eng", "prediction": "Bob", "gold": "Bob", "options": OPTIONS},
            1,
            0,
        ),
        (
            {"task": "scbench_choice_eng", "prediction": "C.", "gold": "Bob", "options": OPTIONS},
            1,
            1,
        ),
        ({"task": "scbench_choice_eng", "prediction": "C.", "gold": "Bob"}, None, None),
        (
            {"task": "scbench_choice_eng", "prediction": "C.", "gold": "Zoe", "options": OPTIONS},
            None,
            None,
        ),
        ({"task": "scbench_many_shot", "prediction": "(B) because", "gold": "A"}, 0, 1),
        (
            {
                "task": "scbench_many_shot",
                "prediction": "Bob",
                "gold": "C",
                "options": ["Alice", "Claire", "Bob"],
            },
            1,
            0,
        ),
        (
            {
                "task": "scbench_summary_with_needles",
                "subtask": "scbench_passkey",
                "prediction": "3: 90210",
                "gold": "90210",
            },
            1,
            0,
        ),
        ({"task": "kv", "subtask": "kv", "prediction": "", "gold": "4821"}, 0, 0),
    ],
)
def test_line_scores_by_both_rules(
    row: dict[str, Any], strict: float | None, official: float | None
) -> None:
    assert scores(**row) == (strict, official)


def test_line_comes_back_whole_with_scores_and_the_reason_of_a_gap() -> None:
    given = line("scbench_mf", "77", "77", extra={"kept": 1})
    (out,) = score_lines([given])
    assert {key: out[key] for key in given} == given
    assert out["scores"] == {"strict": 1.0, "official": None}
    assert list(out["why"]) == ["official"]
    assert "TypeError" in out["why"]["official"]
    assert "scores" not in given
    assert score_lines([out]) == [out]


@pytest.mark.parametrize("gold", ["", "  ", [], [""]])
@pytest.mark.parametrize(
    "more",
    [
        {"task": "scbench_kv"},
        {"task": "scbench_choice_eng", "options": ["a mill", "a barn"]},
        {"task": "scbench_repoqa", "name": "clip", "lang": "python"},
        {"task": "scbench_mf"},
    ],
    ids=lambda more: str(more["task"]),
)
def test_an_empty_gold_is_a_gap_under_both_rules(gold: object, more: dict[str, Any]) -> None:
    (out,) = score_lines([{**line("scbench_kv", "", ""), **more, "gold": gold}])
    assert out["scores"] == {"strict": None, "official": None}
    assert out["why"] == dict.fromkeys(("strict", "official"), "the turn has no gold")


def test_a_whole_number_that_came_as_a_float_is_the_number() -> None:
    asked = {"question": "On which day?", "generated": True, "numeric": True}
    floating, whole = score_lines(
        [line("scbench_qa_eng", "Day 38", gold, **asked) for gold in (38.0, 38)]
    )
    assert floating["scores"] == whole["scores"]
    assert floating["scores"]["strict"] == 1.0
    floating, whole = score_lines([line("scbench_mf", "38", gold) for gold in (38.0, 38)])
    assert floating["scores"] == whole["scores"] == {"strict": 1.0, "official": 1.0}


def test_failed_turn_is_a_gap_under_both_rules() -> None:
    (out,) = score_lines([line("scbench_kv", None, "4821")])
    assert out["scores"] == {"strict": None, "official": None}
    assert out["why"] == {"strict": "failed", "official": "failed"}


def test_needles_are_the_golds_of_one_repo_in_the_lines() -> None:
    def code(source: str, name: str, repo: str, text: str) -> dict[str, Any]:
        return line(
            "scbench_repoqa", f"```\n{text}\n```", source, name=name, lang="python", repo=repo
        )

    clamp = CLIP.replace("def clip(", "def clamp(").replace("low to high.", "low up to high.")
    alone = score_lines([code(CLIP, "clip", "a", clamp), code(WINDOW, "window", "a", WINDOW)])
    assert [row["scores"] for row in alone] == [{"strict": 1.0, "official": 1.0}] * 2
    other_repo = score_lines([code(CLIP, "clip", "a", clamp), code(clamp, "clamp", "b", clamp)])
    assert other_repo[0]["scores"] == {"strict": 1.0, "official": 1.0}
    same_repo = score_lines([code(CLIP, "clip", "a", clamp), code(clamp, "clamp", "a", clamp)])
    assert [row["scores"]["official"] for row in same_repo] == [0.0, 1.0]
    assert [row["scores"]["strict"] for row in same_repo] == [0.0, 1.0]
    told = score_lines(
        [{**code(CLIP, "clip", "a", clamp), "candidates": {"clip": CLIP, "clamp": clamp}}]
    )
    assert told[0]["scores"] == {"strict": 0.0, "official": 1.0}


def test_kv_of_the_code_mix_is_officially_zero_in_multi_request_mode() -> None:
    row = line("scbench_repoqa_and_kv", "4821", "4821", subtask="scbench_kv")
    many, one = score_lines([row, {**row, "mode": "multi-request"}])
    assert (many["scores"]["official"], one["scores"]["official"], one["scores"]["strict"]) == (
        1.0,
        0.0,
        1.0,
    )


BAD = [
    ({"task": "scbench_kvv"}, "'task' is 'scbench_kvv'"),
    ({"task": None}, "'task' is missing"),
    ({"mode": "both"}, "'mode' is 'both'; allowed are multi-turn, multi-request"),
    ({"mode": ["multi-turn"]}, "'mode'"),
    ({"prediction": 5}, "'prediction' is 5"),
    ({"gold": None}, "'gold' is missing"),
    ({"gold": {"a": 1}}, "'gold'"),
    ({"gold": True}, "'gold'"),
    ({"gold": float("nan")}, "'gold' is nan"),
    ({"gold": ["x", ""]}, "one of the accepted answers is empty"),
    ({"subtask": "passkey"}, "'subtask' is 'passkey'; kv has kv"),
    ({"task": "scbench_repoqa_and_kv"}, "'subtask' is missing; repoqa_and_kv has repoqa, kv"),
    ({"task": "scbench_repoqa"}, "'name' \\(or 'func_name'\\) is missing"),
    ({"options": "A"}, "'options'"),
    ({"candidates": ["x"]}, "'candidates'"),
    ({"turn_idx": "0"}, "'turn_idx'"),
    ({"lang": 5}, "'lang'"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_field_is_named_with_its_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = [line("scbench_kv", "x", "x"), {**line("scbench_kv", "x", "x"), **change}]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for where, (good, odd) in (
        ("line 2", score_lines(rows)),
        (r"answers\.jsonl:2", score_file(path)),
    ):
        assert good["scores"] == {"strict": 1.0, "official": 1.0}
        assert odd["scores"] == {"strict": None, "official": None}
        assert re.search(f"not understood: .*{where}: .*{message}", odd["why"]["strict"])
        assert means([good, odd])[0].mean == 1.0
    with pytest.raises(BadRow, match=message):
        score_lines(rows[1:])  # none is understood: the file is another


def test_missing_prediction_is_not_a_failed_turn() -> None:
    row = line("scbench_kv", "x", "x")
    del row["prediction"]
    with pytest.raises(BadRow, match="'prediction' is missing"):
        wanted_from_line(row)


@pytest.mark.parametrize("raw", [b"[1]", b"{", b"\xff{}", b'"x"'])
def test_a_line_that_is_no_object_is_named(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + json.dumps(line("scbench_kv", "x", "x")).encode()
        + b"\r\n\n"
        + raw
        + b"\n"
    )
    good, odd = score_file(path)
    assert good["scores"]["strict"] == 1.0
    assert re.search(r"a\.jsonl:3", odd["why"]["official"])
    assert written(odd)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.jsonl"):
        score_file(tmp_path / "none.jsonl")


def runner_line(turn: int, prediction: str, truth: Any, **more: Any) -> dict[str, Any]:
    return {"id": 0, "turn_idx": turn, "prediction": prediction, "ground_truth": truth, **more}


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        (
            "prediction_scbench_kv_multi_turn.jsonl",
            runner_line(0, "4821", "4821"),
            ("kv", None, "multi-turn", 1, 1),
        ),
        (
            "prediction_scbench_mf_scdq_lingua.jsonl",
            runner_line(1, "77.5", 77),
            ("mf", None, "multi-request", 0, 1),
        ),
        (
            "prediction_scbench_qa_eng_scdq.jsonl",
            runner_line(0, "Anna", ["Ann"]),
            ("qa_eng", None, "multi-request", 0, 1),
        ),
        (
            "prediction_scbench_choice_eng_multi_turn.jsonl",
            runner_line(0, "C. Bob", ["Bob", "C"]),
            ("choice_eng", None, "multi-turn", None, 1),
        ),
        (
            "prediction_scbench_vt_multi_turn.jsonl",
            runner_line(0, "abc", ["ABC"]),
            ("vt", None, "multi-turn", 0, 1),
        ),
        (
            "prediction_scbench_summary_with_needles_multi_turn.jsonl",
            runner_line(1, "90210", "90210", task="scbench_passkey"),
            ("summary_with_needles", "scbench_passkey", "multi-turn", 1, 1),
        ),
        (
            "prediction_scbench_repoqa_and_kv_scdq.jsonl",
            runner_line(1, "4821", "4821", task="scbench_kv", lang="python", repo="r"),
            ("repoqa_and_kv", "scbench_kv", "multi-request", 1, 0),
        ),
        (
            "prediction_scbench_repoqa_scdq.jsonl",
            runner_line(1, f"```\n{CLIP}\n```", CLIP, lang="python", repo="r", func_name="clip"),
            ("repoqa", None, "multi-request", 1, 1),
        ),
    ],
)
def test_prediction_files_of_the_released_runner_are_read(
    name: str, row: dict[str, Any], expected: tuple[Any, ...], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    (out,) = score_file(path)
    task, subtask, mode, strict, official = expected
    assert (out["task"], out["subtask"], out["mode"]) == (f"scbench_{task}", subtask, mode)
    assert out["scores"] == {"strict": strict, "official": official}
    again = tmp_path / "scored.jsonl"
    again.write_text(json.dumps(out) + "\n", encoding="utf-8")
    assert score_file(again) == [out]


def test_runner_lines_in_a_file_of_another_name_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(runner_line(0, "x", "x")) + "\n")
    with pytest.raises(BadRow, match=r"mine.jsonl:1: .*rename it"):
        score_file(path)


@pytest.mark.parametrize(
    ("task", "golds", "text", "strict", "official"),
    [
        ("kv", ["4821", "4822"], "4822", 1, None),
        ("prefix_suffix", ["bnsrg3s9", "bnsx77s9"], "bnsx77s9", 1, None),
        ("mf", [77, 78], "78", 1, 0),
        ("qa_eng", ["the old mill", "the barn"], "the barn", 1, 1),
        ("qa_chn", ["旧磨坊", "谷仓"], "谷仓", 1, 1),
        ("summary", ["It rained.", "The sun shone."], "The sun shone.", 1, 1),
        ("many_shot", ["A", "B"], "B", 1, 1),
    ],
)
def test_every_gold_of_a_list_counts_in_both_doors(
    task: str, golds: list[Any], text: str, strict: float, official: float | None
) -> None:
    assert scores(task=f"scbench_{task}", prediction=text, gold=golds) == (strict, official)
    row = {"context": "x", "multi_turns": [{"input": "(A) x (B) y ?", "answer": golds}]}
    kind = task_called(task)
    assert kind.read_turn is not None
    turn = kind.read_turn(row, row["multi_turns"][0])  # type: ignore[arg-type]
    assert turn.gold == str(golds[0])
    assert grade(task, text, turn.wanted, rule="strict").value == strict
    assert grade(task, text, turn.wanted, rule="official").value == official


def test_every_option_of_a_list_counts_in_both_doors() -> None:
    golds = ["Bob", "Alice"]
    item = {"input": "Who?", "options": OPTIONS, "answer": golds}
    kind = task_called("choice_eng")
    assert kind.read_turn is not None
    turn = kind.read_turn({}, item)
    assert turn.gold == "C"
    for text in ("Bob", "Alice", "A", "(C)"):
        row = {"task": "scbench_choice_eng", "prediction": text, "gold": golds, "options": OPTIONS}
        by_line = scores(**row)
        by_turn = tuple(
            grade("choice_eng", text, turn.wanted, rule=rule).value  # type: ignore[arg-type]
            for rule in ("strict", "official")
        )
        assert by_line == by_turn
        assert by_line[0] == 1
