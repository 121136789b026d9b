"""Engines run models over streams: `local` (transformers), `toy` (answers only from what its cache
still holds). They know no methods.
"""
