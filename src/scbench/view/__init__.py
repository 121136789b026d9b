"""Pages of runs on this machine's own address while they are played: reads, and writes nothing.

Knows neither runs nor reports: `watched` holds what makes a page and says when it is old, `server`
hands it out.
"""
