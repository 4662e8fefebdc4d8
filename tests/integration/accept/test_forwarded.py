"""Mail that a provider forwards to an alias, over SMTP: routing by the envelope, threads, and the confirmation mail."""

from collections.abc import AsyncIterator

import pytest

from router.admin.tickets.conversation import TicketView
from tests.support.installation import Installation, seeded_installation, split_address
from tests.support.smtp import send_mail
from tests.support.stores import Store

ALIAS = "help@help.acme.example"
LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ9xK2pQ%5D-q8Zt0bH1"
CODE = "314159265"


@pytest.fixture
async def installation(store: Store) -> AsyncIterator[Installation]:
    async with seeded_installation(store) as found:
        domain = await found.services.domains.create(found.actor, "help.acme.example")
        await found.execute("UPDATE domains SET status = 'active' WHERE id = :id", id=domain.domain.id)
        await found.services.aliases.create(
            found.actor,
            domain_id=domain.domain.id,
            local_part="help",
            integration_id=found.integration_id,
            forwarded_from="support@acme.example",
        )
        async with found.run_smtp():
            yield found


async def send(installation: Installation, content: str, reverse_path: str) -> TicketView:
    """Sends a message to the alias; returns its ticket."""
    (address,) = installation.core.listening_smtp()
    data = content.strip().replace("\n", "\r\n").encode() + b"\r\n"
    reply = await send_mail(*split_address(address), reverse_path, [ALIAS], data)
    assert reply.code == 250, reply
    message_id = reply.text.rpartition(" ")[2]
    row = await installation.database.fetch_one("message_recipients", message_id=message_id, limit=1)
    assert row is not None
    return await installation.tickets.get(installation.actor, row["ticket_id"])


def forwarded(message_id: str, text: str, *extra: str) -> str:
    """A customer's message as Gmail forwards it: only trace fields are added to its header."""
    return "\n".join(
        [
            "Received: by 2002:a05:6870:1234 with SMTP id x1; Mon, 30 Nov 2026 09:00:01 -0800 (PST)",
            f"X-Forwarded-To: {ALIAS}",
            f"X-Forwarded-For: support@acme.example {ALIAS}",
            "Delivered-To: support@acme.example",
            "Received: by 2002:a05:6870:5678 with SMTP id y2; Mon, 30 Nov 2026 09:00:00 -0800 (PST)",
            "Return-Path: <eva@customer.test>",
            "From: Eva <eva@customer.test>",
            "To: Support <support@acme.example>",
            "Subject: Broken lamp",
            f"Message-ID: <{message_id}@customer.test>",
            *extra,
            "",
            text,
        ]
    )


async def test_forwarded_mail_is_routed_by_its_envelope_and_threaded(installation: Installation) -> None:
    rewritten = "support+caf_=help=help.acme.example@acme.example"
    opened = await send(installation, forwarded("one", "It is dark."), rewritten)
    assert (opened.ticket.address, opened.ticket.from_address) == (ALIAS, "eva@customer.test")
    assert (opened.messages[0].message.automatic, opened.messages[0].contents.text) == ("", "It is dark.")
    await installation.tickets.set_status(installation.actor, opened.ticket.id, "resolved")
    reply = forwarded("two", "Still dark.", "In-Reply-To: <one@customer.test>", "References: <one@customer.test>")
    joined = await send(installation, reply, rewritten)
    assert (joined.ticket.id, joined.ticket.status) == (opened.ticket.id, "open")
    assert [delivery.event for delivery in joined.deliveries] == ["opened", "replied"]


@pytest.mark.parametrize(
    ("reverse_path", "extra"),
    [
        ("forwarding-noreply@google.com", ""),
        ("", "Auto-Submitted: auto-generated\nPrecedence: bulk\nX-Auto-Response-Suppress: All\n"),
    ],
)
async def test_the_confirmation_of_gmail_becomes_a_ticket(
    installation: Installation, reverse_path: str, extra: str
) -> None:
    content = f"""
From: Gmail Team <forwarding-noreply@google.com>
To: {ALIAS}
Subject: (#{CODE}) Gmail Forwarding Confirmation - Receive Mail from support@acme.example
Message-ID: <confirmation@mail.gmail.com>
{extra}Content-Type: text/plain; charset="UTF-8"

support@acme.example would like to forward mail to you.
Confirmation code: {CODE}

To allow this, open the link below:

{LINK}

If you do not know support@acme.example, do nothing.
"""
    view = await send(installation, content, reverse_path)
    assert (view.ticket.status, view.ticket.address, CODE in view.ticket.subject) == ("open", ALIAS, True)
    text = view.messages[0].contents.text
    assert (CODE in text, f"\n{LINK}\n" in text) == (True, True)
    assert [delivery.event for delivery in view.deliveries] == ["opened"]
    again = await send(installation, content.replace("<confirmation@", "<second@"), reverse_path)
    assert again.ticket.id != view.ticket.id, "each confirmation is a ticket of its own"
