"""Payloads of accepted and parsed messages: those for Slack are compared with golden files for the corpus.

To update a golden file, delete it, run the test twice and review the difference.
"""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailrouter.assembly import deliver
from router.channels import CHANNELS
from router.dispatch.delivery_batch import DeliveryBatch
from router.dispatch.ticket_notification import NotificationPreview
from router.errors import Refused
from router.model import Actor
from tests.support import discord_rules, mails
from tests.support.corpus import CORPUS, corpus_mail
from tests.support.installation import seeded_installation
from tests.support.payloads import assert_valid_payload, iter_strings
from tests.support.stores import Store, sqlite_store
from tests.unit.mail import fuzz

GOLDEN = Path(__file__).parent / "golden" / "mails"
LINK_BASE = "https://mail.example.com"
MAILS = sorted(path.stem for path in CORPUS.glob("*.eml"))


@pytest.mark.parametrize("name", MAILS)
async def test_golden(name: str, tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, seeded_installation(store) as installation:
        await installation.accept_message(corpus_mail(name))
        (ticket,) = (await installation.tickets.list(installation.actor)).items
        preview = NotificationPreview(store.database, installation.contents, CHANNELS, link_base=LINK_BASE)
        (payload,) = await preview.render_payloads(installation.actor, ticket.id, "slack")
        (plain,) = await preview.render_payloads(installation.actor, ticket.id, "slack", plain=True)
        discord_payloads = [
            payload
            for is_plain in (False, True)
            for payload in await preview.render_payloads(installation.actor, ticket.id, "discord", plain=is_plain)
        ]
    link = f"{LINK_BASE}/tickets/{ticket.id}"
    assert_valid_payload(payload, (link,))
    assert_valid_payload(plain, (link,))
    for discord_payload in discord_payloads:
        discord_rules.assert_valid_payload(discord_payload, (link,))
    text = json.dumps(payload, indent=1, ensure_ascii=False).replace(ticket.id, "ticket_id") + "\n"
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written: review it, then run again")
    assert text == path.read_text(encoding="utf-8")


async def test_preview_renders_each_message_of_a_ticket(store: Store) -> None:
    async with seeded_installation(store) as installation:
        targets = installation.target("support"), installation.target("billing")
        await installation.accept_message(mails.plain(message_id="<first@customer.test>"), *targets)
        await installation.accept_message(mails.reply_to("<first@customer.test>"))
        tickets = (await installation.tickets.list(installation.actor)).items
        ticket = next(ticket for ticket in tickets if ticket.address.startswith("support"))
        preview = NotificationPreview(store.database, installation.contents, CHANNELS, link_base=None)
        first, second = await preview.render_payloads(installation.actor, ticket.id, "slack")
        assert any(text.endswith(f"#{ticket.number} (open)") for text in iter_strings(first))
        assert any(text.startswith("New reply to ticket") for text in iter_strings(second))
        assert not any(LINK_BASE in text for text in iter_strings([first, second]))
        for actor, ticket_id, kind in (
            (Actor("ws_other", "admin"), ticket.id, "slack"),
            (installation.actor, "ticket_none", "slack"),
            (installation.actor, ticket.id, "pigeon"),
        ):
            with pytest.raises(Refused):
                await preview.render_payloads(actor, ticket_id, kind)


async def test_times_are_in_the_time_zone_of_the_workspace(store: Store) -> None:
    async with seeded_installation(store) as installation:
        await installation.accept_message(mails.plain())
        (ticket,) = (await installation.tickets.list(installation.actor)).items
        await installation.services.workspaces.change(installation.actor, timezone="Asia/Tokyo")
        preview = NotificationPreview(store.database, installation.contents, CHANNELS, link_base=None)
        (payload,) = await preview.render_payloads(installation.actor, ticket.id, "slack")
        batch = await deliver.build_outbox(installation.core).claim_and_record(installation.integration_id, None)
    assert any(text.strip() == "2030-01-01 21:00 JST" for text in iter_strings(payload))
    assert isinstance(batch, DeliveryBatch)
    assert [row["timezone"] for row in batch.notifications.values()] == ["Asia/Tokyo"]


@settings(max_examples=200)
@given(st.integers(min_value=0))
def test_any_mutation_of_a_message_gives_a_valid_payload(seed: int) -> None:
    corpus = [corpus_mail(name) for name in MAILS]
    fuzz.check(fuzz.mutate_message(random.Random(seed), corpus))
