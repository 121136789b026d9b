"""What a page holds, unpacked: for tests of any folder."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any


def unpacked(html: str, name: str = "data") -> Any:
    """The value that stands packed in the element `name` of a page; None where it is empty."""
    text = packed(html, name)
    return json.loads(gzip.decompress(base64.b64decode(text))) if text else None


def packed(html: str, name: str) -> str:
    found = re.search(rf'<script type="text/plain" id="packed-{name}">([^<]*)</script>', html)
    return "" if found is None else found.group(1)


def column(columns: dict[str, Any], name: str) -> list[Any]:
    """A column of the data, its texts in place of their numbers."""
    found = columns[name]
    if isinstance(found, dict):
        return [None if at < 0 else found["texts"][at] for at in found["at"]]
    return list(found)


def rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns as rows."""
    names = list(columns)
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*(column(columns, name) for name in names), strict=True)
    ]
