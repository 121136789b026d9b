"""What a model attends to over the life of a shared cache, and what a method keeps of it.

Dense plays a session with the gold answers as history and is looked at from outside
(`kv/onlooker.py`); nothing here changes what a model computes. `look` plays sessions and gives rows
of plain numbers; `stats/attention.py` turns them into means with intervals.
"""

from scbench.attention.life import Life, LifeSight
from scbench.attention.rows import TABLES, rows_of
from scbench.attention.sessions import Looked, look

__all__ = ["TABLES", "Life", "LifeSight", "Looked", "look", "rows_of"]
