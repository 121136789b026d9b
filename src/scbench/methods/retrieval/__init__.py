"""Methods of the retrieval stage, one file each."""
