"""Submits one mail to its smarthost: reads its content, signs it, and makes the SMTP transaction.

What the smarthost or the network does is an outcome. An unavailable database raises `Unavailable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from router.clock import Clock
from router.dispatch.submission_work import NotSubmitted, Submission, SubmissionEnd, WrongSmarthost
from router.mail.dkim.sign import sign
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.outcome import SubmissionOutcome
from router.replies.sealed_smarthost import mask
from router.replies.sending import SendingSetup
from router.reply_tokens import bounce_address

# Maximum bytes of the messages that a process submits at the same time: to the smarthost of the installation, and to
# those of domains together, because one that a user has set may be slow. A larger message is submitted
# alone. Signing and sending need about five times as much memory.
MAX_CONTENT_BYTES = 64 * 1024 * 1024


class SetupReader(Protocol):
    """Reads with what the mail of a domain is sent (`router.replies.sending.SendingReader`)."""

    async def read(self, domain_id: str) -> SendingSetup: ...


class StoredContents(Protocol):
    """Reads stored messages; `b""` for an erased one."""

    async def read_content(self, message_id: str) -> bytes: ...


class Submitter(Protocol):
    """Makes SMTP transactions (`router.outbound.smarthost.client.SmarthostClient`)."""

    async def submit(
        self,
        access: SmarthostAccess,
        *,
        envelope_senders: Sequence[str],
        recipient: str,
        content: bytes,
        needs_smtputf8: bool,
        before_final_dot: Callable[[], Awaitable[None]],
    ) -> SubmissionOutcome: ...


@dataclass(frozen=True, slots=True)
class SentMail:
    """How a submission ended, and whether the token in the envelope sender was replaced by the alias."""

    end: SubmissionEnd
    is_sender_replaced: bool = False


class SubmissionSender:
    """Submits mail. `uses_token` is whether the envelope sender names the recipient."""

    def __init__(
        self, setups: SetupReader, contents: StoredContents, submitter: Submitter, clock: Clock, *, uses_token: bool
    ) -> None:
        self._setups = setups
        self._contents = contents
        self._submitter = submitter
        self._clock = clock
        self._uses_token = uses_token
        self._memory = ContentMemory(MAX_CONTENT_BYTES)
        self._domain_memory = ContentMemory(MAX_CONTENT_BYTES)

    async def send(self, submission: Submission, before_final_dot: Callable[[], Awaitable[None]]) -> SentMail:
        """Submits the mail. Exceptions of `before_final_dot` are raised here; nothing was sent then."""
        if submission.domain_id is None:
            return SentMail(NotSubmitted(f"not sent: the domain {submission.domain} was removed"))
        setup = await self._setups.read(submission.domain_id)
        if setup.access is None:
            return SentMail(NotSubmitted(f"not sent: {setup.reason}"))
        if setup.access.id != submission.smarthost_id:
            return SentMail(WrongSmarthost(setup.access.id, mask(setup.access.url)))
        memory = self._domain_memory if setup.access.is_guarded else self._memory
        async with memory.reserve(submission.size):
            content = await self._contents.read_content(submission.message_id)
            if not content:
                return SentMail(SubmissionOutcome("message", "data", None, "not sent: its content was erased"))
            signed = await asyncio.to_thread(sign, content, setup.keys, self._clock.now())
            del content
            senders = self._envelope_senders(submission)
            outcome = await self._submitter.submit(
                setup.access,
                envelope_senders=senders,
                recipient=submission.recipient,
                content=signed,
                needs_smtputf8=needs_smtputf8(signed, submission.recipient, *senders),
                before_final_dot=before_final_dot,
            )
        is_token_replaced = submission.kind == "reply" and outcome.envelope_from != senders[0]
        return SentMail(outcome, is_sender_replaced=is_token_replaced)

    def _envelope_senders(self, submission: Submission) -> list[str]:
        """Returns the envelope senders in the order in which they are tried."""
        if submission.kind == "acknowledgement":
            return ["", submission.sender]  # RFC 3834 section 3.3; Amazon SES rejects the null sender
        if not self._uses_token or submission.is_upstream or submission.rejects_token_sender:
            return [submission.sender]
        return [bounce_address(submission.token, submission.domain), submission.sender]


def needs_smtputf8(content: bytes, *addresses: str) -> bool:
    """Whether the message needs SMTPUTF8: an address or a header field is not ASCII (RFC 6531 section 3.5)."""
    header, _, _ = content.partition(b"\r\n\r\n")
    return not header.isascii() or not all(address.isascii() for address in addresses)


class ContentMemory:
    """The memory for the contents of messages. A message larger than all of it waits until it is unused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, nbytes: int) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._used or self._used + nbytes <= self._limit)
            self._used += nbytes
        try:
            yield
        finally:
            self._used -= nbytes
            async with self._changed:
                self._changed.notify_all()
