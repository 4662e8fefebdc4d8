"""Tokens in the addresses and Message-IDs of our mail, by which answers and bounces find their ticket. Pure.

A token consists of 26 lower-case letters and digits (base32 of 16 bytes): 8 bytes that identify something, and the
first 8 bytes of their HMAC. Mail servers change the case of addresses, so tokens are compared in lower case. A token
finds a ticket; it never proves who sent a message.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the process that parses mail must not load `cryptography`
    from router.secrets import SecretBox

_ID_BYTES = 8
_TOKEN = r"[a-z2-7]{26}"  # noqa: S105 - a pattern
# The purposes separate the tokens: none can be used instead of another one.
_BOUNCE, _REPLY, _MARK = "bounce", "reply message", "mark"
_BOUNCE_LOCAL_PART = re.compile(rf"b-({_TOKEN})", re.IGNORECASE)
# The tag follows that of the alias or of the customer, if there is one.
_TICKET_TAG = re.compile(rf"(?:.*\+)?t-({_TOKEN})", re.IGNORECASE)
_TAGGED_LOCAL_PART = re.compile(rf"(.+)\+t-{_TOKEN}", re.IGNORECASE)
_ANCHOR = re.compile(rf"<?er\.t\.({_TOKEN})@[^@\s<>]+>?", re.IGNORECASE)
_REPLY_ID = re.compile(rf"<?er\.({_TOKEN})@[^@\s<>]+>?", re.IGNORECASE)
_ANY_TOKEN = re.compile(_TOKEN, re.IGNORECASE)
MARK_FIELD = "X-EmailRouter-Mark"


def new_bounce_token(box: SecretBox) -> str:
    """Returns the token of a recipient of a reply."""
    return _new_token(box, _BOUNCE)


def find_bounce_token(local_part: str) -> str:
    """Returns the token in the local part of an envelope sender of ours, or `""`. It may be forged."""
    match = _BOUNCE_LOCAL_PART.fullmatch(local_part)
    return match[1].lower() if match else ""


def bounce_address(token: str, domain: str) -> str:
    return f"b-{token}@{domain}"


def ticket_token(box: SecretBox, workspace_id: str, number: int) -> str:
    """Returns the token of the ticket with this number."""
    return _encode(box, number.to_bytes(_ID_BYTES, "big"), _ticket_purpose(workspace_id))


def read_ticket_token(box: SecretBox, workspace_id: str, token: str) -> int | None:
    """Returns the number of a ticket of the workspace; None if the token is not one of ours."""
    identity = _verify(box, token, _ticket_purpose(workspace_id))
    return None if identity is None else int.from_bytes(identity, "big")


def find_ticket_tag(tag: str) -> str:
    """Returns the token in a subaddress tag that is `t-<token>` or ends in `+t-<token>`, or `""`. It may be forged."""
    match = _TICKET_TAG.fullmatch(tag)
    return match[1].lower() if match else ""


def without_ticket_tag(local_part: str) -> str:
    """Returns a local part without the `+t-<token>` at its end; unchanged if it has none."""
    match = _TAGGED_LOCAL_PART.fullmatch(local_part)
    return match[1] if match else local_part


def find_anchor_token(message_id: str) -> str:
    """Returns the token of the ticket in an anchor of `References`, or `""`. It may be forged."""
    match = _ANCHOR.fullmatch(message_id)
    return match[1].lower() if match else ""


def anchor_id(token: str, domain: str) -> str:
    """Returns the first Message-ID of `References` in our replies, without angle brackets."""
    return f"er.t.{token}@{domain}"


def ticket_tag(token: str) -> str:
    """Returns the subaddress tag that leads answers to a ticket."""
    return f"t-{token}"


def new_reply_message_id(box: SecretBox, domain: str) -> str:
    """Returns the Message-ID of a new reply, without angle brackets."""
    return f"er.{_new_token(box, _REPLY)}@{domain}"


def is_reply_message_id(message_id: str) -> bool:
    """Whether a Message-ID has the form of those of our replies. It may be forged."""
    return _REPLY_ID.fullmatch(message_id) is not None


def new_mark(box: SecretBox) -> str:
    """Returns a value of `MARK_FIELD`, by which we recognise our own mail."""
    return _new_token(box, _MARK)


def is_token(text: str) -> bool:
    """Whether a text has the form of a token. It may be that of another installation."""
    return _ANY_TOKEN.fullmatch(text) is not None


def is_own_mark(box: SecretBox, value: str) -> bool:
    """Whether this installation has made the value of `MARK_FIELD`."""
    return _verify(box, value.strip(), _MARK) is not None


def _ticket_purpose(workspace_id: str) -> str:
    return f"ticket {workspace_id}"


def _new_token(box: SecretBox, purpose: str) -> str:
    return _encode(box, secrets.token_bytes(_ID_BYTES), purpose)


def _verify(box: SecretBox, token: str, purpose: str) -> bytes | None:
    """Returns what a token of this purpose identifies; None if it is not one of ours."""
    try:
        data = base64.b32decode(f"{token.upper()}======")
    except ValueError:
        return None
    identity, digest = data[:_ID_BYTES], data[_ID_BYTES:]
    return identity if box.verify_digest(identity, digest, purpose) else None


def _encode(box: SecretBox, identity: bytes, purpose: str) -> str:
    digest = box.digest(identity, purpose)
    return base64.b32encode(identity + digest).decode("ascii").rstrip("=").lower()
