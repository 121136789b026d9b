"""Planted faults: wrong methods, one line each, that `scbench doctor` and the tests must see."""
