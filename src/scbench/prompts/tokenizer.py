"""What the prompts room asks of a tokenizer, and the adapter over those of `transformers` (passed
in, never imported here).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Protocol

from scbench.errors import DataError, Mismatch
from scbench.prompts.control import broken, control_ids, found_in
from scbench.prompts.templates import Plain
from scbench.prompts.tokens import Encoded
from scbench.types import Form

Message = Mapping[str, str]  # {"role": "user" | "assistant" | "system", "content": text}
PLAIN = "plain/1"
NO_ARGUMENTS: Mapping[str, object] = MappingProxyType({})
OWN = "scbench"  # our entry in tokenizer_config.json; transformers keeps entries it does not know
TODAY = datetime(2024, 7, 26)  # some templates print the day
DAY = "%d %b %Y"
# directives of a format
_CLOCK = (*"aAbBcCdDeFfgGhHIjmMnprRStTuUVwWxXyYzZ", *map("-{}".format, "dejHImMSUVyW"))
_SIGN = "\ue000"  # stands for a written % meanwhile
_PROBE = "Zq7xV"
_ANCHORS = ("\n", ".", "x", "0", ")", "。", "é")  # texts to go on from
_JOINS = (("ab", "cd"), ("x", " y"), ("x:", "\n\ny"), ("x.", "12"))
LEAST_END_CHARS, MOST_END_CHARS = 3, 60  # of a turn's end in ordinary text; a sign ends nothing


class Tokenizer(Protocol):
    """Text to ids and back, and the chat template that goes with it."""

    @property
    def name(self) -> str: ...
    @property
    def template_digest(self) -> str:
        """SHA-256 of the chat template, or "plain/1" where there is none."""
        ...

    @property
    def has_chat_template(self) -> bool: ...
    @property
    def bos_id(self) -> int | None:
        """The id this tokenizer itself puts before every text, or None if it puts none."""
        ...

    @property
    def end_ids(self) -> frozenset[int]: ...
    @property
    def vocabulary_tokens(self) -> int:
        """Ids are below this; a model's head may be wider."""
        ...

    @property
    def control(self) -> Mapping[str, int]:
        """Words that become one id with a meaning of its own, wherever they are written."""
        ...

    @property
    def turn_end(self) -> str | None:
        """The ordinary text by which the chat template ends an answer; None: a token does."""
        ...

    def encode(self, text: str) -> Encoded:
        """Ids of the text as it stands: nothing is added, special tokens written in it are
        recognised.
        """
        ...

    def encode_on(self, text: str) -> Encoded:
        """Ids of a text that goes on from another: nothing stands between the two.

        Raises Mismatch where the tokenizer has no such ids.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text without special tokens."""
        ...

    def decode_on(self, ids: Sequence[int]) -> str:
        """Text of ids that go on from others: its first blank stays. An answer is such a text."""
        ...

    @property
    def template_text(self) -> str:
        """The chat template as it is written; "" without one."""
        ...

    @property
    def added_words(self) -> Sequence[str]:
        """Tokens that were added to the vocabulary, control words among them."""
        ...

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool,
        arguments: Mapping[str, object] = NO_ARGUMENTS,
    ) -> str:
        """The template's own text, `arguments` being what it may be told beside the messages.

        Raises Mismatch if there is none or if it refuses the messages.
        """
        ...


class HfTokenizer:
    """A fast tokenizer of `transformers`. `end_ids` are those of the generation configuration; the
    tokenizer's and the template's own are added.

    A tokenizer_config.json may hold `"scbench": {"form": "tiny", "plain": [before the query, before
    the answer, after it]}`: a tokenizer of a closed vocabulary, which has a plain rendering of its
    own and wants tasks in that form.

    `digest` is that of its files; of one made in memory, all that it holds is hashed. `notes` are
    what there is to say of how it was loaded.

    Raises Mismatch for a tokenizer without character offsets, DataError for an entry `scbench` of
    another shape.
    """

    plain: Plain  # only where the tokenizer brings its own
    form: Form = Form.FULL

    def __init__(
        self,
        tokenizer: Any,
        *,
        name: str | None = None,
        end_ids: Iterable[int] = (),
        digest: str = "",
        notes: Iterable[str] = (),
    ) -> None:
        self.raw = tokenizer
        self.notes = tuple(notes)
        self.name = name or str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        refuse_slow(tokenizer, self.name)
        template = (
            tokenizer.get_chat_template() if getattr(tokenizer, "chat_template", None) else None
        )
        self.has_chat_template = template is not None
        self._template = None if template is None else _on_one_day(template)
        self.template_text = template or ""
        self.added_words = tuple(
            str(token.content) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()
        )
        self.template_digest = (
            PLAIN if template is None else hashlib.sha256(template.encode()).hexdigest()
        )
        if (own := getattr(tokenizer, "init_kwargs", {}).get(OWN)) is not None:
            self.plain, self.form = _own_rendering(own, self.name)
            self.template_digest = hashlib.sha256(
                json.dumps(own, sort_keys=True).encode()
            ).hexdigest()
        self.digest = digest or _content_digest(tokenizer)
        self.bos_id = self._own_bos()
        self.control = control_ids(tokenizer, self._template)
        self.vocabulary_tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
        self._is_joined = all(self._joins(first, second) for first, second in _JOINS)
        self._anchor = list(self.encode(_PROBE).ids)
        eos = getattr(tokenizer, "eos_token_id", None)
        after_answer = self._after_an_answer()
        ends = self._end_tokens(after_answer)
        self.end_ids = frozenset({*end_ids, *([] if eos is None else [eos]), *ends})
        first_line = (after_answer.strip().splitlines() or [""])[0]
        written = first_line[:MOST_END_CHARS].strip()
        self.turn_end = written if not ends and len(written) >= LEAST_END_CHARS else None

    def encode(self, text: str) -> Encoded:
        found = self.raw(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        offsets = tuple((start, stop) for start, stop in found["offset_mapping"])
        return Encoded(tuple(found["input_ids"]), offsets, tuple(found.word_ids(0)))

    def encode_on(self, text: str) -> Encoded:
        if self._is_joined or not text:
            return self.encode(text)
        for anchor in _ANCHORS:
            found = self.encode(anchor + text)
            at = found.tokens_before(len(anchor))
            if at < len(found.ids) and found.offsets[at][0] >= len(anchor):
                offsets = tuple(
                    (max(0, a - len(anchor)), b - len(anchor)) for a, b in found.offsets[at:]
                )
                return Encoded(found.ids[at:], offsets)
        raise Mismatch(
            f"the tokenizer of {self.name} joins {text[:20]!r} to whatever stands before it, so a "
            "prompt cannot be read in parts; use its chat template, with --prompts strict"
        )

    def decode(self, ids: Sequence[int]) -> str:
        return str(
            self.raw.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def decode_on(self, ids: Sequence[int]) -> str:
        if self._is_joined:
            return self.decode(ids)
        before, both = self.decode(self._anchor), self.decode([*self._anchor, *ids])
        return both[len(before) :] if both.startswith(before) else self.decode(ids)

    def _joins(self, first: str, second: str) -> bool:
        """Whether two texts encoded apart are decoded to both: nothing is put before either."""
        return self.decode([*self.encode(first).ids, *self.encode(second).ids]) == first + second

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool,
        arguments: Mapping[str, object] = NO_ARGUMENTS,
    ) -> str:
        if not self.has_chat_template:
            raise Mismatch(
                f"the tokenizer of {self.name} has no chat template; use the plain one (--plain)"
            )
        try:
            return str(
                self.raw.apply_chat_template(
                    [dict(message) for message in messages],
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    chat_template=self._template,
                    **{"date_string": TODAY.strftime(DAY), **arguments},
                )
            )
        except Exception as err:  # jinja's errors, and whatever a template raises by itself
            raise Mismatch(
                f"the chat template of {self.name} refuses a plain conversation of user and "
                f"assistant: {err}; use the plain template (--plain)"
            ) from err

    def _own_bos(self) -> int | None:
        bos = getattr(self.raw, "bos_token_id", None)
        first = list(self.raw(_PROBE)["input_ids"])[:1]
        return bos if bos is not None and first == [bos] else None

    def _after_an_answer(self) -> str:
        """What the template writes between an assistant's message and the user's next."""
        if not self.has_chat_template:
            return ""
        said = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": _PROBE},
            {"role": "user", "content": _PROBE[::-1]},
        ]
        try:
            text = self.render_chat(said, add_generation_prompt=False)
        except Mismatch:
            return ""  # whoever asks for this template will meet the error
        at = text.rfind(_PROBE) + len(_PROBE)
        return text[at : max(at, text.rfind(_PROBE[::-1]))] or text[at:]

    def _end_tokens(self, after: str) -> set[int]:
        """The special token that follows an answer: its end-of-turn token, or the header of the
        next turn where there is none.
        """
        special = {
            *getattr(self.raw, "all_special_ids", ()),
            *getattr(self.raw, "added_tokens_decoder", ()),
        }
        return special & set(self.encode(after.lstrip()).ids[:1])


def refuse_slow(tokenizer: Any, name: str) -> None:
    """Raise Mismatch for a tokenizer in Python alone."""
    if getattr(tokenizer, "is_fast", False):
        return
    raise Mismatch(
        f"the tokenizer of {name} ({type(tokenizer).__name__}) is written in Python alone and "
        "gives no character offsets, so evidence cannot be followed into tokens; give a "
        "folder with its fast form, a tokenizer.json"
    )


def encode_data(tokenizer: Tokenizer, text: str, *, goes_on: bool = False) -> Encoded:
    """Ids of a text that came as data: control words in it are characters like any others."""
    return encode_broken(tokenizer, text, found_in(text, tokenizer.control), goes_on=goes_on)


def encode_broken(
    tokenizer: Tokenizer, text: str, literal: Sequence[tuple[int, int]], *, goes_on: bool
) -> Encoded:
    """Ids of a text whose control words at `literal` came as data."""
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    for start, stop in pairwise([0, *broken(literal), len(text)]):
        encode = tokenizer.encode_on if start or goes_on else tokenizer.encode
        found = encode(text[start:stop])
        ids.extend(found.ids)
        offsets.extend((a + start, b + start) for a, b in found.offsets)
    return Encoded(tuple(ids), tuple(offsets))


def _content_digest(tokenizer: Any) -> str:
    """SHA-256 of a tokenizer in memory: its rules and vocabulary, special tokens and template."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    held = [
        backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items())),
        repr(sorted((word, str(mark)) for word, mark in tokenizer.special_tokens_map.items())),
        repr(getattr(tokenizer, "chat_template", None)),
    ]
    return hashlib.sha256("\n".join(held).encode("utf-8", "surrogatepass")).hexdigest()


def _own_rendering(given: object, name: str) -> tuple[Plain, Form]:
    match given:
        case {"form": str(form), "plain": [str(ask), str(answer), str(end)]} if form in set(Form):
            return Plain(ask, answer, end, bare=True), Form(form)
    raise DataError(
        f"tokenizer_config.json of {name} has {OWN!r}: {given!r:.200}; it takes "
        f'{{"form": {" or ".join(Form)}, "plain": [text before a query, before an answer, after '
        f"it]}}"
    )


def _on_one_day(template: str) -> str:
    """The template with its clock stopped, whatever format it asks for: a macro stands before the
    function that tells the time.
    """
    if "strftime_now" not in template:
        return template
    known = {f"%{letter}": TODAY.strftime(f"%{letter}") for letter in _CLOCK}
    words = {"%%": _SIGN, **known, _SIGN: "%"}  # first and last, so that '%%d' is no directive
    told = "".join(f"|replace({word!r}, {value!r})" for word, value in words.items())
    return f"{{% macro strftime_now(format) %}}{{{{ format{told} }}}}{{% endmacro %}}{template}"
