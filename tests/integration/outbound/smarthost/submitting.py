"""Submits messages in tests, with a time limit that the test controls."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from config import smarthost_url
from config.secret import Secret
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import SubmissionOutcome
from tests.support.smarthost import ScriptedSmarthost

TOKEN_SENDER = "b-mzuhy4hqcmpfqjzrkkbrhwngd4@example.com"
RECIPIENT = "ann@customer.test"
CLIENT = SmarthostClient(helo="mail.example.com", timeout=20.0)
CONTENT = b"From: support@example.com\r\nSubject: Re: Printer\r\n\r\nHello\r\n.\r\n..two\r\n"


@dataclass
class ControlledTime:
    """Time limits that end when the test advances the time."""

    now: float = 0.0
    _limits: list[tuple[float, asyncio.Timeout]] = field(default_factory=list)

    def limit(self, seconds: float) -> asyncio.Timeout:
        timeout = asyncio.timeout(None)
        self._limits.append((self.now + seconds, timeout))
        return timeout

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for end, timeout in self._limits:
            if end <= self.now:
                with contextlib.suppress(RuntimeError):  # it has ended
                    timeout.reschedule(asyncio.get_running_loop().time())
        self._limits = [(end, timeout) for end, timeout in self._limits if end > self.now]


def access_to(
    smarthost: ScriptedSmarthost, *, host: str = "127.0.0.1", query: str = "", is_guarded: bool = False
) -> SmarthostAccess:
    password = Secret(smarthost.password) if smarthost.password else None
    url = smarthost_url.parse(smarthost.url_of(host) + query)
    return SmarthostAccess("installation", url, password, is_guarded)


async def submit(
    client: SmarthostClient,
    access: SmarthostAccess,
    *,
    senders: Sequence[str] = (TOKEN_SENDER, "support@example.com"),
    recipient: str = RECIPIENT,
    content: bytes = CONTENT,
    needs_smtputf8: bool = False,
    dots: list[str] | None = None,
) -> SubmissionOutcome:
    """Submits a message. Each call of `before_final_dot` is appended to `dots`."""

    async def before_final_dot() -> None:
        if dots is not None:
            dots.append(recipient)

    return await client.submit(
        access,
        envelope_senders=senders,
        recipient=recipient,
        content=content,
        needs_smtputf8=needs_smtputf8,
        before_final_dot=before_final_dot,
    )
