"""Reads the identities of our own mail that a received message contains. Pure.

A message is an answer if it names a ticket: by the tag of its recipient (`alias+t-<token>@`), by the anchor in its
References, or by the Message-ID of a reply. Mail programs and servers rewrite some of them, and change their case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from router.assigned_ids import normalize_assigned_id
from router.reply_tokens import find_anchor_token, find_ticket_tag, is_reply_message_id, read_ticket_token
from router.routing.route import Target
from router.secrets import SecretBox

# Tokens of one message that are verified, which takes some 50 µs each. A message has one, and perhaps that of a ticket
# from which it was copied.
MAX_TOKENS = 10
_TAG_START = "+t-"
# The ids of Amazon SES are lower-case. Those of other servers may differ in their case only.
_LOWER_CASE = "@amazonses.com"


@dataclass(frozen=True, slots=True)
class TicketNumber:
    """The number of a ticket in a token that we have made, and the address or Message-ID that contains the token."""

    number: int
    by: str


def may_have_tag(participants: Sequence[str]) -> bool:
    """Whether any of the addresses may have the tag of a ticket."""
    return _TAG_START in ",".join(participants)


def read_ticket_numbers(
    box: SecretBox,
    workspace_id: str,
    targets: Iterable[Iterable[Target]],
    participants: Iterable[str],
    reference_ids: Iterable[str],
) -> tuple[TicketNumber, ...]:
    """Returns the tickets that the tokens of a message name.

    The tags of the recipients come first: the sender has addressed these tickets. An address in the header counts too,
    because a server that forwards the message may remove the tag of the recipient.

    Args:
        targets: Those of each alias in the workspace.
        participants: The addresses in the header, in the form for comparison.
    """
    found = list(_first_tokens(targets, participants, reference_ids))
    numbers = [(read_ticket_token(box, workspace_id, token), by) for token, by in found]
    return tuple(TicketNumber(number, by) for number, by in numbers if number is not None)


def _first_tokens(
    targets: Iterable[Iterable[Target]], participants: Iterable[str], reference_ids: Iterable[str]
) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    for token, by in _tokens(targets, participants, reference_ids):
        if token and (token, by) not in seen:
            seen.add((token, by))
            yield token, by
            if len(seen) == MAX_TOKENS:
                return


def _tokens(
    targets: Iterable[Iterable[Target]], participants: Iterable[str], reference_ids: Iterable[str]
) -> Iterator[tuple[str, str]]:
    for target in (target for alias in targets for target in alias):
        if target.tag:
            yield find_ticket_tag(target.tag), target.recipient
    for address in participants:
        if _TAG_START in address:
            yield find_ticket_tag(address.rpartition("@")[0].partition("+")[2]), address
    for reference in reference_ids:
        if reference[:5].lower() == "er.t.":
            yield find_anchor_token(reference), reference


def reply_ids(reference_ids: Sequence[str]) -> dict[str, str]:
    """Maps the references that have the form of our Message-IDs to the form in which these are stored."""
    return {
        reference: reference.lower()
        for reference in reference_ids
        if reference[:3].lower() == "er." and is_reply_message_id(reference)
    }


def assigned_ids(reference_ids: Sequence[str]) -> dict[str, str]:
    """Maps the references to the form in which the ids that smarthosts assign are stored."""
    ids = {reference: normalize_assigned_id(reference) for reference in reference_ids}
    return {reference: found.lower() if found.endswith(_LOWER_CASE) else found for reference, found in ids.items()}


def order_identities(numbers: Sequence[TicketNumber], reference_ids: Sequence[str]) -> tuple[str, ...]:
    """Returns what may lead to the ticket of an answer, the most specific identity first.

    The tag of an address is that of the ticket that the sender answers. References name its messages, newest first, and
    then what was said before.
    """
    tags = (number.by for number in numbers if not find_anchor_token(number.by))
    return tuple(dict.fromkeys((*tags, *reference_ids, *(number.by for number in numbers))))
