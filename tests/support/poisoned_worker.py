"""A parsing worker that misbehaves if a message contains one of these words.

`endless` makes it parse for ever. `abort` ends the process like a crash in C code, `stop` suspends it with SIGSTOP, and
`hungry` allocates 1 TiB. `unbounded` removes the limits on the growth of HTML for this and all later messages.
"""

import os
import signal

from router.contents.worker import serve
from router.mail import html_growth, parse
from router.mail.contents import Contents


def parse_or_obey(content: bytes) -> Contents:
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
    serve(parse_or_obey, parse.extract_attachment, cpu_seconds=0.2)
