"""Decides where one recipient is routed. Pure.

Aliases are tried in this order: the exact local part, the local part without the tag of a ticket (`+t-<token>`), the
local part without its whole tag (subaddress), the catch-all. The envelope senders of our replies (`b-<token>`) come
before all of them, and the catch-all does not match this form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.mail.address import POSTMASTER, Mailbox
from router.model import Alias, Domain, Workspace
from router.reply_tokens import find_bounce_token, without_ticket_tag
from router.unicode_security import safe_identifier

CATCH_ALL = "*"
# A storm of bounces must not fill a ticket: further bounces of a reply are rejected.
MAX_BOUNCES = 20

RefusalReason = Literal["relay", "pending", "unknown", "disabled", "blocked"]


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """The recipient of a reply of ours that a token in an envelope sender names, and the ticket of the reply.

    Attributes:
        address_key: The recipient, in the form for comparison.
        alias_id, address: The alias of the ticket, if it still has one, and the address of the ticket.
        bounces: The number of bounces that were accepted for the reply.
    """

    token: str
    workspace_id: str
    ticket_id: str
    reply_id: str
    address_key: str
    alias_id: str | None
    address: str
    bounces: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """The destination of an accepted recipient.

    Attributes:
        recipient: The mailbox as the client sent it, without invisible characters.
        alias_key: For duplicate detection: the id of the alias, or `address` if there is no alias.
        address: The email address of the alias: `*@domain` for the catch-all, `postmaster@domain` if there is no alias.
        integration_id: The integration at the time of RCPT; the accept transaction reads it again.
        tag: The subaddress tag, which follows the `+`; `""` if there is none or if it belongs to the alias.
        ticket: The ticket that a bounce of our own mail joins; None for mail to an alias.
        acknowledges: Whether new tickets of the alias may be acknowledged, at the time of RCPT.
    """

    recipient: str
    workspace_id: str
    alias_id: str | None
    alias_key: str
    address: str
    integration_id: str | None
    tag: str = ""
    ticket: ReplyToken | None = None
    acknowledges: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused recipient; `smtp.policy` maps each reason to a reply."""

    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """The data about a recipient's domain.

    Attributes:
        aliases: The existing aliases among `candidate_keys`; empty unless the domain is active.
        default_integration_id: The integration that receives mail to a postmaster without an active alias.
        reply_token: The stored token in the local part, if it is one.
    """

    domain: Domain | None
    aliases: Sequence[Alias] = ()
    default_integration_id: str | None = None
    reply_token: ReplyToken | None = None

    @property
    def is_active(self) -> bool:
        return self.domain is not None and self.domain.status == "active"


def candidate_keys(mailbox: Mailbox) -> tuple[str, str, str, str]:
    """Returns the keys of the aliases that can match, in their order.

    These are the mailbox's local key, this key without the tag of a ticket, the key without any tag, and the catch-all.
    The name of an alias may contain a `+`, so its answers have two.
    """
    key = mailbox.local_key
    base, plus, _ = key.partition("+")
    return key, without_ticket_tag(key), base if plus and base else key, CATCH_ALL


def route_recipient(mailbox: Mailbox, facts: DomainFacts) -> Target | Refusal:
    """Returns the target of the first matching alias, or a refusal.

    Mail to a disabled alias does not go to the catch-all, unless it is for the postmaster. The postmaster of an active
    domain always has a target (RFC 5321 section 4.5.1). A recipient `*@domain` does not match the catch-all.

    A valid token has precedence over an alias of the same name. New aliases cannot have the form of a token; one that
    an older version created still matches.
    """
    domain = facts.domain
    if domain is None:
        return Refusal("relay")
    if not facts.is_active:
        return Refusal("pending")
    found = facts.reply_token
    if found is not None and found.workspace_id == domain.workspace_id:
        return _bounce_target(found, mailbox) if found.bounces < MAX_BOUNCES else Refusal("unknown")
    by_key = {alias.local_key: alias for alias in facts.aliases}
    if find_bounce_token(mailbox.local_part):
        by_key.pop(CATCH_ALL, None)
    key, answered, base, _ = candidate_keys(mailbox)
    tag = mailbox.local_part.partition("+")[2] if base != key else ""
    ticket_tag = mailbox.local_part.rpartition("+")[2] if answered != key else ""
    is_postmaster = base == POSTMASTER
    for candidate, candidate_tag in ((key, ""), (answered, ticket_tag), (base, tag), (CATCH_ALL, tag)):
        alias = by_key.get(candidate)
        if alias is None or (candidate == CATCH_ALL and key == candidate):
            continue
        if alias.status == "active":
            return _alias_target(alias, mailbox, candidate_tag)
        if not is_postmaster:
            return Refusal("disabled")
    if is_postmaster:
        return _postmaster_target(mailbox, domain.workspace_id, domain.name, facts.default_integration_id, tag)
    return Refusal("unknown")


def host_postmaster_target(mailbox: Mailbox, workspace: Workspace) -> Target:
    name = mailbox.domain_key or "localhost"
    return _postmaster_target(mailbox, workspace.id, name, workspace.default_integration_id, "")


def _postmaster_target(mailbox: Mailbox, workspace_id: str, name: str, integration_id: str | None, tag: str) -> Target:
    address = f"{POSTMASTER}@{name}"
    return Target(_safe_mailbox(mailbox), workspace_id, None, address, address, integration_id, safe_identifier(tag))


def _alias_target(alias: Alias, mailbox: Mailbox, tag: str) -> Target:
    return Target(
        recipient=_safe_mailbox(mailbox),
        workspace_id=alias.workspace_id,
        alias_id=alias.id,
        alias_key=alias.id,
        address=alias.email,
        integration_id=alias.integration_id,
        tag=safe_identifier(tag),
        acknowledges=alias.acknowledge_template_id is not None,
    )


def _bounce_target(found: ReplyToken, mailbox: Mailbox) -> Target:
    """Returns the target of a bounce. All tokens of a ticket are one destination: a message joins a ticket once."""
    return Target(
        recipient=_safe_mailbox(mailbox),
        workspace_id=found.workspace_id,
        alias_id=found.alias_id,
        alias_key=found.ticket_id,
        address=found.address,
        integration_id=None,
        ticket=found,
    )


def _safe_mailbox(mailbox: Mailbox) -> str:
    return safe_identifier(str(mailbox))
