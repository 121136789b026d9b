"""Where a model runs and in which numbers, settled before any weights are read."""

from __future__ import annotations

from scbench.errors import BadConfig
from scbench.tensors import torch

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}  # of a number; the names are torch's


def device_of(asked: str) -> torch.device:
    """The device of that name. Raises BadConfig for one the local engine does not run on."""
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError as err:
        raise BadConfig(f"--device {asked!r} is not a device; use cpu, cuda or cuda:N") from err
    if device.type not in ("cpu", "cuda"):
        raise BadConfig(
            f"--device {asked}: the local engine runs on cpu and cuda, and has no attention "
            f"kernels for {device.type}; use cpu"
        )
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadConfig(
            f"--device {asked}: this machine has no CUDA device that PyTorch can see; use cpu"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadConfig(
            f"--device {asked}: this machine has {torch.cuda.device_count()} CUDA devices, "
            "counted from cuda:0"
        )
    return device


def dtype_of(asked: str, device: torch.device) -> torch.dtype:
    """The dtype of that name. Raises BadConfig."""
    if asked == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    found: torch.dtype = getattr(torch, known_dtype(asked))
    return found


def known_dtype(asked: str) -> str:
    """The name of a dtype, if it is one. Raises BadConfig."""
    if asked not in DTYPE_BYTES:
        raise BadConfig(f"--dtype {asked!r} is not known; use auto, {', '.join(DTYPE_BYTES)}")
    return asked
