"""Reads the configuration in a model's folder."""

from __future__ import annotations

from typing import Any

from scbench.engines import custom_code
from scbench.engines.foreign import loading, warnings_as_notes
from scbench.engines.places import Place

CURE = "take a complete copy of the model's folder"


def read_config(place: Place, *, trust_remote_code: bool = False) -> Any:
    """The configuration in a folder. Raises DataError, or Mismatch for one that is code."""
    from transformers import AutoConfig, PreTrainedConfig

    what = f"the configuration of {str(place.folder)!r}"
    with warnings_as_notes([]), loading(what, CURE):
        if not trust_remote_code:
            held, _ = PreTrainedConfig.get_config_dict(place.folder)
            custom_code.refuse_untrusted(place.folder, held.get("model_type"))
        return AutoConfig.from_pretrained(place.folder, trust_remote_code=trust_remote_code)
