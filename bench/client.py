"""One SMTP session with one mail, timed: what `bench.deliver`, `hostile`, `backpressure` and `corpus` send with.

`send` speaks command and answer in turn and returns the reply that counts: the one to the mail, or the refusal before
it. It never raises for what a server does: a lost connection is an answer with code 0.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """code 0: the connection was lost, or nothing came in time. began, at: the loop's time at connect and reply."""

    code: int
    text: str
    began: float
    at: float

    @property
    def seconds(self) -> float:
        """From the connection to the reply."""
        return self.at - self.began


async def send(
    port: int,
    recipient: str,
    pieces: Sequence[bytes],
    *,
    sender: str = "ada@sender.test",
    local: str = "127.0.0.1",
    timeout: float = 30.0,
) -> Answer:
    """Sends a mail to 127.0.0.1:port. pieces: its octets, dot-stuffed and with the end mark. local: our address."""
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
                writer.writelines(pieces)
                # Not `drain`: a server that refuses says so while we still send.
                code, text = await _reply(reader)
            answer = Answer(code, text, began, loop.time())
            if code:
                writer.write(b"QUIT\r\n")
            return answer
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        return Answer(0, f"{type(error).__name__}: {error}", began, loop.time())
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


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of them do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def summary(values: Sequence[float]) -> str:
    """Seconds as `median 3.1 ms, p99 8.0 ms, most 9.9 ms`."""
    if not values:
        return "nothing measured"
    middle, high, most = (1000 * value for value in (percentile(values, 0.5), percentile(values, 0.99), max(values)))
    return f"median {middle:.1f} ms, p99 {high:.1f} ms, most {most:.1f} ms"
