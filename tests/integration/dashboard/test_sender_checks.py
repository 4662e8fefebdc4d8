"""The sender checks of messages on the pages of tickets, traces and deliveries."""

import re
from dataclasses import replace
from html import unescape

from router.checks.results import MessageChecks
from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation
from tests.support.sender_checks import FORGED, SPAM, done, store_checks


async def test_each_message_has_a_verdict_about_its_sender(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    served.services.sender_checks.enabled = True
    await served.create_alias()
    ticket = await served.accept_ticket(mails.plain(message_id="<0@customer.test>"))
    for _ in range(4):
        await served.accept_message(mails.reply_to("<0@customer.test>"))
    newest, fourth, third, second, first = [
        each.id for each in await served.services.messages.find(served.actor, ticket)
    ]
    await store_checks(served, first, done("pass", "xn--cme-5cd.example"))
    await store_checks(served, second, MessageChecks("skipped", 1))
    await store_checks(served, third, done("none"))
    await store_checks(served, fourth, done("fail", "customer.test"), f"{FORGED} <script>")
    await served.execute("DELETE FROM check_queue")
    await served.services.sender_checks.recheck(served.actor, newest)
    agent, viewer = await signed_in_client(served, "agent"), await signed_in_client(served, "viewer")
    page = await agent.get(f"/tickets/{ticket}")
    chips = re.findall(r'class="sender-checks".*?</svg>(.*?)</span>', page.text, re.DOTALL)
    assert [re.sub("<[^>]+>", "", chip) for chip in chips] == [
        "Checking sender",
        "May be forged: customer.test",
        "Not verified",
        "Verified: xn--cme-5cd.example",
    ]
    assert f"Warning: {FORGED} <script>" in page.visible_text
    assert ("<script>" in page.text.partition("<main")[2], 'data-poll="yes"' in page.text) == (False, True)
    assert "badge verdict is-warning" not in page.text, "the newest message has no warning"
    assert page.text.count("<button>Recheck</button>") == 1, "folded messages link to their results"
    results = await agent.get(
        unescape(re.findall(r'href="([^"]*message=[^"]*)"[^>]*><span class="badge verdict', page.text)[0])
    )
    assert results.text.count("<button>Recheck</button>") == 2
    assert "DMARC fail customer.test" in results.visible_text
    assert "Recheck" not in (await viewer.get(f"/tickets/{ticket}")).text

    await store_checks(served, newest, replace(done("fail", "customer.test", SPAM), rechecked=True), FORGED)
    page = await agent.get(f"/tickets/{ticket}")
    text = page.visible_text
    for shown in ("DMARC fail customer.test", "selector s1", "rspamd 7.5 of 15, add header", "FORGED_SENDER +4.5"):
        assert shown in text
    assert ("Rechecked on 1 Jan 2030, 12:00 UTC" in text, 'data-poll="no"' in page.text) == (True, True)
    assert f'<span class="badge verdict is-warning" title="{FORGED}">' in page.text
    queued = await agent.post_and_follow(f"/tickets/{ticket}/messages/{newest}/recheck", {})
    assert "The sender is being checked again." in queued.visible_text
    assert "Checking again" in queued.visible_text
    trace = await viewer.get(f"/activity/trace/{newest}")
    assert "Checked the sender again: DMARC fail (customer.test)" in trace.visible_text


async def test_deliveries_say_that_they_wait_for_checks_or_are_held_as_spam(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket = await served.accept_ticket()
    (delivery,) = (await served.services.deliveries.list(served.actor)).items
    page, trace = f"/activity/deliveries/{delivery.id}", f"/activity/trace/{delivery.message_id}"
    admin = await signed_in_client(served, "admin")
    await served.execute("UPDATE deliveries SET awaiting = 'checks', next_attempt_at = 1893499201000000")
    for path in (page, trace, "/activity/deliveries", f"/tickets/{ticket}"):
        shown = await admin.get(path)
        waits = "Waits for the sender checks until 1 Jan 2030, 12:00:01 UTC"
        assert ("Checking sender" if path.startswith("/tickets") else waits) in shown.visible_text, path
        assert "Retry" not in shown.visible_text, path
    await served.execute("UPDATE deliveries SET state = 'spam', awaiting = NULL, next_attempt_at = NULL")
    await served.execute("UPDATE tickets SET spam = 1, spam_at = 1893499201000000, spam_reason = 'rspamd: <b>'")
    for path in (page, trace, "/activity/deliveries?state=spam"):
        shown = await admin.get(path)
        assert "Held as spam" in shown.visible_text, path
        assert "Retry" not in shown.visible_text, path
    assert "rspamd: <b>" in (await admin.get(trace)).visible_text
    assert (
        "No deliveries held as spam"
        in (await admin.get("/activity/deliveries?state=spam&integrationId=x")).visible_text
    )
