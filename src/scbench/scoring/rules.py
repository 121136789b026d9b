"""The rules' versions, which stand in every score. A rule that reads an answer otherwise has a new
one.
"""

# 2: what an answer says is extracted first. 3: numbers in English words, corrections, explanations
# and doubts around it are read (both decision 97).
STRICT = "strict/3"
OFFICIAL = "official/1"
