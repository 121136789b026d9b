"""The other side of the cross-check: writes what kvpress keeps. Runs in kvpress's own environment
and imports nothing of ours.

    python benchmarks/crosscheck_kvpress/theirs.py FOLDER

Reads plan.json and the models next to it; writes theirs.safetensors: per case the kept slots as a
mask (layers, KV heads, tokens). A press returns keys and not positions, so each key it kept is
looked up, bit for bit, among those it was given; a press that masks says where.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kvpress
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache


def main() -> None:
    transformers.utils.logging.disable_progress_bar()
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    found: dict[str, Tensor] = {}
    for told in plan["models"]:
        ids = torch.tensor([told["ids"]])
        for attention in ("sdpa", "eager"):
            model = AutoModelForCausalLM.from_pretrained(
                folder / told["name"], dtype=torch.float32, attn_implementation=attention
            ).eval()
            if attention == "sdpa":
                found[f"{told['name']}/keys"] = last_keys(model, ids)
            here = [
                case
                for case in plan["cases"]
                if case["model"] == told["name"] and case["eager"] == (attention == "eager")
            ]
            kept = kept_by_presses(model, ids, [build(case["press"]) for case in here])
            found |= {f"{case['key']}/kept": mask for case, mask in zip(here, kept, strict=True)}
    save_file(found, folder / "theirs.safetensors")
    versions = {
        "kvpress": version("kvpress"),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    (folder / "theirs.json").write_text(json.dumps(versions), encoding="utf-8")


def build(told: dict[str, Any]) -> Any:
    inner = {"press": build(told["press"])} if "press" in told else {}
    return getattr(kvpress, told["class"])(**inner, **told["args"])


@torch.inference_mode()
def last_keys(model: Any, ids: Tensor) -> Tensor:
    cache = DynamicCache()
    model.model(ids, past_key_values=cache)
    keys: Tensor = cache.layers[-1].keys[0].contiguous()
    return keys


@torch.inference_mode()
def kept_by_presses(model: Any, ids: Tensor, presses: list[Any]) -> list[Tensor]:
    """A mask (layers, KV heads, tokens) per press. All act in one forward, each through its own
    hook: the cache gets back what it held, and a press acts after the attention of its layer, so
    none can see that others are there.
    """
    with ExitStack() as stack:
        seen = [watch(press) for press in presses]
        for press in presses:
            stack.enter_context(press(model))
        model.model(ids, past_key_values=DynamicCache())
    return [torch.stack(layers) for layers in seen]


def watch(press: Any) -> list[Tensor]:
    """The list where a press, from now on, notes what it keeps: one mask (KV heads, tokens) per
    layer.
    """
    layers: list[Tensor] = []
    compress = press.compress

    def watched(
        module: Any, hidden: Tensor, keys: Tensor, values: Tensor, attentions: Any, kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        module.masked_key_indices = None
        kept, _ = compress(module, hidden, keys, values, attentions, kwargs)
        mask = torch.stack([among(was, now) for was, now in zip(keys[0], kept[0], strict=True)])
        if module.masked_key_indices is not None:
            _, heads, slots = module.masked_key_indices
            mask[heads, slots] = False
        module.masked_key_indices = None
        layers.append(mask)
        return keys, values

    press.compress = watched
    return layers


def among(keys_SD: Tensor, kept_BD: Tensor) -> Tensor:
    """Which of S keys are the B kept ones."""
    where = {row.numpy().tobytes(): at for at, row in enumerate(keys_SD)}
    assert len(where) == len(keys_SD), (
        "two tokens have the same key, and positions cannot be told apart"
    )
    mask = torch.zeros(len(keys_SD), dtype=torch.bool)
    mask[[where[row.numpy().tobytes()] for row in kept_BD]] = True
    assert int(mask.sum()) == len(kept_BD)
    return mask


if __name__ == "__main__":
    main()
