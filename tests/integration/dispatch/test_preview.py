"""The preview of a ticket shows what a service has received."""

import pytest

from emailrouter import assembly
from router.channels import CHANNELS
from router.dispatch.ticket_notification import NotificationPreview
from router.enumerations import TICKET_PRIORITY
from tests.support import mails
from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import open_posting
from tests.support.slack import SlackStandIn
from tests.support.stores import Store

FIRST = "<first@customer.test>"


@pytest.mark.parametrize("kind", ["slack", "discord"])
async def test_the_preview_is_what_was_sent(store: Store, kind: str) -> None:
    service = DiscordStandIn() if kind == "discord" else SlackStandIn()
    async with open_posting(store, service) as posting:
        installation, core = posting.installation, posting.installation.core
        agent = await installation.add_actor()
        ticket_id = await installation.accept_ticket(mails.plain(message_id=FIRST))
        await installation.tickets.claim(agent, ticket_id)
        await installation.tickets.set_choice(agent, ticket_id, TICKET_PRIORITY, "urgent")
        await installation.tickets.tags.tag_ticket(agent, ticket_id, add=["VIP", "Refund"])
        preview = NotificationPreview(core.database, core.contents, CHANNELS, link_base=assembly.link_base(core.config))
        for mail in (None, mails.reply_to(FIRST)):  # a reply can reopen the ticket, so compare after each message
            if mail is not None:
                await installation.accept_message(mail)
            await posting.deliver()
            shown = await preview.render_payloads(installation.actor, ticket_id, kind)
            assert shown[-1] == [post.payload for post in service.posts if post.method == "POST"][-1]
            assert ("VIP" in str(shown[0])) == (kind == "discord")
