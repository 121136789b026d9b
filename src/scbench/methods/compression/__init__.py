"""Methods of the compression stage, one file each."""
