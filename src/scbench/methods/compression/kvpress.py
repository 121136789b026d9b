"""The score of a press of NVIDIA's kvpress as an eviction of ours:
`kvpress[press=LagKVPress[lag_size=50],tau=1/4]`.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

from scbench.errors import BadConfig, Mismatch, MissingExtra, Unknown
from scbench.kv import CacheShape, LayerView, Observed, Slots
from scbench.methods import spelling
from scbench.methods.contract import WINDOW, Eviction
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, torch

WINDOW_ROWS = 64  # what a read observes
TRIAL_TOKENS = 4096  # at most; of the trial before anything is computed
WORDS: dict[str, object] = {"yes": True, "no": False, "none": None}
INSTALL = (
    'pip install --no-deps kvpress==0.5.5, and pip install "cachetools<6" "fire<0.7" datasets '
    "pandas requests for what it imports "
    "(kvpress asks for transformers <5.3 and scbench for 5.17 or newer, so pip will not resolve "
    "the two together; its scores run on both)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KVPress(Eviction):
    """Slots ranked by `score` of a kvpress press; the budget is ours, and what it leaves out is
    freed, so nothing is simulated.

    A press is spelled as a method is: `SnapKVPress[window_size=32]`, without compression_ratio,
    which follows from the budget. It is shown K and V (1, H, S, D) and the last 64 queries after
    RoPE, as hidden states behind a projection that changes nothing; all other rows are NaN, so a
    press that reads them is refused by what it returns. Refused too, by a trial before anything is
    computed: presses with a `compress` of their own (masks, layer budgets, merged keys), and those
    that need weights of the model, attention weights or a calibration. Share a layer's budget
    between heads with `adakv[scorer=kvpress[press=...]]`.
    """

    press: str = "KnormPress"

    needs: ClassVar[frozenset[str]] = frozenset({WINDOW})
    minimum_tokens: ClassVar[int] = 8
    traits: ClassVar[Traits] = Traits(has_foreign_code=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "compression_ratio" in spelling.read_part(self.press)[1]:
            raise BadConfig(
                f"{self.name}[press={self.press}]: the share that stays is given as tau=1/4, not "
                f"as compression_ratio"
            )

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        made(self.press)
        if self.budget(tokens) >= tokens:
            return
        if tokens <= WINDOW_ROWS:
            raise Mismatch(
                f"{self} is shown the last {WINDOW_ROWS} queries and needs more tokens than that; "
                f"the prompt has {tokens}"
            )
        trial = _trial(shape, min(tokens, TRIAL_TOKENS))
        if not self._scores(trial, kept=trial.tokens // 2).equal(
            self._scores(trial, kept=trial.tokens // 2)
        ):
            raise Mismatch(
                f"{self} scores the same keys otherwise each time; give its press a seed, so that "
                f"a run can be repeated"
            )

    def rank(self, view: LayerView) -> Tensor:
        return self._scores(view, kept=self.budget(view.tokens))

    def _scores(self, view: LayerView, *, kept: int) -> Tensor:
        press, (heads, tokens, _) = made(self.press), view.k_HSD.shape
        press.compression_ratio = (
            1 - (kept + 0.5) / tokens
        )  # a press cuts tokens * (1 - ratio) off to a whole number
        module, hidden, kwargs = shown(view)
        try:
            found = press.score(
                module, hidden, view.k_HSD.unsqueeze(0), view.v_HSD.unsqueeze(0), None, kwargs
            )
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as err:  # a stranger's code, which may miss anything
            raise Mismatch(
                f"{self}: {self.press} cannot score from keys, values and the last {WINDOW_ROWS} "
                f"queries alone ({type(err).__name__}: {err})"
            ) from err
        if found.shape != (1, heads, tokens) or bool(found.isnan().any()):
            raise Mismatch(
                f"{self}: {self.press} gave no score for every slot; it may read more than the "
                f"last {WINDOW_ROWS} queries, which is all a read "
                "observes for it. `scbench list methods` shows what is built in"
            )
        scores_HS: Tensor = found[0].float()
        return scores_HS

    def data_digest(self) -> str:
        """SHA-256 of the files of the press and its bases; none where kvpress is missing, and
        nothing can run.
        """
        try:
            bases = type(made(self.press)).__mro__
        except MissingExtra:
            return ""
        files = dict.fromkeys(inspect.getfile(base) for base in bases if base is not object)
        seal = hashlib.sha256()
        for path in files:
            with open(path, "rb") as handle:
                seal.update(handle.read())
        return seal.hexdigest()


def made(spelled: str) -> Any:
    """A new press from its spelling. Raises MissingExtra, Unknown, Mismatch (no plain scorer) and
    BadConfig.
    """
    package = library()
    name, params = spelling.read_part(spelled)
    found: Any = getattr(package, name, None)
    if not (inspect.isclass(found) and issubclass(found, package.BasePress)):
        raise Unknown(f"kvpress has no press {name!r}; it has {', '.join(_scorers(package))}")
    if name not in _scorers(package):
        raise Mismatch(
            f"{name} does more than score slots (it masks, merges or sets budgets of its own), and "
            f"scbench takes only scores from kvpress; those are {', '.join(_scorers(package))}. "
            f"For one ranking of all heads: adakv[scorer=kvpress[press=...]]"
        )
    try:
        return found(**{word: _literal(text) for word, text in params.items()})
    except (TypeError, ValueError, AssertionError) as err:
        raise BadConfig(f"{spelled!r} is no press that kvpress can make: {err}") from err


def library() -> ModuleType:
    """The package kvpress, with its changes to `transformers` undone: importing it wraps every
    registered attention function, ours too, to mask keys for presses that are not used here.
    """
    if sys.modules.get("kvpress"):
        return sys.modules["kvpress"]
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as registered

    before = dict(registered.items())
    try:
        return importlib.import_module("kvpress")
    except ImportError as err:
        raise MissingExtra(
            f"the method 'kvpress' needs the package kvpress ({err}); run: {INSTALL}"
        ) from err
    finally:
        for name, function in before.items():
            registered[name] = function


def shown(view: LayerView) -> tuple[SimpleNamespace, Tensor, dict[str, Any]]:
    """What a press gets besides K and V: a module, hidden states (1, S, Hq D) and the forward's
    keyword arguments.

    The hidden states are the observed queries themselves, scaled for a press that divides by
    sqrt(D); q_proj hands them through, and the rotation is by nothing, since they are turned
    already.
    """
    window = view.observed.window_HGWD
    assert window is not None, "the last queries are needed and the read did not observe them"
    heads, group, rows, dim = window.shape
    queries = window.permute(2, 0, 1, 3).reshape(1, rows, -1) * (view.scale * dim**0.5)
    hidden = queries.new_full((1, view.tokens, heads * group * dim), float("nan"))
    hidden[:, view.tokens - rows :] = queries
    config = SimpleNamespace(
        num_attention_heads=heads * group,
        num_key_value_heads=heads,
        num_hidden_layers=view.layers,
        _attn_implementation="sdpa",
    )
    module = SimpleNamespace(
        config=config,
        head_dim=dim,
        layer_idx=view.index,
        num_key_value_groups=group,
        q_proj=lambda x: x,
    )
    still = (
        queries.new_ones(1, 1, 1).expand(1, view.tokens, dim),
        queries.new_zeros(1, 1, 1).expand(1, view.tokens, dim),
    )
    return module, hidden, {"position_embeddings": still}


def _trial(shape: CacheShape, tokens: int) -> LayerView:
    """A layer of random keys and queries, as this model's are shaped."""
    draw = torch.Generator().manual_seed(0)
    own = shape.attending[0]
    k_HSD, v_HSD = torch.randn(2, own.kv_heads, tokens, own.head_dim, generator=draw)
    window = torch.randn(own.kv_heads, own.group, WINDOW_ROWS, own.head_dim, generator=draw)
    return LayerView(
        0,
        len(shape.attention_layers),
        Slots.even(k_HSD, v_HSD),
        Observed(window_HGWD=window),
        own.head_dim**-0.5,
    )


def _scorers(package: ModuleType) -> list[str]:
    plain: Any = package.ScorerPress
    found: dict[str, Any] = {
        name: x
        for name, x in vars(package).items()
        if inspect.isclass(x) and issubclass(x, plain) and x is not plain
    }
    return sorted(name for name, x in found.items() if x.compress is plain.compress)


def _literal(text: str) -> object:
    """A parameter of a press, whose types are not declared to us: yes, no, none, a number, or a
    word.
    """
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
