"""Runs SPF, DKIM, DMARC and iprev for one message, at the same time and within one deadline.

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
from router.checks.spf import check_spf, spf_domain
from router.contents.pool import Parser
from router.contents.store import ContentStore
from router.dns.answers import DnsAnswer, Lookup
from router.errors import Unavailable
from router.mail.auth_results import AuthResult
from router.mail.dkim.signature import MAX_BYTES, DkimSignature, read_signatures, results_without_keys
from router.model import Message
from router.network import parse_address

# Whole messages in memory at the same time, each of at most `router.mail.dkim.signature.MAX_BYTES`.
MAX_MESSAGES_IN_MEMORY = 4
RELAYED = "relayed"
NOT_READY = "not ready within the time limit"

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

    @property
    def results(self) -> tuple[AuthResult, ...]:
        return (self.spf, *self.dkim, self.dmarc.result, self.iprev)


class Authenticator:
    """Authenticates messages, any number at a time. `deadline` is the time limit for one message in seconds."""

    def __init__(
        self, contents: ContentStore, parser: Parser, dns: DnsCache, relays: Relays, *, deadline: float
    ) -> None:
        self._contents = contents
        self._parser = parser
        self._dns = dns
        self._relays = relays
        self._deadline = deadline
        self._memory = asyncio.Semaphore(MAX_MESSAGES_IN_MEMORY)

    async def authenticate(self, queued: QueuedMessage, data: bytes, from_domains: Sequence[str]) -> Authentication:
        """Authenticates a message. `data` is its first chunk."""
        message, lookup = queued.message, Questions(self._dns).query
        limit = _TimeLimit(self._deadline)
        is_trusted = self._relays.contains_address(message.peer)
        is_relayed = is_trusted or queued.is_upstream or parse_address(message.peer) is None
        # The first task asks first, so that no other check can use up the questions of the message.
        walk = limit.start(fetch_author_answers(lookup, from_domains), _NO_ANSWERS)
        iprev = _ready(AuthResult("iprev", "none", reason=RELAYED))
        if not is_relayed:
            iprev = limit.start(check_iprev(lookup, message.peer), AuthResult("iprev", "temperror", reason=NOT_READY))
        from_domain = from_domains[0] if len(from_domains) == 1 else ""
        signed = read_signatures(data, from_domain)
        dkim = limit.start(
            self._verify_signatures(message, data, from_domain, signed, lookup),
            # With their domains: a signature of another domain must not keep DMARC from a final result.
            tuple(each.fault or each.result("temperror", NOT_READY) for each in signed),
        )
        try:
            if not is_relayed and self._relays.has_names:
                host = await iprev
                is_relayed = is_trusted = host.result == "pass" and self._relays.contains_host(host.domain)
            spf = await self._check_spf(message, lookup, limit, is_relayed=is_relayed)
            answers, from_exists = await walk
            signatures = await dkim
            answers = await limit.start(
                fetch_alignment_answers(lookup, from_domains, answers, spf, signatures), answers
            )
            verdict = dmarc.evaluate(from_domains, answers, spf, signatures, from_exists=from_exists)
            return Authentication(spf, await iprev, signatures, verdict, is_relayed, is_trusted)
        finally:
            limit.cancel()

    async def _check_spf(self, message: Message, lookup: Lookup, limit: _TimeLimit, *, is_relayed: bool) -> AuthResult:
        if is_relayed:
            return AuthResult("spf", "none", reason=RELAYED)
        late = AuthResult("spf", "temperror", spf_domain(message.helo, message.reverse_path), reason=NOT_READY)
        check = check_spf(lookup, peer=message.peer, helo=message.helo, reverse_path=message.reverse_path)
        return await limit.start(check, late)

    async def _verify_signatures(
        self, message: Message, data: bytes, from_domain: str, signed: Sequence[DkimSignature], lookup: Lookup
    ) -> tuple[AuthResult, ...]:
        results = results_without_keys(signed)
        if results is not None:
            return results
        if message.size > MAX_BYTES:
            return tuple(each.result("neutral", "too large") for each in signed)
        keys = await _fetch_keys(signed, lookup)
        async with self._memory:
            content = data if len(data) >= message.size else await self._contents.read_raw(message.id)
            if content is None:
                return tuple(each.result("temperror", "the message was erased") for each in signed)
            return await self._parser.verify_signatures(content, from_domain, keys, message.received_at)


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
