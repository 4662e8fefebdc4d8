"""Sends one message in one SMTP session and times it. Raises nothing for a rejection, lost connection or timeout."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SmtpResult:
    """The last reply of a session. Code 0 means that the session failed before it.

    `started_at` (before connecting) and `replied_at` (the last reply or failure) are times of the event loop,
    in seconds.
    """

    code: int
    text: str
    started_at: float
    replied_at: float

    @property
    def seconds(self) -> float:
        return self.replied_at - self.started_at


async def send(
    port: int,
    recipient: str,
    content: Sequence[bytes],
    *,
    sender: str = "ada@sender.test",
    local: str = "127.0.0.1",
    timeout: float = 30.0,
) -> SmtpResult:
    """Sends a message to 127.0.0.1:port. Returns the reply to the message, or an earlier rejection.

    Args:
        content: dot-stuffed bytes with the end of data, in one or more pieces.
        local: source IP address.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
            code, text = await _reply(reader)
            envelope = ("EHLO sender.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
            for command in envelope:
                if code >= 400:
                    break
                writer.write(f"{command}\r\n".encode())
                code, text = await _reply(reader)
            if code == 354:
                writer.writelines(content)
                # No `drain`: a server may reject a message before all of its bytes are sent.
                code, text = await _reply(reader)
            answer = SmtpResult(code, text, began, loop.time())
            if code:
                writer.write(b"QUIT\r\n")
            return answer
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        return SmtpResult(0, f"{type(error).__name__}: {error}", began, loop.time())
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()


async def _reply(reader: asyncio.StreamReader) -> tuple[int, str]:
    while True:
        line = await reader.readuntil(b"\r\n")
        if line[3:4] != b"-":
            return int(line[:3]), line.decode(errors="replace").strip()


def percentile(values: Sequence[float], fraction: float) -> float:
    """Returns a value that at least `fraction` (0 to 1) of the values do not exceed; 0.0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] if ordered else 0.0


def format_durations(values: Sequence[float]) -> str:
    """Formats durations, given in seconds, as `median 3.1 ms, p99 8.0 ms, max 9.9 ms`."""
    if not values:
        return "nothing measured"
    middle, high, maximum = (1000 * value for value in (percentile(values, 0.5), percentile(values, 0.99), max(values)))
    return f"median {middle:.1f} ms, p99 {high:.1f} ms, max {maximum:.1f} ms"
