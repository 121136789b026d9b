"""`python -m scbench` is the program `scbench`."""

from scbench.cli import main

main()
