"""Small matched models trained on the tasks, so that architectures and methods meet on
equal terms.
"""
