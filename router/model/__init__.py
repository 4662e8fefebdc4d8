"""The data model as frozen dataclasses.

Field names are column names (`router.store.fragments`). A missing text of a message, such as its subject, is `""`.
"""

from router.model.accounts import Actor, ApiKey, AuditEntry, User, Workspace
from router.model.deliveries import Attempt, Delivery
from router.model.routes import Alias, AllowedSender, BlockedSender, Domain, Integration
from router.model.tickets import Message, Ticket, TicketEvent, TicketMessage
from router.model.time import Micros
from router.tag import Tag

__all__ = [
    "Actor",
    "Alias",
    "AllowedSender",
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "BlockedSender",
    "Delivery",
    "Domain",
    "Integration",
    "Message",
    "Micros",
    "Tag",
    "Ticket",
    "TicketEvent",
    "TicketMessage",
    "User",
    "Workspace",
]
