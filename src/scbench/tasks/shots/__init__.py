"""The three families of ICL.ManyShot: dates, swaps, translations."""
