"""Slack payloads of the corpus messages, through accept and parsing, compared with golden files; and of mutations.

To update a golden file, delete it, run the test twice and review the difference.
"""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.channels import CHANNELS
from router.dispatch.ticket_notification import NotificationPreview
from router.errors import Refused
from router.model import Actor
from tests.support import mails
from tests.support.corpus import CORPUS, corpus_mail
from tests.support.installation import seeded_installation
from tests.support.payloads import assert_valid_payload, iter_strings
from tests.support.stores import Store, sqlite_store
from tests.unit.mail import fuzz

GOLDEN = Path(__file__).parent / "golden" / "mails"
BASE = "https://mail.example.com"
MAILS = sorted(path.stem for path in CORPUS.glob("*.eml"))


@pytest.mark.parametrize("name", MAILS)
async def test_golden(name: str, tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, seeded_installation(store) as at:
        await at.accept_message(corpus_mail(name))
        (ticket,) = (await at.tickets.list(at.actor)).items
        preview = NotificationPreview(store.database, at.contents, CHANNELS, link_base=BASE)
        (payload,) = await preview.render_payloads(at.actor, ticket.id, "slack")
        (plain,) = await preview.render_payloads(at.actor, ticket.id, "slack", plain=True)
    link = f"{BASE}/tickets/{ticket.id}"
    assert_valid_payload(payload, (link,))
    assert_valid_payload(plain, (link,))
    text = json.dumps(payload, indent=1, ensure_ascii=False).replace(ticket.id, "ticket_id") + "\n"
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written: review it, then run again")
    assert text == path.read_text(encoding="utf-8")


async def test_preview_renders_each_message_of_a_ticket(store: Store) -> None:
    async with seeded_installation(store) as at:
        await at.accept_message(
            mails.plain(message_id="<first@customer.test>"), at.target("support"), at.target("billing")
        )
        await at.accept_message(mails.reply_to("<first@customer.test>"))
        ticket = next(one for one in (await at.tickets.list(at.actor)).items if one.address.startswith("support"))
        preview = NotificationPreview(store.database, at.contents, CHANNELS, link_base=None)
        first, second = await preview.render_payloads(at.actor, ticket.id, "slack")
        assert any(text.endswith(f"#{ticket.number} (open)") for text in iter_strings(first))
        assert any(text.startswith("New reply to ticket") for text in iter_strings(second))
        assert not any(BASE in text for text in iter_strings([first, second]))
        for actor, ticket_id, kind in (
            (Actor("ws_other", "admin"), ticket.id, "slack"),
            (at.actor, "ticket_none", "slack"),
            (at.actor, ticket.id, "pigeon"),
        ):
            with pytest.raises(Refused):
                await preview.render_payloads(actor, ticket_id, kind)


async def test_the_time_zone_of_the_workspace(store: Store) -> None:
    async with seeded_installation(store) as at:
        await at.accept_message(mails.plain())
        (ticket,) = (await at.tickets.list(at.actor)).items
        await at.services.workspaces.change(at.actor, timezone="Asia/Tokyo")
        preview = NotificationPreview(store.database, at.contents, CHANNELS, link_base=None)
        (payload,) = await preview.render_payloads(at.actor, ticket.id, "slack")
        (delivery,) = await at.execute("SELECT id FROM deliveries")
        row = await store.database.fetch_one("dispatch_notification", delivery_id=delivery["id"])
    assert any(text.strip() == "2030-01-01 21:00 JST" for text in iter_strings(payload))
    assert row is not None
    assert row["timezone"] == "Asia/Tokyo"


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0))
def test_any_mutation_of_a_message_gives_a_valid_payload(seed: int) -> None:
    corpus = [corpus_mail(name) for name in MAILS]
    fuzz.check(fuzz.mutate_message(random.Random(seed), corpus))
