"""Plays one session: patterns say what is asked, players answer, a clerk writes records.

Read in this order: `contract` (a step, a reply), `patterns/multi_turn`, `local` (the player that
runs a model here), `sources` (where the cache of a prompt's beginning comes from), `decode`.
"""
