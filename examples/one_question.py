"""One text, read once, asked under several methods."""

import scbench

MODEL = "toy"  # or "smollm2-135m", "Qwen/Qwen2.5-1.5B-Instruct", a folder
TEXT = "{" + ", ".join(f'"key{n:02d}": "value{n:02d}"' for n in range(40)) + "}"
QUESTION = 'Key: "key05"'

document = scbench.load(MODEL).read(TEXT)
print(f"{'method':26} {'answer':10} {'held':>6}   of dense's bytes")
for name in ("dense", "streaming-llm[tau=1/4]", "kivi[bits=2]", "exact-topk[tau=1/4]"):
    said = document.under(name).ask(QUESTION)
    held = said.context_bytes / said.dense_context_bytes
    print(f"{name:26} {said.text or '(nothing)':10} {held:6.0%}")
print("the text was read", document.reads, "time(s)")
