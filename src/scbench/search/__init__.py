"""Searches made once per model, before any run: head gates, sparse patterns."""
