"""Checks one message: authenticates its sender, and collects the facts for the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from router.checks.authenticate import Authentication, Authenticator
from router.checks.check_queue import QueuedMessage
from router.checks.decision import SenderFacts
from router.checks.dmarc import NO_DOMAIN
from router.checks.results import MessageChecks, without_results
from router.checks.rspamd import arc_result
from router.clock import Clock
from router.mail.headers import read_headers
from router.mail.mailboxes import domains_of
from router.mail.relay_results import read_relay_results
from router.model import Message
from router.routing.routing_cache import RoutingCache

# Reading the header of a larger first chunk can take longer than a thread switch, so it runs in a thread.
_READ_IN_THREAD_BYTES = 32768


class SenderEvaluator:
    """Implements `router.dispatch.check_runner.Evaluator`.

    Args:
        max_header_bytes: The part of a message in which its header is searched.
        trusted_authserv_ids: Whose Authentication-Results are shown if a trusted host sent the message.
        is_own_test: Recognises our own test messages, which are not checked.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        routing: RoutingCache,
        clock: Clock,
        *,
        max_header_bytes: int,
        trusted_authserv_ids: Collection[str],
        is_own_test: Callable[[Message], bool],
    ) -> None:
        self._authenticator = authenticator
        self._routing = routing
        self._clock = clock
        self._max_header_bytes = max_header_bytes
        self._trusted_ids = trusted_authserv_ids
        self._is_own_test = is_own_test

    async def evaluate(self, queued: QueuedMessage) -> MessageChecks:
        """See `router.dispatch.check_runner.Evaluator`."""
        if queued.data is None or self._is_own_test(queued.message):
            return MessageChecks("skipped", self._clock.now())
        in_header = await self._read_from_domains(queued)
        shown = _shown_domains(queued.message, in_header)
        found = await self._authenticator.authenticate(queued, queued.data, shown)
        results, facts = found.results, await self._collect_facts(queued.message, shown, found)
        if not in_header and queued.message.from_address == queued.message.reverse_path:
            # What the owner of a domain asks for concerns From alone (RFC 9989), so it must not hold the message.
            results = tuple(NO_DOMAIN if each.method == "dmarc" else each for each in results)
            facts = replace(facts, dmarc_policy="none")
        arc = None if found.spam is None else arc_result(found.spam)
        return MessageChecks(
            state="done",
            checked_at=self._clock.now(),
            results=results if arc is None else (*results, arc),
            relay_results=read_relay_results(queued.data, self._trusted_ids) if found.is_trusted else (),
            spam=found.spam,
            facts=facts,
        )

    async def give_up(self, queued: QueuedMessage, reason: str) -> MessageChecks:
        """See `router.dispatch.check_runner.Evaluator`."""
        if queued.data is None or self._is_own_test(queued.message):
            return MessageChecks("skipped", self._clock.now())
        shown = _shown_domains(queued.message, await self._read_from_domains(queued))
        facts = await self._collect_facts(queued.message, shown, None)
        return without_results(reason, self._clock.now(), facts)

    async def _read_from_domains(self, queued: QueuedMessage) -> tuple[str, ...]:
        """Reads From as the accept does, so that the address that is shown is the one that is checked."""
        data, max_bytes = queued.data or b"", self._max_header_bytes
        if len(data) < queued.message.size:  # so that a line that the chunk cuts off is not read
            max_bytes = min(max_bytes, len(data) - 1)
        if len(data) <= _READ_IN_THREAD_BYTES:
            return read_headers(data, max_bytes=max_bytes).from_domains
        facts = await asyncio.to_thread(read_headers, data, max_bytes=max_bytes)
        return facts.from_domains

    async def _collect_facts(
        self, message: Message, from_domains: Sequence[str], found: Authentication | None
    ) -> SenderFacts:
        """`found` is None if the sender could not be checked."""
        own_domain = await self._routing.find_own_domain(message.workspace_id, from_domains)
        lists = await self._routing.get_sender_lists(message.workspace_id)
        listed = lists.decide(
            message.reverse_path,
            message.from_address,
            message.peer,
            authenticated=found is not None and _is_authenticated(found),
        )
        known = SenderFacts(
            from_domain=own_domain,
            dmarc="temperror",
            is_own_domain=own_domain != "",
            allowed="" if listed.allowed is None else listed.allowed.sender,
            blocked="" if listed.blocked is None else listed.blocked.sender,
        )
        if found is None:
            return known
        return replace(
            known,
            from_domain=own_domain or found.dmarc.result.domain,
            dmarc=found.dmarc.result.result,
            # A signature that is not verified could be the proof, so the policy must not hold the message.
            dmarc_policy="none" if found.has_unverified_signature else found.dmarc.policy,
            aligned=found.dmarc.aligned,
            is_authenticated=_is_authenticated(found),
            is_relayed=found.is_relayed,
        )


def _shown_domains(message: Message, in_header: Sequence[str]) -> tuple[str, ...]:
    """Returns the domains in From with that of the address that is shown, which is MAIL FROM without a From field."""
    return tuple(dict.fromkeys((*in_header, *domains_of([("", message.from_address)]))))


def _is_authenticated(found: Authentication) -> bool:
    """Whether DMARC passes or, for a domain without a DMARC record, a signature of this domain or a related one."""
    verdict = found.dmarc
    if not verdict.aligned or verdict.result.result == "pass":
        return verdict.aligned
    author = f".{verdict.result.domain}"
    signers = [f".{result.domain}" for result in found.dkim if result.result == "pass"]
    return any(signer.endswith(author) or author.endswith(signer) for signer in signers)
