"""Python functions of the interpreter's own library as material for RepoQA: found, described by
rule, laid out at planned depths.
"""
