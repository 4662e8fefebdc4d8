"""A worker that misbehaves if a message that it parses or verifies contains one of these words.

`endless` makes it parse for ever. `abort` ends the process like a crash in C code, `stop` suspends it with SIGSTOP, and
`hungry` allocates 1 TiB. `unbounded` removes the limits on the growth of HTML for this and all later messages.
"""

import os
import signal

from router.contents.worker import load_verifier, serve
from router.mail import html_growth, parse
from router.mail.contents import Contents


def parse_or_obey(content: bytes) -> Contents:
    obey(content)
    return parse.parse(content)


def verify_or_obey(data: bytes, n: int) -> bytes:
    obey(data)
    return load_verifier()(data, n)


def obey(content: bytes) -> None:
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


if __name__ == "__main__":
    serve(parse_or_obey, parse.extract_attachment, lambda: verify_or_obey, cpu_seconds=0.2)
