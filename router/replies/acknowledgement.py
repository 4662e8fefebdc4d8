"""Decides whether a new ticket is acknowledged. Pure.

Automatic answers to forged or automatic mail would reach strangers, or begin a loop (RFC 3834 section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from router.checks.results import MessageChecks
from router.clock import SECOND
from router.model import Alias, Message, Micros, Ticket
from router.replies.recipients import is_no_reply
from router.routing.envelope import is_test_message

# A sender gets one acknowledgement in this time, and all senders of a workspace at most this many in an hour.
SENDER_PERIOD: Micros = 86_400 * SECOND
HOUR: Micros = 3600 * SECOND
MAX_PER_HOUR = 60
# An acknowledgement that could not be decided for this long, for example without the results of the checks, is omitted.
MAX_WAIT: Micros = 900 * SECOND


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What is known of a ticket to acknowledge.

    Attributes:
        alias: None if it was deleted.
        checks: None if the sender was not checked.
        is_own_domain: Whether From is at an active domain of the installation, or below one.
        is_answered: Whether the ticket has a reply already.
        has_warning: Whether the reader of the message is warned of something.
    """

    ticket: Ticket
    message: Message
    alias: Alias | None
    checks: MessageChecks | None
    is_own_domain: bool
    is_answered: bool
    has_warning: bool


def find_objection(new: NewTicket) -> str:
    """Returns why a ticket is not acknowledged, or `""`."""
    ticket, message, alias = new.ticket, new.message, new.alias
    if alias is None or alias.status != "active" or alias.acknowledge_template_id is None:
        return "the alias does not acknowledge mail any more"
    if new.is_answered:
        return "the ticket has a reply"
    if ticket.spam:
        return "spam"
    if ticket.flagged or new.has_warning:
        return "the message has a warning"
    if message.direction != "inbound" or message.kind != "mail" or message.automatic:
        return "automatic mail"
    if is_test_message(message.protocol, message.rfc_message_id):
        return "test message"
    if not message.reverse_path:
        return "null reverse-path"
    if "@" not in message.from_address or is_no_reply(message.from_address) or is_no_reply(message.reverse_path):
        return "the sender accepts no answers"
    if new.is_own_domain:
        return "own domain"
    if new.checks is not None and _is_forged(new.checks):
        return "the sender is not authenticated"
    return ""


def _is_forged(checks: MessageChecks) -> bool:
    words = checks.words()
    if words.get("dmarc") == "fail":
        return True
    # The domain publishes no DMARC record.
    return words.get("dmarc") != "pass" and words.get("spf") == "fail" and words.get("dkim") != "pass"
