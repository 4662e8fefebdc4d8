"""A composed mail for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from router.mail.compose.mail import OutgoingMail
from router.mail.compose.quote import Quote
from router.mail.contents import NamedMailbox

SENT_AT = 1_700_000_000_000_000  # Tue, 14 Nov 2023 22:13:20 UTC
QUOTE = Quote("Ada Byron", SENT_AT, "Europe/Berlin", "en", "Where is my parcel?\n\nAda")
MAIL = OutgoingMail(
    from_name="Eva (Example)",
    from_address="support@example.com",
    to=(NamedMailbox("ada@example.net", "Ada Byron"),),
    subject="Re: The parcel",
    message_id="er.token@example.com",
    date=SENT_AT,
    text="It is on its way.",
)


def outgoing(**changes: Any) -> OutgoingMail:
    return replace(MAIL, **changes)
