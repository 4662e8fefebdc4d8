"""The process that parses large mails and all HTML: bytes come in by standard input, what was read goes out by standard
output.

It holds nothing and knows nothing: no database, no settings, no environment. What a crafted mail can do to it is to
end it: past `CPU_SECONDS` the kernel does (SIGPROF, also inside C code, also when nobody waits any more), past its
share of memory an allocation fails, and where the machine's memory runs out the kernel ends it first. It ignores the
signals that a terminal or a service manager sends to all processes at once, and ends when its standard input does:
with its parent, however that one ends.

`router.contents.pool` starts it as `python -c "from router.contents.worker import main; main()"` and talks to it. It
first says `READY_SIGNAL`. A question is `REQUEST_HEADER` (what is asked, the attachment's number, how many bytes follow) and the
mail; an answer is `RESPONSE_HEADER` (how many bytes of JSON and of data follow), the JSON and the data: of a mail its search
words, one a line, of an attachment its bytes.
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

from router.mail import parse
from router.mail.contents import AttachmentData, Contents
from router.search import terms

READY_SIGNAL = b"r"
REQUEST_HEADER = struct.Struct(">cIQ")
RESPONSE_HEADER = struct.Struct(">QQ")
PARSE_OPERATION, ATTACHMENT_OPERATION = b"p", b"a"

# Of CPU time for one mail. The largest mail that is accepted by default costs 0.2 s, the worst HTML within the bounds
# of `router.mail.html_sanitizer` about 1 s. Mails behind one that never ends wait this long.
CPU_SECONDS = 2.0
# Address space: the interpreter with its libraries takes 25 MiB, the worst HTML within the bounds 25 MiB more; a mail
# comes with its copies (as it came, translated, decoded). Two workers and their parent fit into 512 MiB.
BASE_MEMORY_BYTES = 160 * 1024 * 1024
MEMORY_PER_MESSAGE_BYTE = 8
# What is left of the base for a mail where the interpreter itself takes more: a C library may map its whole archive of
# locales, 200 MiB of address space that cost no memory.
HEADROOM_BYTES = 112 * 1024 * 1024
# Above every other process: where the machine's memory runs out, this one ends and not its parent.
OOM_SCORE = "1000"
# Whoever else runs on the machine comes first.
NICENESS = 10

ParseFunction = Callable[[bytes], Contents]
ExtractFunction = Callable[[bytes, int], AttachmentData | None]


def main() -> None:
    """The worker as the product starts it. Nothing is written to standard error from here on: it is the parent's log,
    whose reader may have stopped, and the parent logs how the worker ended."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    serve(parse.parse, parse.extract_attachment)


def serve(
    parse_message: ParseFunction, extract_attachment: ExtractFunction, *, cpu_seconds: float = CPU_SECONDS
) -> None:
    """Answers until standard input ends. The functions are arguments so that tests can bring ones that misbehave."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with suppress(OSError):  # a service manager may forbid it; then it is as patient as the rest
        os.nice(NICENESS)
    with suppress(OSError):  # not Linux, or /proc is not writable: then the kernel chooses by size
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    base = max(BASE_MEMORY_BYTES, _mapped_bytes() + HEADROOM_BYTES)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(BrokenPipeError):
        answers.write(READY_SIGNAL)
        answers.flush()
        while question := questions.read(REQUEST_HEADER.size):
            what, n, octets = REQUEST_HEADER.unpack(question)
            _limit_memory(base + MEMORY_PER_MESSAGE_BYTE * octets)
            content = questions.read(octets)
            if len(content) < octets:
                return  # the parent has ended in the middle of its question
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            head, data = (
                _respond_parsed(parse_message, content)
                if what == PARSE_OPERATION
                else _respond_attachment(extract_attachment, content, n)
            )
            signal.setitimer(signal.ITIMER_PROF, 0)
            for piece in (RESPONSE_HEADER.pack(len(head), len(data)), head, data):
                answers.write(piece)
            answers.flush()


def _respond_parsed(parse_message: ParseFunction, content: bytes) -> tuple[bytes, bytes]:
    contents = parse_message(content)
    return contents.to_json().encode(), "\n".join(terms.of_mail(contents.text, contents.quoted)).encode()


def _respond_attachment(extract_attachment: ExtractFunction, content: bytes, n: int) -> tuple[bytes, bytes]:
    taken = extract_attachment(content, n)
    return (b"null", b"") if taken is None else (json.dumps(asdict(taken.attachment)).encode(), taken.data)


def _mapped_bytes() -> int:
    """Bytes that this process has mapped (proc(5)); 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _limit_memory(max_bytes: int) -> None:
    """Limits the address space to so many bytes; no more than the worker was given when it started."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        max_bytes = min(max_bytes, most)
    with suppress(OSError, ValueError):  # a service manager may forbid it, and bounds memory in its own way
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, most))
