"""What must never stand in a line of the log, whoever wrote it: looked for in every line of every program tests start.

`tests/support/fixtures.py` asks after each test. What only one test can know (its passwords, its mails) is in
`test_redaction`, which looks at a whole day of one program.
"""

import re
from collections.abc import Iterable

_FORMS = {
    "an API key": re.compile(r"\ber_[A-Za-z0-9_-]{20,}"),
    "a webhook's secret": re.compile(r"/services/[^/\s\"]+/[^/\s\"]+/[^/\s\"]"),
    "a password in a URL": re.compile(r"://[^/\s:@\"]+:(?!\*\*\*)[^@/\s\"]+@"),
    "a login of a request": re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/_=-]{8,}"),
    "a link that signs in": re.compile(r"[?&]token=[A-Za-z0-9_-]{8,}"),
    "the text of a mail": re.compile(r"It does (<b>)?not(</b>)? open any more"),  # as `tests.support.mails` writes it
}


def private(lines: Iterable[bytes]) -> set[str]:
    """What was found, in words with its line. A line of the log is JSON; what else is on standard error is no log."""
    return {
        f"{what}: {text}"
        for text in (line.decode(errors="replace") for line in lines if line.startswith(b"{"))
        for what, form in _FORMS.items()
        if form.search(text)
    }
