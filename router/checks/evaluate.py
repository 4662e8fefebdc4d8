"""Checks one message: authenticates its sender, and collects the facts for the decision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from router.checks.authenticate import Authentication, Authenticator
from router.checks.check_queue import QueuedMessage
from router.checks.decision import SenderFacts
from router.checks.results import MessageChecks
from router.checks.rspamd import arc_result
from router.clock import Clock
from router.mail.from_field import read_from_domains
from router.mail.relay_results import read_relay_results
from router.model import Message
from router.routing.routing_cache import RoutingCache


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
        from_domains = read_from_domains(queued.data, self._max_header_bytes)
        found = await self._authenticator.authenticate(queued, queued.data, from_domains)
        arc = None if found.spam is None else arc_result(found.spam)
        return MessageChecks(
            state="done",
            checked_at=self._clock.now(),
            results=found.results if arc is None else (*found.results, arc),
            relay_results=read_relay_results(queued.data, self._trusted_ids) if found.is_trusted else (),
            spam=found.spam,
            facts=await self._collect_facts(queued.message, from_domains, found),
        )

    async def _collect_facts(self, message: Message, from_domains: Sequence[str], found: Authentication) -> SenderFacts:
        own_domain = await self._routing.find_own_domain(message.workspace_id, from_domains)
        lists = await self._routing.get_sender_lists(message.workspace_id)
        listed = lists.decide(
            message.reverse_path, message.from_address, message.peer, authenticated=_is_authenticated(found)
        )
        return SenderFacts(
            from_domain=own_domain or found.dmarc.result.domain,
            dmarc=found.dmarc.result.result,
            dmarc_policy=found.dmarc.policy,
            aligned=found.dmarc.aligned,
            is_relayed=found.is_relayed,
            is_own_domain=own_domain != "",
            allowed="" if listed.allowed is None else listed.allowed.sender,
            blocked="" if listed.blocked is None else listed.blocked.sender,
        )


def _is_authenticated(found: Authentication) -> bool:
    """Whether DMARC passes or, for a domain without a DMARC record, a signature of this domain or a related one."""
    verdict = found.dmarc
    if not verdict.aligned or verdict.result.result == "pass":
        return verdict.aligned
    author = f".{verdict.result.domain}"
    signers = [f".{result.domain}" for result in found.dkim if result.result == "pass"]
    return any(signer.endswith(author) or author.endswith(signer) for signer in signers)
