"""The decision for one recipient: verified domain -> exact alias -> subaddress -> catch-all -> refusal. Pure.

Values in, values out: the facts come from `directory`, the SMTP replies are made by `smtp.policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.mail.address import POSTMASTER, Mailbox
from router.model import Alias, Domain, Workspace
from router.unicode_security import safe_identifier

CATCH_ALL = "*"

RefusalReason = Literal["relay", "pending", "unknown", "disabled", "blocked"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where one accepted recipient goes.

    recipient: the mailbox as the client gave it. address: the alias as text, `*@domain` for the catch-all.
    alias_key: what "the same alias" means for repeats: the alias's id, or the address where there is no alias.
    integration_id: what the route said at RCPT; the commit reads it again. tag: the part after `+`, or `""`.
    """

    recipient: str
    workspace_id: str
    alias_id: str | None
    alias_key: str
    address: str
    integration_id: str | None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a recipient is not taken; `smtp.policy` knows the reply for each reason."""

    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What the database has on a recipient's domain (`router.routing.facts`).

    domain: the active row, else a pending one; None: no workspace has the domain. aliases: those of `wanted_keys` that
    exist, where the domain is active. default_integration_id: the workspace's, for a postmaster without an alias.
    """

    domain: Domain | None
    aliases: Sequence[Alias] = ()
    default_integration_id: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the domain is verified: only then is its mail accepted."""
        return self.domain is not None and self.domain.status == "active"


def candidate_keys(mailbox: Mailbox) -> tuple[str, str, str]:
    """The local keys whose aliases decide about this mailbox: its own, the one without tag, the catch-all's."""
    base, plus, _ = mailbox.local_key.partition("+")
    return mailbox.local_key, base if plus and base else mailbox.local_key, CATCH_ALL


def route_recipient(mailbox: Mailbox, facts: DomainFacts) -> Target | Refusal:
    """SPEC.md section 5: exact alias, then without the tag, then the catch-all, then the postmaster's duty.

    A disabled alias refuses its own mail; it is not passed on to the catch-all, because its owner switched it off.
    The postmaster's is the exception: RFC 5321 section 4.5.1 wants that mail accepted whatever is configured.
    A literal `*` as local part is not an alias that anybody can write to by name.
    """
    domain = facts.domain
    if domain is None:
        return Refusal("relay")
    if not facts.is_active:
        return Refusal("pending")
    by_key = {alias.local_key: alias for alias in facts.aliases}
    key, base, _ = candidate_keys(mailbox)
    tag = mailbox.local_part.partition("+")[2] if base != key else ""
    is_postmaster = base == POSTMASTER
    for candidate, candidate_tag in ((key, ""), (base, tag), (CATCH_ALL, tag)):
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
    """`<postmaster>` and the postmaster of our own host names: the first workspace's (SPEC.md section 5)."""
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
    )


def _safe_mailbox(mailbox: Mailbox) -> str:
    return safe_identifier(str(mailbox))
