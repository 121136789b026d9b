"""The folder of a run: its lines, sealed and appended, and what stands behind them. No torch, no
model.
"""
