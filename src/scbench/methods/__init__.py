"""The methods: four stages of a cache's life and what each can be. `parse` turns words into a
Method; `names` lists them without torch.
"""

from scbench.methods.registry import names, parse, refuse_twins

__all__ = ["names", "parse", "refuse_twins"]
