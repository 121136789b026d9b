"""Plays sessions under methods and keeps what happened: plan, decode, journal, resume, cost
pass.
"""
