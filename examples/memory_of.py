"""What a grid on a large model would take: no weights, no file, no card."""

import scbench

for methods in ("dense", "dense,kivi[bits=4],kvzip[tau=1/4],snapkv[tau=1/16],quest[tau=1/16]"):
    plan = scbench.plan(
        model="llama-3.1-8b",
        device="h200",
        tasks="kv,qa_eng,summary",
        methods=methods,
        length="120k",
        sessions=8,
        price_per_hour=4.0,
    )
    hours = [seconds / 3600 for seconds in (plan.seconds_low, plan.seconds_high)]
    read = sum(row.read_tokens for row in plan.rows)
    apart = sum(row.naive_read_tokens for row in plan.rows)
    print(f"{methods}\n  {plan.peak_bytes / 2**30:.0f} GiB, {hours[0]:.2f} to {hours[1]:.2f} hours")
    print(f"  {read:,} tokens are read; method by method and mode by mode it would be {apart:,}")
    for refusal in plan.refusals:  # what would not run, and why
        print(f"  refused: {refusal.why}")
