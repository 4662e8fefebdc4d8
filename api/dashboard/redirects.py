"""Paths on this host that a stranger may have written: where somebody wanted to go before they signed in.

Pure. What is not plainly a path of ours is "/": browsers read `//host`, `/\\host` and paths with tabs or line ends
in them as addresses of other hosts.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_MAX_LENGTH = 1000
HOME = "/"


def local_path(text: str | None) -> str:
    """The text when it is a local path with perhaps a query, else the way home."""
    if text is None or len(text) > _MAX_LENGTH or not _PATH.fullmatch(text):
        return HOME
    parts = urlsplit(text)
    return HOME if parts.scheme or parts.netloc or parts.path.startswith(("/sign-", "/api/", "/v1/")) else text
