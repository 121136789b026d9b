"""Follow a run in a tracker while it is played: `python examples/tracker.py`.

`log` prints; with a tracker it is `wandb.log`, or `mlflow.log_metrics` with a step.
"""

from collections import defaultdict

import scbench
from scbench.types import Record

scores: dict[str, list[float]] = defaultdict(list)


def log(numbers: dict[str, float], step: int) -> None:
    print(step, numbers)


def on_record(record: Record) -> None:
    if record.strict.value is not None:  # a gap is no zero
        name = f"{record.task}/{record.method}/{record.mode}"
        scores[name].append(record.strict.value)
        log({name: sum(scores[name]) / len(scores[name])}, step=len(scores[name]))


if __name__ == "__main__":
    methods = ["dense", "snapkv[tau=1/4]", "kvzip[tau=1/4]"]
    scbench.run(
        model="toy", tasks="kv", methods=methods, length="512", sessions=4, on_record=on_record
    )
