"""The nouns of scbench (docs/map.md follows them from context to report). Standard library only
(and `modes` and `answering`, leaves of their own); every other room may import this one.

All of them are frozen values. Lengths are in tokens, times in seconds, memory in bytes, and their
names say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scbench.answering import Answering as Answering
from scbench.answering import History as History
from scbench.answering import Think as Think
from scbench.modes import PAPER_MODES as PAPER_MODES
from scbench.modes import Mode as Mode


class Form(StrEnum):
    """How a task is written down."""

    FULL = "full"
    # closed vocabulary, one short line a fact; never in one table with full or official data
    TINY = "tiny"


class Role(StrEnum):
    """What a span of the context is to a turn."""

    ANSWER = "answer"  # the answer's own characters
    SUPPORT = (
        "support"  # a statement needed for the answer; holds the ANSWER span where there is one
    )
    DISTRACTOR = "distractor"  # a near miss
    GLOBAL = "global"  # everything in it counts


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of CHARACTERS of `Session.context`, and its role for the turn that carries
    it.

    >>> context = "Ticket 41 was sold to Ada."
    >>> key = Span(7, 9, Role.ANSWER)
    >>> context[key.start : key.stop]
    '41'
    """

    start: int
    stop: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the scorers of a turn need to know. A scorer reads the fields of its task and ignores
    the rest.

    `golds` are the accepted answers as text (MultiHop: the names, all wanted). `generated` says
    whether the strict scorer may use the closed vocabulary of a generated turn, or must fall back
    to the rule for published rows.

    >>> Wanted(golds=("7", "seven")).golds  # either is right
    ('7', 'seven')
    """

    golds: tuple[str, ...]
    generated: bool = False
    question: str = ""  # the bare question, for scorers that drop what it already names
    shape: str | None = None  # kv: "uuid", "digits", or None for published gold of no known shape
    asked_key: str | None = None  # kv: the key asked for, which is no candidate
    options: tuple[str, ...] = ()  # choice tasks: option texts in letter order
    vocabulary: tuple[str, ...] = ()  # QA: all entities of the answer's type
    numeric: bool = False  # QA: the answer is a number, the vocabulary is "all numbers"
    is_chinese: bool = False  # QA: substring instead of whole-word matching
    name: str | None = None  # repoqa: the function asked for
    lang: str | None = None  # repoqa: python, java, typescript, rust, cpp, go
    repo: str | None = None  # repoqa, published: rows of one repo share their needles
    candidates: Mapping[str, str] = field(
        default_factory=dict
    )  # repoqa: function name -> source, for the strict vote
    facts: tuple[str, ...] = ()  # summary: key-fact values of the asked report
    rival_facts: tuple[str, ...] = ()  # summary: key-fact values of the other reports (leak)
    rival_golds: tuple[str, ...] = ()  # summary: the other reports' references (floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One query put to a session.

    >>> wanted = Wanted(golds=("41",))
    >>> turn = Turn(task="qa", ask="Which was Ada's?", gold="41", wanted=wanted, max_new_tokens=8)
    >>> turn.evidence, turn.material
    ((), '')
    """

    # the scorer's task: equals the session's task except in the two Mix tasks (kv, repoqa, summary,
    # passkey)
    task: str
    ask: str  # the query's own text, without template
    gold: str  # what an ideal model would write; shown as history
    wanted: Wanted
    max_new_tokens: int
    evidence: tuple[Span, ...] = ()
    depth: float | None = (
        # centre of the first answer (else support) span over the context's length; None if only
        # global
        None
    )
    material: str = ""  # grow: text that is added to the context before this turn is asked
    after: int | None = None  # branch: the turn it goes on from, 0-based; None: the first one


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One shared context and its turns; the same arguments make the same session for ever.

    >>> wanted = Wanted(golds=("41",))
    >>> turn = Turn(task="qa", ask="Which?", gold="41", wanted=wanted, max_new_tokens=8)
    >>> session = Session(
    ...     task="qa", context="Ticket 41 was sold to Ada.", turns=(turn,), counted=6,
    ...     counter="words", recipe={"name": "qa", "seed": "0:0"}, digest="7d91...",
    ... )
    >>> len(session.context.split()) == session.counted
    True
    """

    # short name: kv, prefix_suffix, vt, repoqa, qa_eng, qa_chn, choice_eng, mf, many_shot, summary,
    # ...
    task: str
    context: str
    turns: tuple[Turn, ...]
    counted: int  # tokens of `context` under `counter`
    counter: str
    recipe: Mapping[
        str, object
    ]  # name, version, seed and every knob after defaults; for published rows: file, sha256, row
    digest: str  # SHA-256 of the canonical JSON of all the above


class PromptSet(StrEnum):
    STRICT = "strict"
    OFFICIAL = (
        "official"  # the published strings, defects included, for comparison with published numbers
    )


class CompressAfter(StrEnum):
    """When a compression acts: how much of the prompt it has seen."""

    CONTEXT = "context"
    FIRST_QUERY = (
        "first-query"  # context + first query; in multi-request: context + each request's own query
    )


class Accounting(StrEnum):
    """What a floating number of a cache counts in reported bytes, whatever this machine stores."""

    BFLOAT16 = "bfloat16"  # 2 bytes, as most servers hold it
    STORE = "store"  # as allocated here


class Equal(StrEnum):
    """What `--equal-bytes` and `--equal-loaded` make equal."""

    CONTEXT = "context"  # bytes held right after the context
    END = "end"  # bytes held at the session's end, questions and history included
    LOADED = "loaded"  # bytes loaded per decode step


class UnitSizes(StrEnum):
    """What happens to pages, blocks, windows and their like when contexts grow (docs/units.md)."""

    SCALED = "scaled"  # they follow the rule at every length
    FIXED = "fixed"  # they stay as the rule gives them at the run's shortest length


class Truncate(StrEnum):
    """What happens to a prompt that does not fit the window."""

    REFUSE = "refuse"
    MIDDLE = "middle"  # the published policy: first and last halves of the ids are kept
    HEAD = "head"  # the first ids are kept
    DROP_ROW = "drop-row"  # the session becomes a named gap
    TASK_AWARE = "task-aware"  # whole units leave: pairs, functions, documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of a run that change what the model is shown. `None` for `compress_after` means
    the paper's choice per mode.

    >>> protocol = Protocol(history=History.MODEL)
    >>> str(protocol.compresses_after(Mode.MULTI_TURN)), str(protocol.compresses_after(Mode.GROW))
    ('first-query', 'context')
    """

    prompts: PromptSet = PromptSet.STRICT
    history: History = History.GOLD
    compress_after: CompressAfter | None = None
    truncate: Truncate = Truncate.REFUSE
    chat_template: bool | None = (
        None  # None: the tokenizer's own if it has one, else the plain template
    )
    max_new_tokens: int | None = None  # a cap below the tasks' own limits; None: none
    answering: Answering = field(
        default=Answering(),
        metadata={"left_out_at_default": True},  # newer than many keys
    )

    def compresses_after(self, mode: Mode) -> CompressAfter:
        """The paper compresses after context + first query in a conversation, and after the bare
        context where requests share it."""
        if self.compress_after is not None:
            return self.compress_after
        return CompressAfter.FIRST_QUERY if mode.has_history else CompressAfter.CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """task x length x seed x mode x model x method x protocol for one session: the unit of planning
    and of resuming.

    `key` is a digest over everything that can change a number (also data, template, code and weight
    hashes); see `run.cells`.

    >>> cell = Cell(
    ...     task="kv", length_tokens=4096, seed="0:3", mode=Mode.MULTI_TURN, model="toy", turns=5,
    ...     method="snapkv[tau=1/4]", protocol=Protocol(), session_digest="7d91...", key="ce54...",
    ... )
    >>> cell.form is Form.FULL
    True
    """

    task: str
    length_tokens: int
    seed: str  # "<suite seed>:<session index>"
    mode: Mode
    model: str
    method: str  # canonical spelling
    protocol: Protocol
    turns: int
    session_digest: str
    key: str
    form: Form = Form.FULL
    sample: int = 0  # 0-based; answers that are drawn may be drawn several times


class Finish(StrEnum):
    END = "end"  # an end token
    STOP = "stop"  # a text that ends answers: the template's, a blank line, the next question
    LENGTH = "length"  # the limit of new tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one turn, or one method in the cost pass, was measured to use. None means not measured,
    never zero.

    Seconds come only from the cost pass, where a method runs alone and warm.

    >>> quarter = Cost(held_bytes=2**20, logical_tokens=4096, stored_tokens=1024.0)
    >>> quarter.stored_tokens / quarter.logical_tokens, quarter.tpot_s
    (0.25, None)
    """

    held_bytes: int | None = None  # shared store + private tail, after the last token, as allocated
    held_accounted_bytes: int | None = None  # the same in the run's accounting dtype
    shared_bytes: int | None = None  # of these, in stores that other streams use too
    peak_bytes: int | None = None
    loaded_bytes: int | None = (
        None  # KV bytes read per decode step, accounted, mean over the answer
    )
    moved_bytes: int | None = None  # bytes fetched from a slower tier per decode step
    logical_tokens: int | None = None  # tokens seen
    stored_tokens: float | None = None  # slots held, mean over layers and KV heads
    hit_tokens: int | None = None  # prompt tokens served from a stored cache
    hit_disk_tokens: int | None = None  # of these, from files
    fetched_bytes: int | None = None  # of the files read for them
    read_tokens: int | None = None  # prompt tokens computed for this turn
    prefill_s: float | None = None
    compress_s: float | None = None
    ttft_cold_s: float | None = None
    ttft_warm_s: float | None = None
    tpot_s: float | None = None
    extra_passes: int = 0
    estimated: tuple[str, ...] = ()  # names of fields above that are computed, not measured
    simulated: bool = False  # masked instead of freed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and why it stopped. `ids` are all tokens that were made; `text` is the
    answer without what was thought before it.

    >>> Answer(ids=(52, 49), text="41", finish=Finish.END).text
    '41'
    """

    ids: tuple[int, ...]
    text: str
    finish: Finish
    thought: str = ""
    thought_tokens: int = 0  # of `ids`, marks included


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no answer. `kind` is a short stable word (out-of-memory, refused, too-long,
    crashed).

    >>> Failure(kind="out-of-memory", why="the context needs 18 GiB, 15 are free").trace
    ''
    """

    kind: str
    why: str
    trace: str = ""  # the file in the run's folder that holds the full traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A value in 0..1, or a gap. A crash is never a zero.

    >>> wrong, crashed = Score(value=0.0, rule="strict/1"), Score(value=None, rule="strict/1")
    >>> wrong.is_gap, crashed.is_gap
    (False, True)
    """

    value: float | None
    rule: str  # "strict/3" or "official/1"
    read: str = ""  # what was taken from the text
    why: str = ""
    side: Mapping[str, float] = field(
        default_factory=dict
    )  # side values: exact, em, fact_recall, leak, floor, ...
    removed: tuple[
        str, ...
    ] = ()  # what was taken off the answer before it was judged: thought, ...
    format_failure: bool = False  # it scores 0, and yet an accepted answer stands in it

    @property
    def is_gap(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldScore:
    """How a method's stream takes the gold answer, fed to it token by token in place of its own.

    Means over the gold's first tokens, natural logarithms. It needs no format of answer and has no
    floor, so it can tell methods apart where no answer is right. Beside scores, never in them.

    >>> GoldScore(tokens=4, nll=0.25, kl_to_dense=0.0, top1_agreement=1.0).why
    ''
    """

    tokens: int  # of the gold answer that were fed
    nll: float  # negative log-likelihood of the gold, nats per token
    kl_to_dense: float | None  # KL(dense || method) of the next token, nats per token
    top1_agreement: float | None  # share of tokens whose likeliest next one is dense's
    why: str = ""  # why the comparison with dense is absent


LOOPS = "answer-loops"  # note of a record: its answer said one thing over and over to its limit
THOUGHT_CLOSED = "thought-closed"  # note of a record: its thought had used up its budget
THOUGHT_OPEN = "thought-not-ended"  # note of a record: it ended inside its thought, unanswered
BEYOND_TRAINED = (
    "beyond_trained_window"  # a note: the model was given a larger window than it was trained for
)


USES_GOLD = "uses_gold"  # a note: the method was told what the gold answers rest on
NOT_BINDING = "budget_not_binding"  # a note: the budget covers the context, and all was kept
KEPT_OLD = "kept_old"  # a note: made by older code, and kept because --keep-old said so


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One journal line: one turn of one cell, answered or failed. Appended, never edited.

    >>> record = Record(
    ...     key="ce54...", task="kv", length_tokens=4096, seed="0:3", mode=Mode.MULTI_TURN,
    ...     model="toy", method="dense", protocol=Protocol(), session_digest="7d91...", turn=0,
    ...     turns=5, subtask="kv", prompt_tokens=4120, failure=None, cost=Cost(),
    ...     answer=Answer(ids=(52, 49), text="41", finish=Finish.END),
    ...     strict=Score(value=1.0, rule="strict/1"), official=Score(value=1.0, rule="official/1"),
    ... )
    >>> record.turn, record.strict.value, record.gold  # the first turn was right
    (0, 1.0, None)
    """

    key: str  # of the cell
    task: str
    length_tokens: int
    seed: str
    mode: Mode
    model: str
    method: str
    protocol: Protocol
    session_digest: str
    turn: int  # 0-based
    turns: int
    subtask: str
    prompt_tokens: int
    answer: Answer | None
    failure: Failure | None
    strict: Score
    official: Score
    cost: Cost
    depth: float | None = None
    truncated_tokens: int = 0
    evidence_survives: bool | None = None  # after truncation; None where it cannot be told
    # Of the attention that dense pays the evidence, what falls on tokens that the method holds.
    evidence_kept: float | None = None  # None: what dense pays is not known
    evidence_held: float | None = None  # share of its tokens held, mean over layers and heads
    evidence_loaded: float | None = None  # as kept, of those that the selection read; None: all
    notes: tuple[str, ...] = ()  # for instance budget_not_binding
    # The method's sizes at this length, as resolved: {"quest.page_tokens": 4}.
    units: Mapping[str, int] = field(default_factory=dict)
    form: Form = Form.FULL
    made: str = ""  # digest of what made the answer: `facts.jsonl` says what it was
    scored: str = ""  # digest of what scored it; "" for failures and in old folders
    sample: int = 0  # 0-based
    gold: GoldScore | None = None  # None: not measured
