"""Runs SPF, DKIM, DMARC, iprev and the spam filter for one message, at the same time and within one deadline.

A method that is not ready then is `temperror`, as is one that fails for a reason of ours. Nothing here raises because
of what a stranger sent or a DNS server answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from router.checks import dmarc
from router.checks.check_queue import QueuedMessage
from router.checks.dmarc_answers import fetch_alignment_answers, fetch_author_answers
from router.checks.dns_cache import DnsCache
from router.checks.iprev import check_iprev
from router.checks.questions import Questions
from router.checks.relays import Relays
from router.checks.rspamd import RspamdClient, SessionFacts
from router.checks.spam_verdict import SpamVerdict
from router.checks.spf import check_spf, spf_domain
from router.contents.pool import Parser
from router.contents.store import ContentStore
from router.dns.answers import DnsAnswer, Lookup
from router.errors import Unavailable
from router.mail.auth_results import AuthResult
from router.mail.dkim.signature import MAX_BYTES, DkimSignature, read_signatures, results_without_keys
from router.model import Message
from router.network import parse_address

# Messages of several chunks in memory at the same time, each of at most `router.mail.dkim.signature.MAX_BYTES` or
# `[checks] rspamd_max_bytes`.
MAX_MESSAGES_IN_MEMORY = 8
# How long the spam filter waits for the host name of the client, in seconds. A sender can delay its DNS, and must not
# keep the filter from its time limit.
HOST_NAME_WAIT = 0.5
RELAYED = "relayed"
NOT_READY = "not ready within the time limit"
_TOO_LARGE = "too large"

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Authentication:
    """The results of all methods for one message.

    `is_relayed`: SPF does not apply, because a host that forwards mail sent the message. `is_trusted`: this host is a
    relay or in a trusted network, so what it reports of the sender can be shown.
    """

    spf: AuthResult
    iprev: AuthResult
    dkim: tuple[AuthResult, ...]
    dmarc: dmarc.DmarcVerdict
    is_relayed: bool
    is_trusted: bool
    spam: SpamVerdict | None

    @property
    def results(self) -> tuple[AuthResult, ...]:
        return (self.spf, *self.dkim, self.dmarc.result, self.iprev)

    @property
    def has_unverified_signature(self) -> bool:
        """Whether the message is too large for the verification of its signatures."""
        return any(result.reason == _TOO_LARGE for result in self.dkim)


class Authenticator:
    """Authenticates messages, any number at a time.

    Args:
        spam_filter: None if messages are not checked for spam. It gets messages of up to `spam_max_bytes`.
        deadline: The time limit for one message in seconds.
    """

    def __init__(
        self,
        contents: ContentStore,
        parser: Parser,
        dns: DnsCache,
        relays: Relays,
        spam_filter: RspamdClient | None,
        *,
        spam_max_bytes: int,
        deadline: float,
    ) -> None:
        self._contents = contents
        self._parser = parser
        self._dns = dns
        self._relays = relays
        self._spam_filter = spam_filter
        self._spam_max_bytes = spam_max_bytes
        self._deadline = deadline
        self._memory = asyncio.Semaphore(MAX_MESSAGES_IN_MEMORY)

    async def authenticate(self, queued: QueuedMessage, data: bytes, from_domains: Sequence[str]) -> Authentication:
        """Authenticates a message. `data` is its first chunk."""
        message, lookup = queued.message, Questions(self._dns).query
        limit, raw = _TimeLimit(self._deadline), _RawMessage(message, data, self._contents, self._memory)
        is_trusted = self._relays.contains_address(message.peer)
        is_relayed = is_trusted or queued.is_upstream or parse_address(message.peer) is None
        # The first task asks first, so that no other check can use up the questions of the message.
        walk = limit.start(fetch_author_answers(lookup, from_domains), _NO_ANSWERS)
        iprev: asyncio.Future[AuthResult] = _ready(AuthResult("iprev", "none", reason=RELAYED))
        if not is_relayed:
            iprev = limit.start(check_iprev(lookup, message.peer), AuthResult("iprev", "temperror", reason=NOT_READY))
        from_domain = from_domains[0] if len(from_domains) == 1 else ""
        signed = read_signatures(data, from_domain)
        dkim = limit.start(
            self._verify_signatures(raw, from_domain, signed, lookup),
            # With their domains: a signature of another domain must not keep DMARC from a final result.
            tuple(each.fault or each.result("temperror", NOT_READY) for each in signed),
        )
        try:
            if not is_relayed and self._relays.has_names:
                host = await iprev
                is_relayed = is_trusted = host.result == "pass" and self._relays.contains_host(host.domain)
            spam = limit.start(self._check_spam(queued, raw, iprev, is_relayed=is_relayed), None)
            spf = await self._check_spf(message, lookup, limit, is_relayed=is_relayed)
            answers, from_exists = await walk
            signatures = await dkim
            answers = await limit.start(
                fetch_alignment_answers(lookup, from_domains, answers, spf, signatures), answers
            )
            verdict = dmarc.evaluate(from_domains, answers, spf, signatures, from_exists=from_exists)
            return Authentication(spf, await iprev, signatures, verdict, is_relayed, is_trusted, await spam)
        finally:
            limit.cancel()
            raw.release()

    async def _check_spf(self, message: Message, lookup: Lookup, limit: _TimeLimit, *, is_relayed: bool) -> AuthResult:
        if is_relayed:
            return AuthResult("spf", "none", reason=RELAYED)
        late = AuthResult("spf", "temperror", spf_domain(message.helo, message.reverse_path), reason=NOT_READY)
        check = check_spf(lookup, peer=message.peer, helo=message.helo, reverse_path=message.reverse_path)
        return await limit.start(check, late)

    async def _verify_signatures(
        self, raw: _RawMessage, from_domain: str, signed: Sequence[DkimSignature], lookup: Lookup
    ) -> tuple[AuthResult, ...]:
        results = results_without_keys(signed)
        if results is not None:
            return results
        if raw.message.size > MAX_BYTES:
            return tuple(each.fault or each.result("neutral", _TOO_LARGE) for each in signed)
        keys = await _fetch_keys(signed, lookup)
        content = await raw.read()
        if content is None:
            return tuple(each.result("temperror", "the message was erased") for each in signed)
        return await self._parser.verify_signatures(content, from_domain, keys, raw.message.received_at)

    async def _check_spam(
        self, queued: QueuedMessage, raw: _RawMessage, iprev: asyncio.Future[AuthResult], *, is_relayed: bool
    ) -> SpamVerdict | None:
        """Asks the spam filter. An unknown host name is a sign of spam to it, so iprev is awaited for a short time."""
        message = queued.message
        if self._spam_filter is None or message.size > self._spam_max_bytes:
            return None
        content = await raw.read()
        await asyncio.wait([iprev], timeout=HOST_NAME_WAIT)
        host = iprev.result().domain if iprev.done() else ""
        if content is None:
            return None
        return await self._spam_filter.check(
            content,
            SessionFacts(
                peer="" if is_relayed else message.peer,
                helo="" if is_relayed else message.helo,
                hostname=host,
                reverse_path=message.reverse_path,
                recipients=queued.recipients,
                message_id=message.id,
                tls=message.tls,
            ),
        )


class _RawMessage:
    """The bytes of a message, which are read when they are first needed. `memory` limits large ones."""

    def __init__(self, message: Message, data: bytes, contents: ContentStore, memory: asyncio.Semaphore) -> None:
        self.message = message
        self._data = data
        self._contents = contents
        self._memory = memory
        self._reading: asyncio.Task[bytes | None] | None = None
        self._is_counted = False

    async def read(self) -> bytes | None:
        """Returns None if the message was erased."""
        if len(self._data) >= self.message.size:
            return self._data
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> bytes | None:
        await self._memory.acquire()
        self._is_counted = True
        return await self._contents.read_raw(self.message.id)

    def release(self) -> None:
        """Ends the use of the message."""
        if self._reading is not None:
            self._reading.cancel()
        if self._is_counted:
            self._memory.release()


_NO_ANSWERS: tuple[dict[str, DnsAnswer], DnsAnswer | None] = ({}, None)


async def _fetch_keys(signatures: Sequence[DkimSignature], lookup: Lookup) -> dict[str, DnsAnswer]:
    names = list(dict.fromkeys(signature.key_name for signature in signatures if not signature.fault))
    return dict(zip(names, await asyncio.gather(*(lookup(name, "TXT") for name in names)), strict=True))


class _TimeLimit:
    """The deadline of one message, and the tasks that it limits."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, T], otherwise: T) -> asyncio.Task[T]:
        """Starts a task whose result is `otherwise` if the deadline passes, or if a fault of ours ends it."""
        task = asyncio.get_running_loop().create_task(self._run(work, otherwise))
        self._tasks.append(task)
        return task

    async def _run(self, work: Coroutine[Any, Any, T], otherwise: T) -> T:
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await work
        except TimeoutError:
            return otherwise
        except Unavailable as error:
            log.warning("checks.unavailable", reason=str(error))
            return otherwise
        except Exception:
            log.exception("checks.internal_error")
            return otherwise

    def cancel(self) -> None:
        """Cancels the tasks that still run."""
        for task in self._tasks:
            task.cancel()


def _ready(result: T) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future
