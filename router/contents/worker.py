"""The worker process that parses large messages and all HTML, sanitises HTML to send, and verifies DKIM signatures.

It serves requests on standard input.

The process has no database, settings or environment, and limits its CPU time and memory. All that a crafted message
can do is end the process. The process ends when standard input is closed, including when its parent exits or is killed.

Protocol: the worker first writes `READY_SIGNAL`. A request is `REQUEST_HEADER` (operation, number, size of the data)
and the data. A response is `RESPONSE_HEADER` (size of the JSON, size of the data), the JSON and the data.

- `PARSE_OPERATION`: takes a message. Returns its contents, and its search terms as data, one per line.
- `ATTACHMENT_OPERATION`: takes a message and the number of an attachment. Returns its description and its bytes.
- `BOUNCE_OPERATION`: takes a bounce. Returns its `BounceReport`.
- `VERIFY_OPERATION`: see `router.mail.dkim.request`. Returns the results.
- `CLEAN_OPERATION`: see `router.mail.compose.html.answer_request`.
- `TEMPLATE_OPERATION`: see `router.mail.compose.template_html.answer_request`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from router.mail import delivery_reports, parse
from router.mail.compose.html import answer_request as answer_clean_request
from router.mail.compose.template_html import answer_request as answer_template_request
from router.mail.contents import AttachmentData, Contents
from router.search import terms

READY_SIGNAL = b"r"
REQUEST_HEADER = struct.Struct(">cIQ")
RESPONSE_HEADER = struct.Struct(">QQ")
PARSE_OPERATION, ATTACHMENT_OPERATION, VERIFY_OPERATION, CLEAN_OPERATION = b"p", b"a", b"v", b"h"
TEMPLATE_OPERATION, BOUNCE_OPERATION = b"t", b"b"

# The worst known 50 MB message takes 0.2 s (docs/mail.md), the worst growth of HTML 0.4 s
# (docs/decisions/0015-html-growth.md).
CPU_SECONDS = 2.0
# The worst growth of HTML takes 25 MiB (docs/decisions/0015-html-growth.md).
BASE_MEMORY_BYTES = 160 * 1024 * 1024
# A message exists in several copies during parsing, such as the raw and the decoded one.
MEMORY_PER_MESSAGE_BYTE = 8
# Remains for parsing, however much the process has mapped at its start, such as a locale archive.
HEADROOM_BYTES = 112 * 1024 * 1024
# If the machine runs out of memory, the kernel kills this process first.
OOM_SCORE = "1000"
NICENESS = 10

ParseFunction = Callable[[bytes], Contents]
ExtractFunction = Callable[[bytes, int], AttachmentData | None]
VerifyFunction = Callable[[bytes, int], bytes]


def main() -> None:
    """Runs the worker. Discards its standard error, because the reader of the inherited stream may have stopped."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    serve(parse.parse, parse.extract_attachment, load_verifier)


def load_verifier() -> VerifyFunction:
    """Imports `cryptography`, which takes time and memory, and which a worker that only parses never needs."""
    from router.mail.dkim.request import answer_request  # noqa: PLC0415 - see above

    return answer_request


def serve(
    parse_message: ParseFunction,
    extract_attachment: ExtractFunction,
    load_verify: Callable[[], VerifyFunction],
    *,
    cpu_seconds: float = CPU_SECONDS,
) -> None:
    """Handles requests until standard input is closed. Tests replace the functions with failing ones."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with suppress(OSError):  # a service manager may forbid it
        os.nice(NICENESS)
    with suppress(OSError):  # not Linux, or /proc is not writable
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    base = max(BASE_MEMORY_BYTES, _mapped_bytes() + HEADROOM_BYTES)
    verify: VerifyFunction | None = None
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    with suppress(BrokenPipeError):
        responses.write(READY_SIGNAL)
        responses.flush()
        while header := requests.read(REQUEST_HEADER.size):
            operation, n, size = REQUEST_HEADER.unpack(header)
            _limit_memory(base + MEMORY_PER_MESSAGE_BYTE * size)
            content = requests.read(size)
            if len(content) < size:
                return  # the parent ended during its request
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            if operation == PARSE_OPERATION:
                head, data = _build_parse_response(parse_message, content)
            elif operation == ATTACHMENT_OPERATION:
                head, data = _build_attachment_response(extract_attachment, content, n)
            elif operation == CLEAN_OPERATION:
                head, data = answer_clean_request(content, n), b""
            elif operation == TEMPLATE_OPERATION:
                head, data = answer_template_request(content, n), b""
            elif operation == BOUNCE_OPERATION:
                head, data = delivery_reports.read_bounce(content).to_json().encode(), b""
            else:
                if verify is None:
                    verify = load_verify()
                    base = max(base, _mapped_bytes() + HEADROOM_BYTES)
                    _limit_memory(base + MEMORY_PER_MESSAGE_BYTE * size)
                head, data = verify(content, n), b""
            signal.setitimer(signal.ITIMER_PROF, 0)
            for piece in (RESPONSE_HEADER.pack(len(head), len(data)), head, data):
                responses.write(piece)
            responses.flush()


def _build_parse_response(parse_message: ParseFunction, content: bytes) -> tuple[bytes, bytes]:
    contents = parse_message(content)
    return contents.to_json().encode(), "\n".join(terms.message_words(contents)).encode()


def _build_attachment_response(extract_attachment: ExtractFunction, content: bytes, n: int) -> tuple[bytes, bytes]:
    found = extract_attachment(content, n)
    return (b"null", b"") if found is None else (json.dumps(asdict(found.attachment)).encode(), found.data)


def _mapped_bytes() -> int:
    """Returns the size of the address space of this process in bytes (proc(5)); 0 if the size is unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _limit_memory(max_bytes: int) -> None:
    _, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    if hard_limit != resource.RLIM_INFINITY:
        max_bytes = min(max_bytes, hard_limit)
    with suppress(OSError, ValueError):  # a service manager may forbid it and limit memory itself
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, hard_limit))
