"""Methods of the loading stage, one file each."""
