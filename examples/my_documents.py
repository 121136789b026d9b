"""Documents and questions of one's own as a task: a file of JSON lines, one document a line."""

import json
from pathlib import Path

import scbench

MODEL = "toy"  # a real one has something to say about it
SALES = [("41", "Ada"), ("57", "Ben"), ("12", "Cleo"), ("90", "Dov")]

text = " ".join(f"Ticket {number} was sold to {name}." for number, name in SALES)
session = {
    "context": text,
    "turns": [
        {
            "question": f"Which ticket was sold to {name}?",
            "answers": [number],
            "evidence": [f"Ticket {number} was sold to {name}."],
        }
        for number, name in SALES
    ],
}
about = {"task": {"title": "Tickets", "scorer": "number", "limit_tokens": 16}}
Path("tickets.jsonl").write_text(f"{json.dumps(about)}\n{json.dumps(session)}\n", encoding="utf-8")

result = scbench.run(
    model=MODEL,
    tasks="tickets.jsonl",
    methods="dense,snapkv[budget_tokens=48]",
    sessions=1,
    turns=4,
    cost_sessions=0,
    out="runs/tickets",
    quiet=True,
)
for row in result.samples().select("method", "mode", "question", "gold", "answer").iter_rows():
    print(*row, sep=" | ")
