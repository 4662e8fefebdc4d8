"""Finds the address that replies of a ticket come from, and whether answers to it reach the ticket."""

from __future__ import annotations

from dataclasses import dataclass, replace

from router.errors import Refused
from router.mail.address import AddressError, parse_mailbox
from router.model import Alias, Domain, Ticket
from router.ports import RecipientResolver
from router.replies.answered_message import TicketMail
from router.routing.route import CATCH_ALL, Target
from router.store.database import QueryExecutor, fetch_model


@dataclass(frozen=True, slots=True)
class ReplySender:
    """The address in From of a reply.

    Attributes:
        domain: The name of its domain, in A-labels.
        alias: The alias that receives answers; None for a postmaster without an alias.
        thread_key: See `router.accept.incoming.AcceptEntry`.
    """

    address: str
    domain_id: str
    domain: str
    alias: Alias | None
    thread_key: str

    @property
    def pattern(self) -> str:
        """The pattern of the name in From; `""` for the default."""
        return self.alias.sender_name if self.alias is not None else ""

    def tagged(self, tag: str) -> str:
        """Returns the address with a subaddress tag."""
        local, _, domain = self.address.rpartition("@")
        return f"{local}+{tag}@{domain}"


async def find_sender(
    executor: QueryExecutor, resolver: RecipientResolver, ticket: Ticket, received: TicketMail | None
) -> ReplySender:
    """Returns the sender: the alias, or at a catch-all the address that the customer wrote to.

    Raises:
        Refused: `sending_not_set_up` if the address receives no mail any more, so that every answer would be rejected.
    """
    address = _from_address(ticket, received)
    try:
        mailbox = parse_mailbox(address)
    except AddressError as error:
        raise Refused("sending_not_set_up", f"{address} cannot send mail: {error}") from None
    target = await resolver.resolve(mailbox)
    domain = await fetch_model(
        executor, Domain, "reply_domain", workspace_id=ticket.workspace_id, name=mailbox.domain_key
    )
    if domain is None or not isinstance(target, Target) or target.workspace_id != ticket.workspace_id:
        fix = f"Add or activate the alias {address}: answers to it would be rejected."
        raise Refused("sending_not_set_up", f"{address} receives no mail any more. {fix}", details={"fix": fix})
    alias = None
    if target.alias_id is not None:
        alias = await fetch_model(executor, Alias, "alias_by_id", id=target.alias_id, workspace_id=ticket.workspace_id)
    return ReplySender(
        address=address,
        domain_id=domain.id,
        domain=domain.name,
        alias=alias,
        thread_key=target.alias_id or f"{target.workspace_id} {target.address}",
    )


def _from_address(ticket: Ticket, received: TicketMail | None) -> str:
    if not ticket.address.startswith(f"{CATCH_ALL}@") or received is None:
        return ticket.address
    try:
        mailbox = parse_mailbox(received.recipient)
    except AddressError:
        return ticket.address
    if received.tag:
        mailbox = replace(mailbox, local_part=mailbox.local_part.partition("+")[0])
    return str(mailbox)
