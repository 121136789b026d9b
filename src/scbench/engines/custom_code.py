"""Code that comes with a checkpoint: run with --trust-remote-code only, else named."""

from __future__ import annotations

from pathlib import Path

from scbench.engines.places import CONFIG
from scbench.errors import BadRecord, Mismatch
from scbench.reading import read_json_file

FILES = (CONFIG, "tokenizer_config.json")


def named_code(folder: Path, file: str) -> str:
    """What the auto_map of a file names, as text; "" if it names nothing."""
    try:
        held = read_json_file(folder / file, lenient=True).get("auto_map")
    except (OSError, AttributeError, BadRecord):
        return ""  # whoever reads the file in earnest says what is wrong with it
    if not held:
        return ""
    entries = held.items() if isinstance(held, dict) else [("AutoTokenizer", held)]
    return ", ".join(f"{kind} {_classes(named)}" for kind, named in entries)


def left_alone(folder: Path) -> tuple[str, ...]:
    """A note for each file that names code, which a load without the flag does not run."""
    named = {file: named_code(folder, file) for file in FILES}
    return tuple(
        f"{file} names code of its own ({code}); it was not run, classes of transformers were taken"
        for file, code in named.items()
        if code
    )


def refuse_untrusted(folder: Path, model_type: str | None) -> None:
    """Raise Mismatch for a model that exists in its own code alone."""
    from transformers import CONFIG_MAPPING

    code = named_code(folder, CONFIG)
    if code and model_type not in CONFIG_MAPPING:
        raise Mismatch(
            f"{str(folder)!r} is a model of type {model_type!r}, which transformers does not know; "
            f"its {CONFIG} names code of its own ({code}). Read that code, then give "
            "--trust-remote-code"
        )


def _classes(named: object) -> str:
    several = named if isinstance(named, list | tuple) else [named]
    return " or ".join(str(one) for one in several if one)
