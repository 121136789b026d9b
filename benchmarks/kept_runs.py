"""The runs behind docs/results, small enough to be kept: nobody has to wait for them again.

    python benchmarks/kept_runs.py keep runs/real-1k      # docs/results/runs/real-1k.tar.xz
    python benchmarks/kept_runs.py unpack real-1k         # runs/real-1k, as it was

An unpacked run is a run like any other: `scbench report`, `--extend`, `scbench findings --from`.
Left out is what `scbench report` makes again, and what was printed.
"""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path

KEPT = Path(__file__).parents[1] / "docs" / "results" / "runs"
BOOKS = ("*.jsonl", "*.json", "*.toml", "sessions/*")


def keep(folder: Path) -> Path:
    """Pack a run's books; the same run makes the same bytes."""
    KEPT.mkdir(parents=True, exist_ok=True)
    packed = KEPT / f"{folder.name}.tar.xz"
    with tarfile.open(packed, "w:xz", preset=9) as archive:
        for path in sorted({path for kind in BOOKS for path in folder.glob(kind)}):
            archive.add(path, arcname=f"{folder.name}/{path.relative_to(folder)}", filter=_nobodys)
    return packed


def unpack(name: str, into: Path = Path("runs")) -> Path:
    """A kept run as a folder. Raises SystemExit where one is in the way or none is kept."""
    packed, folder = KEPT / f"{name}.tar.xz", into / name
    if not packed.is_file():
        known = ", ".join(sorted(path.name.removesuffix(".tar.xz") for path in KEPT.glob("*.xz")))
        raise SystemExit(f"no run {name!r} is kept; there are {known or 'none'}")
    if folder.exists():
        raise SystemExit(f"{folder} is there already; move it away, or use it")
    with tarfile.open(packed) as archive:
        archive.extractall(into, filter="data")
    return folder


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner and time."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("what", choices=("keep", "unpack"))
    words.add_argument("run", help="a run's folder to keep, or the name of a kept one")
    given = words.parse_args()
    if given.what == "keep":
        path = keep(Path(given.run))
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    else:
        print(unpack(given.run))


if __name__ == "__main__":
    main()
