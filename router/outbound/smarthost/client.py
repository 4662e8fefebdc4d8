"""Submits messages to a smarthost: one transaction for one recipient, over a connection of its own.

A call ends with one outcome, and never retries; only an envelope sender that is rejected is replaced by the next one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from aiohttp.abc import AbstractResolver

from router.assigned_ids import find_assigned_ids
from router.model import Micros
from router.outbound.lookup import SystemResolver
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.failure import SubmissionFailed, clean_text
from router.outbound.smarthost.outcome import ProbeResult, SubmissionOutcome
from router.outbound.smarthost.session import SessionOptions, open_session
from router.outbound.smarthost.sockets import TimeLimit
from router.outbound.smarthost.tls_contexts import TlsContexts
from router.outbound.smarthost.transaction import MailTransaction

FINAL_SECONDS = 600.0  # RFC 5321 section 4.5.3.2.6


class SmarthostClient:
    """Submits messages.

    Args:
        helo: The name of this host in EHLO.
        timeout: Seconds for each answer, except that to the final dot, and for each part of the data.
        final_timeout: Seconds for the answer to the final dot.
        allow_private: Whether the smarthosts of domains may have addresses that are not public.
        tls_context: Verifies certificates; by default with the authorities of the system.
        time_limit: `asyncio.timeout`; tests control the time.
    """

    def __init__(
        self,
        *,
        helo: str,
        timeout: float = 60.0,
        final_timeout: float = FINAL_SECONDS,
        allow_private: bool = False,
        tls_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        time_limit: TimeLimit = asyncio.timeout,
    ) -> None:
        self._final_timeout = final_timeout
        self._options = SessionOptions(
            helo=helo,
            timeout=timeout,
            resolver=resolver or SystemResolver(),
            tls_contexts=TlsContexts(tls_context),
            allow_private=allow_private,
            time_limit=time_limit,
        )

    async def submit(
        self,
        access: SmarthostAccess,
        *,
        envelope_senders: Sequence[str],
        recipient: str,
        content: bytes,
        needs_smtputf8: bool,
        before_final_dot: Callable[[], Awaitable[None]],
    ) -> SubmissionOutcome:
        """Submits a message to one recipient.

        Args:
            envelope_senders: The first one that the smarthost accepts is used; `""` is the null sender.
            content: The message with CRLF line ends.
            before_final_dot: Awaited when the data has been sent, and only the final dot is missing; for each sender
                that gets this far. An exception closes the connection without the dot, and is raised here.
        """
        started = time.monotonic()
        transaction = MailTransaction(recipient, content, needs_smtputf8, before_final_dot, self._final_timeout)
        outcome: SubmissionOutcome | None = None
        for sender in envelope_senders:
            outcome, is_sender_rejected = await self._run(access, transaction, sender)
            if not is_sender_rejected:
                break
        if outcome is None:
            raise ValueError("a submission needs an envelope sender")
        return replace(outcome, latency=_micros_since(started))

    async def probe(self, access: SmarthostAccess) -> ProbeResult:
        """Connects, authenticates and disconnects."""
        started = time.monotonic()
        try:
            async with open_session(access, self._options) as session:
                found = ProbeResult(
                    "accepted",
                    session.stage,
                    None,
                    "",
                    tls=session.tls,
                    is_authenticated=session.is_authenticated,
                    supports_smtputf8=session.supports("smtputf8"),
                    max_message_bytes=session.max_message_bytes,
                )
                await session.quit()
        except SubmissionFailed as failed:
            found = ProbeResult(failed.kind, failed.stage, failed.code, failed.text)
        return replace(found, latency=_micros_since(started))

    async def _run(
        self, access: SmarthostAccess, transaction: MailTransaction, sender: str
    ) -> tuple[SubmissionOutcome, bool]:
        """Returns the outcome, and whether another envelope sender may be accepted."""
        try:
            async with open_session(access, self._options) as session:
                response = await transaction.run(session, sender)
                session.leave()
        except SubmissionFailed as failed:
            outcome = SubmissionOutcome(failed.kind, failed.stage, failed.code, failed.text, sender)
            return outcome, failed.is_sender_rejected
        addresses = (sender, transaction.recipient)
        ids = find_assigned_ids(response.message, host=access.url.host, addresses=addresses)
        return SubmissionOutcome(
            "accepted", "final", response.code, clean_text(response.message, access), sender, ids
        ), False


def _micros_since(started: float) -> Micros:
    return round((time.monotonic() - started) * 1_000_000)
