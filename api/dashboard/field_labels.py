"""Labels of form fields in error messages."""

from __future__ import annotations

from router.errors import Refused

# Labels of form fields by their names in the REST API, with which the messages of errors begin.
_FIELD_LABELS = {
    "add": "Tag",
    "body": "Text",
    "color": "Colour",
    "domain": "Domain",
    "email": "Email address",
    "forwardedFrom": "Forwarded from",
    "localPart": "Local part",
    "name": "Name",
    "onFail": "Failed DMARC",
    "onSpam": "Spam",
    "sender": "Sender",
    "senderName": "Sender name",
    "signature": "Signature",
    "spamScore": "Spam score",
    "subject": "Subject",
    "text": "Text",
    "title": "Title",
}


def error_text(error: Refused) -> str:
    """Returns the message with the label of the form field instead of the field's name in the REST API."""
    name, _, rest = error.message.partition(" ")
    return f"{_FIELD_LABELS[name]} {rest}" if name == error.field and name in _FIELD_LABELS else error.message
