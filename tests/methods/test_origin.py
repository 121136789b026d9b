"""Two methods are one only if their code and their parameters are; nothing goes by a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.errors import BadConfig, ScbenchError, Unknown
from scbench.methods import parse, refuse_twins
from scbench.methods.origin import Kind

MINE = """
from dataclasses import dataclass
from typing import ClassVar

from scbench.methods.compression.knorm import Knorm as House

@dataclass(frozen=True, slots=True, kw_only=True)
class Knorm(House):
    category: ClassVar[str] = "{category}"

    def rank(self, view):
        return {sign}view.k_HSD.float().norm(dim=-1)
"""


def write(
    folder: Path, name: str = "knorm.py", sign: str = "-", category: str = "KV dropping"
) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(MINE.format(sign=sign, category=category))
    return str(folder / name)


def test_a_files_method_is_shown_with_its_file_and_read_back_from_its_spelling(
    tmp_path: Path,
) -> None:
    method = parse(f"{write(tmp_path)}:Knorm[tau=1/4]+kivi")
    assert str(method) == "knorm.py:Knorm[tau=1/4]+kivi"
    assert parse(method.spelling) == method


def test_two_files_shown_alike_are_refused_by_name_and_a_label_parts_them(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, sign=sign) for name, sign in (("a", "-"), ("b", "")))
    spellings = [f"{path}:Knorm[tau=1/4]" for path in (one, two)]
    with pytest.raises(BadConfig) as refusal:
        refuse_twins([parse(text) for text in spellings])
    assert one in str(refusal.value)
    assert two in str(refusal.value)
    assert "another=" in str(refusal.value)
    named = [parse(spellings[0]), parse(f"mine={spellings[1]}")]
    refuse_twins(named)
    assert [str(method) for method in named] == ["knorm.py:Knorm[tau=1/4]", "mine[tau=1/4]"]
    assert parse(named[1].spelling) == named[1]


def test_the_same_method_given_twice_is_no_twin(tmp_path: Path) -> None:
    path = write(tmp_path)
    refuse_twins([parse("snapkv"), parse("snapkv"), parse(f"{path}:Knorm"), parse(f"{path}:Knorm")])


def test_a_label_may_not_be_the_name_of_another_method() -> None:
    with pytest.raises(BadConfig, match="'quest'"):
        parse("quest=snapkv[tau=1/4]")


def test_a_strangers_reference_does_not_pass_for_dense(tmp_path: Path) -> None:
    method = parse(f"{write(tmp_path, category='reference')}:Knorm[tau=1/4]")
    assert str(method) == "knorm.py:Knorm[tau=1/4]"


@pytest.mark.parametrize("folder", ["a+b", "x,y", "[v1]", "a=b", "plain", "ü 文 #"])
def test_any_path_can_be_written_in_quotes(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path / folder)
    method = parse(f'"{path}":Knorm[tau=1/4]+quest')
    assert str(method) == "knorm.py:Knorm[tau=1/4]+quest"
    assert parse(method.spelling) == method


def test_a_path_with_a_plus_and_no_quotes_is_told_how_to_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a+b")
    with pytest.raises(ScbenchError, match="quotes"):
        parse(f"{path}:Knorm[tau=1/4]")


@pytest.mark.parametrize("name", ["SnapKV", "SNAPKV", "StReAmInG-LLM", "streaming_llm", "Dense"])
def test_case_and_underscores_of_a_name_do_not_matter(name: str) -> None:
    assert str(parse(name)) == name.lower().replace("_", "-")


def test_a_near_miss_is_told_what_was_meant() -> None:
    with pytest.raises(Unknown, match="did you mean snapkv"):
        parse("snapkv:tau=0.25")


def test_one_file_under_two_names_of_a_helper_is_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        path = Path(write(tmp_path / folder))
        path.write_text("import my_helper\n" + path.read_text())
        (tmp_path / folder / "my_helper.py").write_text(f"X = '{folder}'\n")
    one, two = parse(f"{tmp_path}/a/knorm.py:Knorm"), parse(f"two={tmp_path}/b/knorm.py:Knorm")
    with pytest.raises(BadConfig, match="my_helper"):
        refuse_twins([one, two])


def test_origins_name_their_kind(tmp_path: Path) -> None:
    origins = parse(f"{write(tmp_path)}:Knorm[tau=1/4]+quest").origins
    kinds = [origin.kind for origin in origins]
    assert Kind.FILE in kinds
    assert Kind.HOUSE in kinds
    (mine,) = [origin for origin in origins if origin.kind is Kind.FILE]
    assert mine.path == str(tmp_path / "knorm.py")
    assert {"knorm.py", "scbench.methods.compression.knorm"} <= dict(mine.sources).keys()
