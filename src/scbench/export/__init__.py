"""A run for other programs: tables as they read them, and logs of inspect.

Knows records, sessions and the numbers of a report; runs nothing.
"""
