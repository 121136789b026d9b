"""Names to stages. Names import nothing; a miss helps. Packages join by the entry point group `scbench.methods`, files by `path.py:Class`."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import pkgutil
import sys
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench.errors import BadConfig, Mismatch, Unknown
from scbench.methods import spelling

if TYPE_CHECKING:
    from scbench.methods.contract import Method, Stage

PLACES = {  # name -> module:class; one line per method
    "dense": "scbench.methods.contract:Dense",
    "a-shape": "scbench.methods.generation.a_shape:AShape",
    "tri-shape": "scbench.methods.generation.tri_shape:TriShape",
    "minference": "scbench.methods.generation.minference:MInference",
    "xattention": "scbench.methods.generation.xattention:XAttention",
    "llmlingua-2": "scbench.methods.generation.llmlingua:LLMLingua2",
    "flexprefill": "scbench.methods.generation.flexprefill:FlexPrefill",
    "infllm": "scbench.methods.generation.infllm:InfLLM",
    "streaming-llm": "scbench.methods.compression.streaming_llm:StreamingLLM",
    "snapkv": "scbench.methods.compression.snapkv:SnapKV",
    "pyramidkv": "scbench.methods.compression.pyramidkv:PyramidKV",
    "adakv": "scbench.methods.compression.adakv:AdaKV",
    "h2o": "scbench.methods.compression.h2o:H2O",
    "tova": "scbench.methods.compression.tova:TOVA",
    "knorm": "scbench.methods.compression.knorm:Knorm",
    "keydiff": "scbench.methods.compression.keydiff:KeyDiff",
    "kvzip": "scbench.methods.compression.kvzip:KVzip",
    "duo-attention": "scbench.methods.compression.duo_attention:DuoAttention",
    "kvpress": "scbench.methods.compression.kvpress:KVPress",
    "expected-attention": "scbench.methods.compression.expected_attention:ExpectedAttention",
    "kivi": "scbench.methods.compression.kivi:Kivi",
    "turboquant": "scbench.methods.compression.turboquant:TurboQuant",
    "rtn": "scbench.methods.compression.rtn:RTN",
    "fp8": "scbench.methods.compression.fp8:FP8",
    "prefix": "scbench.methods.retrieval.prefix:PrefixReuse",
    "cacheblend": "scbench.methods.retrieval.cacheblend:CacheBlend",
    "quest": "scbench.methods.loading.quest:Quest",
    "retrieval-attention": "scbench.methods.loading.retrieval_attention:RetrievalAttention",
    "retroinfer": "scbench.methods.loading.retroinfer:RetroInfer",
    "tier": "scbench.methods.loading.tier:Tier",
    "exact-topk": "scbench.methods.loading.exact_topk:ExactTopK",
}
GROUP = "scbench.methods"


def names() -> list[str]:
    """All registered names, ours first, then those of installed packages."""
    return [
        *PLACES,
        *sorted(point.name for point in entry_points(group=GROUP) if point.name not in PLACES),
    ]


def stage_class(name: str) -> type[Stage]:
    """The class behind a name, or behind `path/to/file.py:ClassName`."""
    if ".py:" in name:
        return _from_file(name)
    if name in PLACES:
        found: Any = pkgutil.resolve_name(PLACES[name])
        return found  # type: ignore[no-any-return]
    for point in entry_points(group=GROUP, name=name):
        stage = _checked(point.load(), name)
        if (
            stage.name != name
        ):  # a method's spelling is its identity in records, and must be found again
            raise BadConfig(
                f"the entry point {name!r} is {point.value}, which calls itself {stage.name!r}; give both one name"
            )
        return stage
    near = get_close_matches(name, names()) or names()
    raise Unknown(
        f"no method is called {name!r}; did you mean {', '.join(near)}? `scbench list methods` shows them all"
    )


def parse(text: str) -> Method:
    """'a-shape+snapkv[tau=1/16]+quest' to a Method. Raises Unknown, BadConfig, or Mismatch for a composition that makes no sense."""
    from scbench.methods.contract import Method

    chosen: dict[str, list[Stage]] = {}
    for part in spelling.split(text):
        name, params = spelling.read_part(part)
        stage = spelling.build(stage_class(name), params, written=part)
        chosen.setdefault(stage.stage, []).append(stage)
    for kind in ("generation", "retrieval", "loading"):
        if len(chosen.get(kind, [])) > 1:
            raise Mismatch(
                f"{text!r} has two {kind} stages ({', '.join(map(str, chosen[kind]))}); a method has one of each"
            )
    single = {
        kind: chosen[kind][0] for kind in ("generation", "retrieval", "loading") if kind in chosen
    }
    return Method(compression=tuple(chosen.get("compression", ())), **single)  # type: ignore[arg-type]


def _from_file(place: str) -> type[Stage]:
    path_text, _, class_name = place.rpartition(":")
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise Unknown(f"there is no file {path_text!r} (from the method {place!r})")
    mark = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[
        :8
    ]  # two files may share a name
    spec = importlib.util.spec_from_file_location(f"scbench_user_{path.stem}_{mark}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except Exception as err:
        raise BadConfig(f"{path} cannot be imported: {type(err).__name__}: {err}") from err
    if not hasattr(module, class_name):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == spec.name
        ]
        raise Unknown(f"{path} has no class {class_name!r}; it has {', '.join(classes) or 'none'}")
    return _checked(getattr(module, class_name), place)


def _checked(found: Any, place: str) -> type[Stage]:
    from scbench.methods.contract import Stage

    if not (inspect.isclass(found) and issubclass(found, Stage) and found.stage):
        raise BadConfig(
            f"{place!r} is not a stage; derive it from Generation, Eviction, Codec, Retrieval or Loading of scbench.methods.contract"
        )
    return found
