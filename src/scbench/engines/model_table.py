"""The table of models: `models.toml` to one `Llm` a model, or a sentence that says why not."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from scbench.engines.llm import HYBRID, RECURRENT, TRANSFORMER, Llm
from scbench.errors import DataError

KINDS: Mapping[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "hub": (str, "a text"),
    "category": (str, "a text"),
    "architecture": (str, "a text"),
    "params": (int, "a whole number"),
    "template": (str, "a text"),
    "config": (dict, "a table"),
    "window_tokens": (int, "a whole number"),
    "longer": (dict, "a table"),
    "note": (str, "a text"),
}
_ATTENTION = ("num_attention_heads", "num_key_value_heads")
_EVERY = ("hidden_size", "num_hidden_layers", "vocab_size")
# What the weights and the cache of a model are counted from.
SIZES: Mapping[str, tuple[str, ...]] = {
    TRANSFORMER: (*_EVERY, *_ATTENTION, "intermediate_size", "max_position_embeddings"),
    RECURRENT: (*_EVERY, "num_heads", "head_dim", "state_size", "n_groups", "conv_kernel"),
    HYBRID: (
        *_EVERY,
        *_ATTENTION,
        "attn_layer_period",
        "mamba_d_state",
        "mamba_d_conv",
        "mamba_expand",
    ),
}


def read_models(path: Path) -> tuple[Llm, ...]:
    """The models of a table, in its order. Raises DataError, which names model and field."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise DataError(
            f"the table of models {str(path)!r} cannot be read ({err.strerror})"
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise DataError(f"the table of models {str(path)!r} is not TOML: {err}") from err
    rows = table.pop("model", None)
    if table or not isinstance(rows, list) or not rows:
        raise DataError(f"{path.name} has {_listed(table) or 'nothing'}; it holds [[model]] tables")
    models = tuple(_model(row, f"{path.name}, model {at}") for at, row in enumerate(rows, start=1))
    for field in ("name", "hub"):
        counts = Counter(getattr(model, field) for model in models)
        if twice := [value for value, count in counts.items() if count > 1]:
            raise DataError(f"{path.name}: the {field} {twice[0]!r} is there twice")
    return models


def _model(row: Mapping[str, Any], where: str) -> Llm:
    """One `[[model]]` as a value."""
    where = f"{where} ({row.get('name', 'without a name')})"
    needed = [
        field.name
        for field in fields(Llm)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if strays := row.keys() - KINDS.keys():
        raise DataError(f"{where} has {_listed(strays)}; a model takes {', '.join(KINDS)}")
    if lacks := [name for name in needed if name not in row]:
        raise DataError(f"{where} lacks {', '.join(lacks)}")
    for name, value in row.items():
        kind, told = KINDS[name]
        if type(value) is not kind:
            raise DataError(f"{where}: {name} is {value!r}; it is {told}")
        if isinstance(value, int) and value < 1:
            raise DataError(f"{where}: {name} is {value}; it is at least 1")
    if row["category"] not in SIZES:
        raise DataError(
            f"{where}: category is {row['category']!r}; it is one of {', '.join(SIZES)}"
        )
    _check_sizes(row, where)
    return Llm(**row)


def _check_sizes(row: Mapping[str, Any], where: str) -> None:
    """Whether config has every number that its size is counted from, as a whole number from 1."""
    config = row.get("config", {})
    for name in SIZES[row["category"]]:
        size = config.get(name)
        if size is None:
            raise DataError(f"{where}: config lacks {name}, from which its size is counted")
        if type(size) is not int or size < 1:
            raise DataError(f"{where}: config has {name} = {size!r}; it is a whole number from 1")


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
