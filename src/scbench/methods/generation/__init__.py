"""Methods of the generation stage, one file each."""
