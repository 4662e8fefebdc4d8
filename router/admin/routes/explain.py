"""Explains step by step how a message would be routed. Nothing is sent or stored.

The SMTP server uses the same decision function (`router.routing.route.route_recipient`). Domains of other
workspaces are treated as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from router.admin import validation
from router.channels.channel import Channel
from router.channels.contract import Payload, TicketNotification
from router.clock import Clock
from router.errors import Refused
from router.local_time import DEFAULT_TIMEZONE
from router.mail.address import AddressError, Mailbox, parse_mailbox
from router.model import Actor, Domain, Integration, Workspace
from router.reply_tokens import find_bounce_token
from router.routing.facts import read_domain_facts, read_sender_lists
from router.routing.route import (
    CATCH_ALL,
    MAX_BOUNCES,
    DomainFacts,
    Refusal,
    Target,
    candidate_keys,
    route_recipient,
)
from router.routing.sender_lists import SenderDecision
from router.store.database import Database, fetch_model

_SAMPLE_TEXT = "The text of the message appears here."


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    """A step of the routing decision. `ok` is false if the step found a problem or its alias was not chosen."""

    step: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a routing decision.

    `reply` is the SMTP reply to RCPT. `preview` is the payload for the integration, if any.
    """

    recipient: str
    accepted: bool
    reply: str
    steps: tuple[ExplanationStep, ...]
    domain_id: str | None = None
    alias_id: str | None = None
    integration_id: str | None = None
    tag: str = ""
    preview: Payload | None = None


class ExplanationService:
    """Explains routing decisions.

    `format_reply` formats the SMTP reply for a refusal, or for an accepted recipient if its argument is None.
    `has_checks` is that of `SenderLists.decide_recipient`.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        format_reply: Callable[[Refusal | None], str],
        *,
        has_checks: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._format_reply = format_reply
        self._has_checks = has_checks

    async def explain(
        self, actor: Actor, recipient: str, *, sender: str | None = None, subject: str | None = None
    ) -> Explanation:
        """A missing sender or subject is replaced by an example."""
        mailbox = _parse_address(recipient, "recipient")
        from_ = _parse_address("sender@example.com" if sender is None else sender, "from")
        title = validation.validate_line(subject, "subject", max_length=1000) if subject else "Example subject"
        facts = await read_domain_facts(self._database, mailbox)
        if facts.domain is not None and facts.domain.workspace_id != actor.workspace_id:
            facts = DomainFacts(None)
        domain_id = None if facts.domain is None else facts.domain.id
        decision = route_recipient(mailbox, facts)
        steps = [_domain_step(mailbox, facts.domain)]
        if facts.is_active and _is_token(mailbox):
            steps.append(_token_step(facts, decision))
        if facts.is_active and not (isinstance(decision, Target) and decision.ticket is not None):
            lists = await read_sender_lists(self._database, actor.workspace_id)
            by_lists = lists.decide_recipient(str(from_), "", has_checks=self._has_checks)
            steps.append(_sender_step(from_, by_lists))
            if by_lists.is_refused and isinstance(decision, Target):
                decision = Refusal("blocked")
            else:
                steps += _alias_steps(mailbox, facts, decision)
        if isinstance(decision, Refusal):
            reply = self._format_reply(decision)
            return Explanation(str(mailbox), False, reply, tuple(steps), domain_id=domain_id)
        integration = await self._fetch_integration(actor, decision)
        if decision.ticket is None:
            steps.append(_integration_step(integration))
        return Explanation(
            recipient=str(mailbox),
            accepted=True,
            reply=self._format_reply(None),
            steps=tuple(steps),
            domain_id=domain_id,
            alias_id=decision.alias_id,
            integration_id=None if integration is None else integration.id,
            tag=decision.tag,
            preview=await self._render_preview(actor, decision, integration, str(from_), title),
        )

    async def _fetch_integration(self, actor: Actor, target: Target) -> Integration | None:
        if target.integration_id is None:
            return None
        return await fetch_model(
            self._database,
            Integration,
            "integration_by_id",
            id=target.integration_id,
            workspace_id=actor.workspace_id,
        )

    async def _render_preview(
        self, actor: Actor, target: Target, integration: Integration | None, sender: str, subject: str
    ) -> Payload | None:
        channel = None if integration is None else self._channels.get(integration.type)
        if channel is None:
            return None
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        return channel.render(
            TicketNotification(
                event="opened",
                ticket_id="",
                number=1 + (0 if workspace is None else workspace.last_ticket_number),
                subject=subject,
                from_name="",
                from_address=sender,
                address=target.address,
                status="open",
                received_at=self._clock.now(),
                text=_SAMPLE_TEXT,
                timezone=DEFAULT_TIMEZONE if workspace is None else workspace.timezone,
            )
        )


def _parse_address(text: str, field: str) -> Mailbox:
    try:
        return parse_mailbox(validation.validate_line(text, field, max_length=320))
    except AddressError as error:
        raise Refused("invalid_request", f"{field} is not a mail address: {error}", field) from None


def _domain_step(mailbox: Mailbox, domain: Domain | None) -> ExplanationStep:
    if domain is None:
        name = mailbox.domain_key or "an address without a domain"
        return ExplanationStep("domain", False, f"{name} is not a domain of this workspace")
    if domain.status != "active":
        return ExplanationStep(
            "domain", False, f"{domain.name} is not verified: its mail is temporarily rejected, and senders retry it"
        )
    return ExplanationStep("domain", True, f"{domain.name} is verified")


def _sender_step(sender: Mailbox, decision: SenderDecision) -> ExplanationStep:
    """The step fails if the sender is rejected or its mail is held as spam."""
    if decision.blocked is not None:
        effect = "" if decision.is_refused else "; the message is accepted and counts as spam"
        return ExplanationStep("sender", False, f"{sender} is blocked by {decision.blocked.sender}{effect}")
    if decision.allowed is None:
        return ExplanationStep("sender", True, f"{sender} is not blocked")
    detail = f"{sender} is allowed by {decision.allowed.sender}"
    if decision.overruled is not None:
        detail += f", which takes precedence over the blocked sender {decision.overruled.sender}"
    if decision.allowed.require_auth:
        detail += "; if the message is not authenticated, the entry does not count"
    return ExplanationStep("sender", True, detail)


def _is_token(mailbox: Mailbox) -> bool:
    return find_bounce_token(mailbox.local_part) != ""


def _token_step(facts: DomainFacts, decision: Target | Refusal) -> ExplanationStep:
    found = facts.reply_token
    if found is None or facts.domain is None or found.workspace_id != facts.domain.workspace_id:
        return ExplanationStep("bounce", False, "no reply of this workspace has this envelope sender")
    if isinstance(decision, Refusal):
        return ExplanationStep("bounce", False, f"the reply has {MAX_BOUNCES} bounces; further ones are rejected")
    detail = f"a bounce of the reply to {found.address_key}: it joins the ticket, also from a blocked sender"
    return ExplanationStep("bounce", True, detail)


def _alias_steps(mailbox: Mailbox, facts: DomainFacts, decision: Target | Refusal) -> list[ExplanationStep]:
    by_key = {alias.local_key: alias for alias in facts.aliases}
    key, answered, base, _ = candidate_keys(mailbox)
    steps = []
    candidates = [(key, "alias {}"), (CATCH_ALL, "catch-all alias {}")]
    candidates[1:1] = [(each, "alias {} (without its tag)") for each in dict.fromkeys((answered, base)) if each != key]
    if _is_token(mailbox):
        candidates.pop()  # the catch-all does not match
    for candidate, label in candidates:
        alias = by_key.get(candidate)
        if alias is None:
            steps.append(ExplanationStep("alias", False, f"{label.format(candidate)} does not exist"))
            continue
        chosen = isinstance(decision, Target) and decision.alias_id == alias.id
        steps.append(ExplanationStep("alias", chosen, f"{label.format(alias.email)} is {alias.status}"))
        if chosen or alias.status == "disabled":
            break
    if isinstance(decision, Target) and decision.alias_id is None:
        steps.append(
            ExplanationStep("postmaster", True, "mail to the postmaster is always accepted (RFC 5321 section 4.5.1)")
        )
    return steps


def _integration_step(integration: Integration | None) -> ExplanationStep:
    if integration is None:
        return ExplanationStep("integration", False, "there is no integration: the ticket is created but not posted")
    if integration.status == "failing":
        problem = f"{integration.name} is failing ({integration.last_error})"
        return ExplanationStep(
            "integration", False, f"{problem}: the ticket is posted once the integration works again"
        )
    return ExplanationStep("integration", True, f"posted to {integration.name} ({integration.type})")
