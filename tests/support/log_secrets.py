"""Finds secrets of known formats in log lines. `test_redaction` searches for its own secrets, such as a password."""

import re
from collections.abc import Iterable

_PATTERNS = {
    "an API key": re.compile(r"\ber_[A-Za-z0-9_-]{20,}"),
    "a webhook's secret": re.compile(r"/services/[^/\s\"]+/[^/\s\"]+/[^/\s\"]"),
    "a password in a URL": re.compile(r"://[^/\s:@\"]+:(?!\*\*\*)[^@/\s\"]+@"),
    "the credentials of a request": re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/_=-]{8,}"),
    "a link that signs in": re.compile(r"[?&]token=[A-Za-z0-9_-]{8,}"),
    "the text of a mail": re.compile(r"It does (<b>)?not(</b>)? open any more"),  # the default text in `mails`
}


def find_secrets(lines: Iterable[bytes]) -> set[str]:
    return {
        f"{what}: {text}"
        for text in (line.decode(errors="replace") for line in lines if line.startswith(b"{"))
        for what, form in _PATTERNS.items()
        if form.search(text)
    }
