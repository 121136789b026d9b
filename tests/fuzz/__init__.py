"""Attacks on what a run leaves on the disk: bits that flip, processes that die, disks that fail."""
