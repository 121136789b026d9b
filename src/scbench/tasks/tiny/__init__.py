"""The twelve tasks in forms that models of a million parameters can learn: closed vocabulary, one
short line a fact (`form=tiny`).

Same tasks, turns, evidence, scorers and reproducibility as the full forms; only the text differs. A
file per task, each ending in `TASK`. Their words are in `lexicon`, of which the tokenizer of the
lab models has one token each.
"""
