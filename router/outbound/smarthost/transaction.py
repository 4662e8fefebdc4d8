"""One SMTP transaction: MAIL, RCPT, DATA, the content, and the final dot.

The content is written in parts, and `before_final_dot` is awaited when they are in the send buffer of the socket. The
methods of aiosmtplib write the content and the dot together.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from aiosmtplib import SMTPResponse

from router.outbound.smarthost.failure import SubmissionFailed
from router.outbound.smarthost.session import SmarthostSession

PART_BYTES = 64 * 1024
_ADDRESS = re.compile(r'(?:[^\x00-\x20\x7f"<>]+|"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*")@[^\x00-\x20\x7f"<>@]+')


@dataclass(frozen=True, slots=True)
class MailTransaction:
    """A message for one recipient. See `SmarthostClient.submit`."""

    recipient: str
    content: bytes
    needs_smtputf8: bool
    before_final_dot: Callable[[], Awaitable[None]]
    final_timeout: float

    async def run(self, session: SmarthostSession, sender: str) -> SMTPResponse:
        """Returns the answer that accepts the message. Raises SubmissionFailed."""
        parameters = self._parameters(session, sender)
        await session.command("mail", f"MAIL FROM:<{sender}>", *parameters)
        await session.command("rcpt", f"RCPT TO:<{self.recipient}>")
        await session.command("data", "DATA", expected=3)
        return await self._send_content(session)

    def _parameters(self, session: SmarthostSession, sender: str) -> list[str]:
        """Returns the parameters of MAIL. Raises SubmissionFailed if the smarthost cannot take the message."""
        for address in (sender, self.recipient):
            if address and not _ADDRESS.fullmatch(address):
                raise SubmissionFailed("recipient", "mail", "the address is not valid in SMTP")
        needs_smtputf8 = self.needs_smtputf8 or not (sender.isascii() and self.recipient.isascii())
        if needs_smtputf8 and not session.supports("smtputf8"):
            text = "the smarthost does not offer SMTPUTF8, which addresses with non-ASCII characters need"
            raise SubmissionFailed("unsupported", "mail", text)
        limit = session.max_message_bytes
        if limit is not None and len(self.content) > limit:
            text = f"the message has {len(self.content)} bytes, and the smarthost allows {limit}"
            raise SubmissionFailed("message", "mail", text)
        parameters = [f"SIZE={len(self.content)}"] if session.supports("size") else []
        return parameters + (["BODY=8BITMIME", "SMTPUTF8"] if needs_smtputf8 else [])

    async def _send_content(self, session: SmarthostSession) -> SMTPResponse:
        """Sends the content and the final dot. An answer before the dot, such as 552, ends the transaction."""
        async with session.reading() as answer:
            try:
                async with session.sending(len(self.content)):
                    for part in stuffed_parts(self.content):
                        await session.write(part)
                        if answer.done():
                            break
            except SubmissionFailed:
                if not answer.done():
                    raise
            if not answer.done():
                await self.before_final_dot()
            if not answer.done():
                await session.write_final_dot()
                return await session.read_final(answer, self.final_timeout)
            raise await session.early_failure(answer)


def stuffed_parts(content: bytes) -> Iterator[bytes]:
    """Yields the content with doubled leading dots (RFC 5321 section 4.5.2) in parts that begin with a line.

    A part has about `PART_BYTES` bytes, if the lines are not longer. The last one ends with CRLF.
    """
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + PART_BYTES) + 1 or len(content)
        part = content[start:end].replace(b"\n.", b"\n..")
        yield b"." + part if part.startswith(b".") else part
        start = end
    if not content.endswith(b"\r\n"):
        yield b"\r\n"
