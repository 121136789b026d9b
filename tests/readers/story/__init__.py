"""Who reads a story: what each sentence says, and what follows from all of them."""
