"""The rules' versions, which stand in every score. A rule that reads an answer otherwise has a new
one.
"""

STRICT = "strict/2"  # 2: what an answer says is extracted first (decision 97)
OFFICIAL = "official/1"
