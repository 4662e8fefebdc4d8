"""The daily alert about mail that is held as spam: when it is posted, where to, and that several hosts post it once."""

import asyncio
import json

import pytest

from router.dispatch.spam_alerts import SpamAlerts, describe_counts
from tests.support.behaviours import FixedResponse
from tests.support.installation import Installation
from tests.support.slack import SlackStandIn
from tests.support.spam import hold_as_spam, release_from_spam

LINK = "https://tickets.example.com"


class AlertSetup:
    """An installation whose default integration is a webhook of the stand-in."""

    def __init__(self, installation: Installation, slack: SlackStandIn) -> None:
        self.installation, self.slack = installation, slack
        self.alerts = self.new_process()

    def new_process(self, link_base: str | None = LINK) -> SpamAlerts:
        found = self.installation
        return SpamAlerts(found.database, found.clock, found.core.poster, link_base=link_base)

    async def set_default(self) -> None:
        found = self.installation
        integration_id = await found.add_integration("operators", webhook=self.slack.url("operators"))
        await found.services.workspaces.change(found.actor, default_integration_id=integration_id)

    async def receive_spam(self, *names: str) -> str:
        ticket_id = await self.installation.accept_ticket(None, *names)
        rows = await self.installation.execute("SELECT id FROM tickets WHERE spam = 0")
        await hold_as_spam(self.installation, *(str(row["id"]) for row in rows))
        return ticket_id

    def take_posts(self) -> list[str]:
        posts = [str(json.loads(post.raw)["text"]) for post in self.slack.posts]
        self.slack.posts.clear()
        return posts


@pytest.fixture
async def setup(installation: Installation, slack: SlackStandIn) -> AlertSetup:
    found = AlertSetup(installation, slack)
    await found.set_default()
    return found


async def test_an_alert_is_posted_once_a_day_if_new_mail_was_held(setup: AlertSetup) -> None:
    clock = setup.installation.clock
    assert await setup.alerts.post_due() == 0
    await setup.receive_spam("support", "billing")
    await setup.receive_spam("support")
    assert await setup.alerts.post_due() == 1
    (post,) = setup.take_posts()
    assert post.startswith("Spam alert: 2 mails held as spam, 2 aliases. ")
    await setup.receive_spam("billing")
    clock.advance(hours=23, minutes=59)
    assert await setup.alerts.post_due() == 0, "not twice a day"
    clock.advance(minutes=1)
    assert await setup.new_process().post_due() == 1
    assert setup.take_posts()[0].startswith("Spam alert: 1 mail held as spam, 1 alias. ")
    clock.advance(days=3)
    assert await setup.alerts.post_due() == 0, "nothing new"
    released = await setup.receive_spam("support")
    await release_from_spam(setup.installation, released)
    assert await setup.alerts.post_due() == 0, "a person has looked at it"
    assert setup.take_posts() == []


async def test_many_hosts_post_an_alert_once(setup: AlertSetup) -> None:
    await setup.receive_spam("support")
    posted = await asyncio.gather(*(setup.new_process().post_due() for _ in range(6)))
    assert (sum(posted), len(setup.take_posts())) == (1, 1)
    assert await setup.installation.count_rows("installation", "name LIKE 'spam_alert%'") == 0


@pytest.mark.parametrize("status", [503, 404])
async def test_a_failed_alert_is_tried_again_after_an_hour(setup: AlertSetup, status: int) -> None:
    clock = setup.installation.clock
    await setup.receive_spam("support")
    setup.slack.script("operators", FixedResponse(status, "no"))
    assert await setup.alerts.post_due() == 0
    assert await setup.new_process().post_due() == 0, "not at once"
    clock.advance(minutes=30)
    await setup.receive_spam("billing")
    clock.advance(minutes=30)
    assert await setup.alerts.post_due() == 1
    posts = setup.take_posts()
    assert len(posts) == 2
    assert posts[1].startswith("Spam alert: 2 mails held as spam, 2 aliases. ")


async def test_an_alert_is_posted_again_after_a_crash(setup: AlertSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    await setup.receive_spam("support")

    class HostCrashed(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise HostCrashed

    monkeypatch.setattr(setup.alerts, "_send", killed)
    with pytest.raises(HostCrashed):
        await setup.alerts.post_due()
    setup.installation.clock.advance(hours=1)
    assert await setup.new_process().post_due() == 1


async def test_the_alert_links_to_the_list_if_the_dashboard_is_public(setup: AlertSetup) -> None:
    await setup.receive_spam("support")
    assert await setup.alerts.post_due() == 1
    assert f'"{LINK}/tickets/spam"' in setup.slack.posts.pop().raw.decode()
    await setup.receive_spam("support")
    setup.installation.clock.advance(days=1)
    assert await setup.new_process(None).post_due() == 1
    assert "http" not in setup.slack.posts.pop().raw.decode()


async def test_without_a_default_integration_the_oldest_one_gets_the_alert(setup: AlertSetup) -> None:
    found = setup.installation
    await found.services.workspaces.change(found.actor, clear_default_integration=True)
    await setup.receive_spam("support")
    assert await setup.alerts.post_due() == 0, "the webhook of the seeded integration does not exist"
    await found.execute("UPDATE aliases SET integration_id = NULL")
    await found.execute("DELETE FROM integrations WHERE name <> 'operators'")
    found.clock.advance(hours=1)
    assert await setup.alerts.post_due() == 1


async def test_a_time_of_a_wrong_clock_does_not_stop_the_alerts(setup: AlertSetup) -> None:
    await setup.receive_spam("support")
    future = setup.installation.clock.now() * 2
    await setup.installation.execute("UPDATE workspaces SET spam_alerted_at = :future", future=future)
    assert await setup.alerts.post_due() == 1
    assert await setup.alerts.post_due() == 0


def test_counts_in_words() -> None:
    assert describe_counts(12, 3).startswith("12 mails held as spam, 3 aliases. ")
    assert describe_counts(10_000, 1).startswith("10,000+ mails held as spam, 1 alias. ")
