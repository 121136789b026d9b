"""The exam: laws that every method and every task must pass."""
