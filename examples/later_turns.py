"""The question that shared contexts ask: who answers the first turn, and who the next ones?"""

import polars as pl

import scbench

MODEL = "toy"  # or "qwen2.5-coder-0.5b" after scbench get-model: the paper's effect in minutes

result = scbench.run(
    model=MODEL,
    tasks="kv",
    methods="dense,snapkv[tau=1/4],kivi[bits=2],quest[tau=1/4],streaming-llm[tau=1/4]",
    modes="multi-turn",
    length="512",
    sessions=4,
    turns=4,
    cost_sessions=0,
    out="runs/later-turns",
    quiet=True,
)
turns = result.frame().with_columns(later=pl.col("turn") > 0)
table = (
    turns.group_by("method", "later")
    .agg(score=100 * pl.col("strict").mean(), turns=pl.len())
    .sort("method", "later")
)
for method, later, score, count in table.iter_rows():
    print(
        f"{method:26} {'later turns' if later else 'first turn':12} {score:5.1f}  ({count} turns)"
    )
print(result.compare("quest[tau=1/4]", "snapkv[tau=1/4]"))
