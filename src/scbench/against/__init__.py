"""A run held against an earlier one: are they alike, what is kept of a baseline, what CI reads.

Knows records and facts of a run, no model. The comparison itself is `stats.two_runs`.
"""
