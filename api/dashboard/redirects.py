"""Validates untrusted redirect targets, such as the page to open after sign-in.

Browsers read `//host` as the URL of another host, even if the second slash is a backslash or follows a tab or line
break.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_MAX_LENGTH = 1000
HOME = "/"


def local_path(text: str | None) -> str:
    """Returns the text if it is a local path and a suitable redirect target, else `HOME`.

    Paths of the API and of sign-in and sign-out are not suitable.
    """
    if text is None or len(text) > _MAX_LENGTH or not _PATH.fullmatch(text):
        return HOME
    parts = urlsplit(text)
    return HOME if parts.scheme or parts.netloc or parts.path.startswith(("/sign-", "/api/", "/v1/")) else text
