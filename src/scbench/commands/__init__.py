"""The commands of the program `scbench`, one a file; `cli.py` puts them together."""
