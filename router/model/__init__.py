"""The data model as frozen dataclasses.

Field names are column names (`router.store.fragments`). A missing text of a message, such as its subject, is `""`.
"""

from router.model.accounts import Actor, ApiKey, AuditEntry, User, Workspace
from router.model.deliveries import Attempt, Delivery
from router.model.replies import CannedResponse, ReplyRecipient, Smarthost, Template, TicketReply, Upload
from router.model.routes import Alias, AllowedSender, BlockedSender, Domain, DomainKey, Integration
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
    "CannedResponse",
    "Delivery",
    "Domain",
    "DomainKey",
    "Integration",
    "Message",
    "Micros",
    "ReplyRecipient",
    "Smarthost",
    "Tag",
    "Template",
    "Ticket",
    "TicketEvent",
    "TicketMessage",
    "TicketReply",
    "Upload",
    "User",
    "Workspace",
]
