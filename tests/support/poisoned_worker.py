"""The process that parses, with a parser that does what the mail tells it: for tests of what survives it.

A mail whose octets hold `endless` is parsed for ever, `abort` ends the process as a crash in C code does, `stop` stops
it, `hungry` takes all memory there is, `unbounded` has no bound on what its HTML becomes; all others are parsed as
they should be.
"""

import os
import signal

from router.contents.worker import serve
from router.mail import html_growth, parse
from router.mail.contents import Contents


def read(content: bytes) -> Contents:
    """Does what the mail says."""
    if b"endless" in content:
        while True:
            pass
    if b"abort" in content:
        os.abort()
    if b"stop" in content:
        os.kill(os.getpid(), signal.SIGSTOP)
    if b"hungry" in content:
        bytearray(1 << 40)
    if b"unbounded" in content:
        html_growth.MAX_REOPENED_LENGTH = html_growth.REOPENED_BASE_LENGTH = 1 << 60
    return parse.parse(content)


if __name__ == "__main__":
    serve(read, parse.extract_attachment, cpu_seconds=0.2)
