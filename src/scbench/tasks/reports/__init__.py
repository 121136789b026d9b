"""Made-up reports as material for summaries: their themes, key facts and prose."""
