"""scbench measures what happens to a long-context LLM when its KV cache is shared, compressed, fetched and reused."""

__version__ = "0.1.0"
