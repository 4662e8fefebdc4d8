"""The groups of calls, in the order of the API page, and the path parameters of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A group of calls.

    Attributes:
        title: In the plural.
        parameters: Descriptions of the path parameters.
    """

    title: str
    description: str
    parameters: Mapping[str, str]


def _noun(title: str, description: str, **parameters: str) -> Noun:
    return Noun(title, description, parameters)


# By `Route.tag`.
NOUNS: dict[str, Noun] = {
    "domains": _noun(
        "Domains",
        "A domain receives mail once its DNS records are correct. It is `pending_verification` until then.",
        id="Id of the domain (`dom_...`).",
    ),
    "integrations": _noun(
        "Integrations",
        "An integration is the channel of a chat service to which tickets are posted.",
        id="Id of the integration (`int_...`).",
    ),
    "aliases": _noun(
        "Aliases",
        "An alias is an address at a domain. Mail to it opens tickets, which are posted to its integration.",
        id="Id of the alias (`alias_...`).",
    ),
    "explain": _noun("Routing", "Shows what would happen to a message without sending one."),
    "tickets": _noun(
        "Tickets",
        "A ticket is a conversation by mail. A reply of the customer joins its ticket and reopens it.",
        id="Id (`ticket_...`) or number of the ticket.",
        note="Id of the note (`evt_...`).",
    ),
    "senders": _noun(
        "Senders",
        "A sender is an address in the From field of mail. Anyone can write any address there.",
        address="Email address. Upper and lower case are the same.",
    ),
    "tags": _noun(
        "Tags",
        "A tag marks tickets of a workspace. Agents add and remove tags; only admins change them.",
        id="Id of the tag (`tag_...`).",
    ),
    "templates": _noun(
        "Templates",
        "A template is the text of a whole reply or of an acknowledgement. Its placeholders, such as `{name}`, become "
        "values of a ticket.",
        id="Id of the template (`tpl_...`).",
    ),
    "canned-responses": _noun(
        "Canned responses",
        "A canned response is a text for a part of a reply, at one alias or at all of them.",
        id="Id of the canned response (`can_...`).",
    ),
    "messages": _noun(
        "Messages",
        "A message is one received mail with its attachments and the record of what happened to it.",
        id="Id of the message (`msg_...`).",
        n="Number `n` of the attachment in `attachments` of the message.",
    ),
    "replies": _noun(
        "Replies",
        "A reply is a mail to the customer. It is `queued` while it can be canceled, and `sent` when the smarthost has "
        "accepted it.",
        id="Id of the reply (`rpl_...`).",
    ),
    "uploads": _noun(
        "Uploads", "An upload is a file for a reply. It is deleted when the reply is sent, or after a day."
    ),
    "deliveries": _noun(
        "Deliveries",
        "A delivery is the post of one ticket event to one integration. A `dead` delivery failed permanently and can "
        "be retried.",
        id="Id of the delivery (`dlv_...`).",
    ),
    "overview": _noun("Statistics", "Numbers of the last 30 days."),
    "health": _noun("Health", "What needs attention in the workspace."),
    "allowed-senders": _noun(
        "Allowed senders",
        "Mail from an allowed sender is neither rejected nor spam. The narrowest entry decides: an allowed sender "
        "takes precedence over blocked ones that are as wide or wider.",
        sender="The sender as listed. The slash of a network is written as `%2F`.",
    ),
    "blocked-senders": _noun(
        "Blocked senders",
        "Mail from a blocked sender is rejected for the workspace, or held as spam.",
        sender="The sender as listed. The slash of a network is written as `%2F`.",
    ),
    "workspace": _noun("Workspace", "The workspace of the API key or session, and its settings."),
    "users": _noun(
        "Users",
        "A user signs in to the dashboard, owns API keys and is assigned tickets.",
        id="Id of the user (`user_...`).",
    ),
    "keys": _noun(
        "API keys",
        "An API key belongs to a user and has at most the role of that user.",
        id="Id of the key (`key_...`).",
    ),
    "auth": _noun(
        "Sign-in",
        "Sessions of the dashboard, and the authenticated user. Programs use API keys instead.",
        id="Id of the session.",
    ),
    "audit": _noun("Audit log", "Sign-ins and changes, with who made them."),
}
