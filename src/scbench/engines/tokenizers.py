"""A model's tokenizer: loaded without a question on the terminal, and checked against its own file.

`transformers` builds the class that tokenizer_config.json names, whose rule for cutting words may
be another than the one in tokenizer.json; ids are then wrong and nobody is told. So texts that tell
rules apart are encoded by both. Where they differ, the file's own tokenizer takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scbench.engines import custom_code
from scbench.engines.foreign import loading, reason, warnings_as_notes
from scbench.engines.places import Place, locate
from scbench.engines.weights import tokenizer_digest
from scbench.errors import BadRecord, DataError, Mismatch
from scbench.prompts import HfTokenizer
from scbench.prompts.tokenizer import OWN, refuse_slow
from scbench.reading import read_json_file

FILE = "tokenizer.json"
SPECIALS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
KEPT_SETTINGS = ("add_bos_token", "add_eos_token", "model_max_length", "padding_side", OWN)
PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    " leading, and trailing blanks  ",
    "two  three   four    blanks\tand a tab",
    "lines\n\nand\n   indented\r\nlines\n\n\n",
    "numbers 7 42 2023 12345 3.14159 1,000,000 0x1F",
    "def clip(x):\n    return max(0, x[:3]) != {'a': 1}  # why\n\n\n",
    "don't they've I'M we'll HE'D it's",
    "阅读以下书籍，然后回答问题。日本語 한국어",
    "naïve café Ünïcödé Привет мир — “quoted” … €5",
    '{"otter-maple": "4821",\n "lamp-river": [9033, -1]}',
    "https://example.org/a_b?c=d&e=f#g",
    "camelCase snake_case SCREAMING_CASE x1y2z3",
)
COPY = "take a complete copy of the model's folder"
MOST_MARKS = 4  # added tokens tried from each end of the list


@dataclass(frozen=True, slots=True)
class Loaded:
    """A tokenizer of transformers, and what is to be said of how it was loaded."""

    raw: Any
    notes: tuple[str, ...]


def load_tokenizer(name: str | Path, *, trust_remote_code: bool = False) -> HfTokenizer:
    """The tokenizer of a model, without its weights. Raises as `load.load`."""
    place = locate(str(name), weights=False, code=trust_remote_code)
    loaded = read_tokenizer(place, trust_remote_code=trust_remote_code)
    return wrap(place, loaded)


def wrap(place: Place, loaded: Loaded, end_ids: Iterable[int] = ()) -> HfTokenizer:
    """The adapter over a loaded tokenizer, knowing the digest of its files and its notes."""
    digest = tokenizer_digest(place.folder)
    with loading(f"the tokenizer of {str(place.folder)!r}", COPY):
        return HfTokenizer(
            loaded.raw, name=place.name, end_ids=end_ids, digest=digest, notes=loaded.notes
        )


def read_tokenizer(place: Place, *, trust_remote_code: bool = False) -> Loaded:
    """The tokenizer of a folder, whose ids are those of its tokenizer.json.

    Raises Mismatch, naming class and file, where that cannot be, for a tokenizer in Python alone,
    and for one from which answers do not come back; DataError for files that are no tokenizer;
    MissingExtra.
    """
    folder = place.folder
    notes: list[str] = []
    raw = _loaded(folder, notes, trust_remote_code=trust_remote_code)
    refuse_slow(raw, str(folder))
    file = folder / FILE
    is_checked = file.is_file()
    if not is_checked:
        notes.append(
            f"there is no {FILE}: {type(raw).__name__} was made of other files, and nothing says "
            "whether its ids are the original's"
        )
    if is_checked:
        with loading(f"{str(file)!r}", COPY):
            own = _of_file(file)
        if (found := difference(raw, own)) is not None:
            raw = _replaced(raw, own, folder, found)
            notes.append(f"{found}; the file's own tokenizer is used")
    if lost := _lost(raw):
        told, is_answer = lost
        if not is_checked:
            raise Mismatch(
                f"the tokenizer of {str(folder)!r} ({type(raw).__name__}) {told}, and there is no "
                f"{FILE} to say whether it should; give a folder that has one"
            )
        if is_answer:
            raise Mismatch(
                f"the tokenizer of {str(folder)!r} {told}, as its {FILE} says: such an answer "
                "cannot be given, and a score would be the tokenizer's; give a model whose "
                "tokenizer keeps ASCII text"
            )
        notes.append(f"the tokenizer {told}, as its {FILE} says")
    return Loaded(raw, tuple(notes))


def _loaded(folder: Path, notes: list[str], *, trust_remote_code: bool) -> Any:
    """What transformers makes of a folder; it never asks at the terminal whether code may run."""
    from transformers import AutoTokenizer

    code = custom_code.named_code(folder, "tokenizer_config.json")
    try:
        with warnings_as_notes(notes), loading(f"the tokenizer of {str(folder)!r}", COPY):
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except DataError as err:
        if not code or trust_remote_code or "custom code" not in str(err):
            raise
        raise Mismatch(
            f"the tokenizer of {str(folder)!r} is code of its own ({code}), which runs with "
            f"--trust-remote-code only; give a folder with a {FILE} of a class of transformers"
        ) from err


def difference(raw: Any, own: Any) -> str | None:
    """Where a tokenizer gives other ids, or another text back, than its file; None if nowhere."""
    kind = type(raw).__name__
    for text in (*PROBES, *_marked(own)):
        wanted = own.encode(text, add_special_tokens=False).ids
        try:
            ids = list(raw(text, add_special_tokens=False)["input_ids"])
        except Exception as err:  # the rust side raises bare ones
            return f"{kind} cannot encode {text!r:.60} ({reason(err)}), which {FILE} can"
        if ids != wanted:
            return (
                f"{kind} gives other ids for {text!r:.60} ({len(ids)}) than {FILE} ({len(wanted)})"
            )
        if text in PROBES and _decoded(raw, ids) != own.decode(wanted, skip_special_tokens=True):
            return f"{kind} turns the ids of {text!r:.60} into another text than {FILE} does"
    return None


def _decoded(raw: Any, ids: list[int]) -> str:
    return str(raw.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _of_file(file: Path) -> Any:
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(str(file))
    own.no_truncation()
    own.no_padding()
    return own


def _marked(own: Any) -> list[str]:
    """Texts with added tokens in them; what stands beside one is cut otherwise by some classes."""
    marks = [token.content for _, token in sorted(own.get_added_tokens_decoder().items())]
    some = dict.fromkeys((*marks[:MOST_MARKS], *marks[-MOST_MARKS:]))
    return [f"alpha {mark} beta{mark}\n gamma" for mark in some if mark.strip()]


def _replaced(raw: Any, own: Any, folder: Path, found: str) -> Any:
    """The file's tokenizer with the class's special tokens and template, proved to be so."""
    from transformers import PreTrainedTokenizerFast

    config = _config(folder)
    words = {name: getattr(raw, name) for name in SPECIALS if getattr(raw, name, None) is not None}
    words |= {name: config[name] for name in KEPT_SETTINGS if name in config}
    what = f"the tokenizer of {str(folder)!r}: {found}"
    with loading(what, "give a folder whose tokenizer.json and tokenizer_config.json agree"):
        other = PreTrainedTokenizerFast(
            tokenizer_object=own, chat_template=getattr(raw, "chat_template", None), **words
        )
    still = difference(other, own)
    same_marks = all(_id(raw, name) == _id(other, name) for name in words if name in SPECIALS)
    if still is not None or not same_marks:
        raise Mismatch(
            f"{what}, and the file's own tokenizer could not take its place"
            f"{f' ({still})' if still else ' (other special tokens)'}; set tokenizer_class to "
            "PreTrainedTokenizerFast in tokenizer_config.json if the file is right"
        )
    return other


def _id(raw: Any, name: str) -> Any:
    return getattr(raw, f"{name}_id", None)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        held = read_json_file(path, lenient=True)
    except (OSError, BadRecord) as err:
        raise DataError(f"{str(path)!r} is no JSON ({err}); take a complete copy") from err
    if not isinstance(held, dict):
        raise DataError(f"{str(path)!r} is no JSON object; take a complete copy")
    return held


def _lost(raw: Any) -> tuple[str, bool] | None:
    """What a round trip loses, and whether answers in plain ASCII are among it; None for blanks at
    the ends alone, or for a closed vocabulary.

    Blanks folded into one and signs of other scripts are a loss that a model can be asked with.
    """
    if getattr(raw, "init_kwargs", {}).get(OWN) is not None:
        return None
    changed: str = ""
    for text in PROBES:
        back = _decoded(raw, raw(text, add_special_tokens=False)["input_ids"])
        told = f"turns {text.strip()!r:.60} into {back.strip()!r:.60}"
        if text.isascii() and back.split() != text.split():
            return told, True
        if back.strip() != text.strip():
            changed = changed or told
    return (changed, False) if changed else None
