"""Deliveries, retries, traces, health and the overview over plain HTTP."""

import re
from dataclasses import replace

from router.admin.installation.attention import CACHE_SECONDS, AttentionCounts
from tests.integration.dashboard.past import insert_month, record_attempt
from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation


async def create_failed_delivery(served: ServedInstallation, reason: str = "Slack rejected the message") -> str:
    await served.accept_message(mails.plain(subject="Stuck <door>"))
    delivery = (await served.services.deliveries.list(served.actor)).items[0]
    await record_attempt(served, delivery.id, "rejected", 400, "<b>no_text")
    await served.database.execute("dispatch_mark_dead", id=delivery.id, reason=reason)
    return delivery.id


async def test_failed_delivery_shows_reason_and_attempts(served: ServedInstallation) -> None:
    await served.create_alias()
    delivery = await create_failed_delivery(served)
    client = await signed_in_client(served)
    listed = await client.get("/activity")
    assert "Stuck <door>" in listed.visible_text
    assert "Slack rejected the message" in listed.visible_text
    one = await client.get(f"/activity/deliveries/{delivery}")
    assert "1st attempt : not posted, rejected HTTP 400, 120 ms: <b>no_text" in one.visible_text
    assert "<b>no_text" not in one.text
    after = await client.post_and_follow(f"/activity/deliveries/{delivery}/replay", {})
    assert "Queued for redelivery." in after.visible_text
    assert (await served.services.deliveries.get(served.actor, delivery)).delivery.state == "pending"
    assert served.recording_wake.integration_ids
    assert "No failed deliveries" in (await client.get("/activity/deliveries?state=dead")).visible_text
    waiting = await client.get("/activity/deliveries?state=pending")
    assert "Stuck <door>" in waiting.visible_text


async def test_attention_bar_is_on_every_page(served: ServedInstallation) -> None:
    _, integration, _ = await served.create_alias()
    agent, admin = await signed_in_client(served, "agent"), await signed_in_client(served)
    assert "Needs attention" not in (await agent.get("/tickets")).visible_text
    assert "Nothing needs attention" in (await agent.get("/activity")).visible_text
    await create_failed_delivery(served)
    now, database = served.clock.now(), served.database
    await database.execute(
        "dispatch_mark_failing", id=integration, reason="no_service", now=now, probe_interval=60, probe_at=now
    )
    for _ in range(2):
        await served.accept_message()
    await database.execute("dispatch_park", integration_id=integration, now=now, limit=100)
    await served.services.domains.create(served.actor, "help.example.com")
    assert "Needs attention" not in (await agent.get("/tickets")).visible_text, "counts are cached for a few seconds"
    served.clock.advance(CACHE_SECONDS)
    summary = "1 integration failing, 2 deliveries held, 1 delivery failed, 1 domain unverified"
    expected = f"Needs attention {summary}"
    overview = await agent.get("/activity/overview")
    assert f"5 {summary}" in overview.visible_text, "the number in the rail, and its parts"
    assert "Resolved: none in 7 days" in overview.visible_text
    for path in (
        "/activity/overview",
        "/tickets",
        "/account",
        "/manage/domains",
        "/activity/deliveries",
        "/activity/health",
    ):
        assert expected in (await agent.get(path)).visible_text, path
    opened = await agent.get("/activity")
    assert expected not in opened.visible_text
    for part in (
        f"{summary} Support Failing",
        "Fix this in Slack, or change the settings.",
        "2 deliveries held, posted when it works again",
        "Stuck <door>",
        "help.example.com Unverified",
        "Nothing else needs attention.",
    ):
        assert part in opened.visible_text
    assert opened.text.count("data-row") == 3, "one failed and two held deliveries"
    listed = await agent.get("/activity/deliveries")
    assert listed.text.count("data-row") == 3, "each once"
    assert listed.visible_text.index("Held and failed") < listed.visible_text.index("Stuck <door>")
    health = (await agent.get("/activity/health")).visible_text
    assert "Queue Held 0 queued, 2 held, oldest just now ; Support failing · View held deliveries" in health
    assert "next retry now · View held deliveries" in health
    assert health.index("Integrations Problem 1 failing") < health.index("Queue Held") < health.index("Database OK")
    assert "/replay" not in opened.text
    _, other = await served.create_workspace()
    assert await served.services.attention.get_counts(other) == AttentionCounts()
    (delivery,) = await served.services.attention.list_failed(served.actor, limit=2)
    assert delivery.last_error == "Slack rejected the message"
    advised = await admin.get("/activity")
    retries = re.findall(r'action="(/activity/deliveries/[^"]+/replay)"', advised.text)
    assert len(retries) == 3
    assert 'class="button primary" href="/manage/integrations/' in advised.text, "a webhook that is gone is replaced"
    await database.execute(
        "dispatch_mark_failing",
        id=integration,
        reason="Slack returned 410 channel_is_archived: the Slack channel is archived",
        now=now,
        probe_interval=60,
        probe_at=now,
    )
    moved = (await admin.get("/activity")).text
    assert 'class="button primary" href="/manage/aliases?integrationId=' in moved, "the advice is to post elsewhere"
    assert moved.count("button primary") == 1
    await admin.post_and_follow(f"/activity/deliveries/{delivery.id}/replay", {})
    expected = "Needs attention 1 integration failing, 2 deliveries held, 1 domain unverified"
    assert expected in (await agent.get("/tickets")).visible_text


async def test_retry_all_deliveries_of_a_filter(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration, _ = await served.create_alias()
    delivery = await create_failed_delivery(served)
    client = await signed_in_client(served)
    other = await served.create_integration()
    await client.post_and_follow("/activity/replay?state=dead", {"state": "dead", "integrationId": other})
    assert (await served.services.deliveries.get(served.actor, delivery)).delivery.state == "dead"
    done = await client.post_and_follow("/activity/replay?state=dead", {"state": "dead", "integrationId": integration})
    assert "Queued for redelivery." in done.visible_text
    assert (await served.services.deliveries.get(served.actor, delivery)).delivery.state == "pending"
    for form in ({"state": "delivered"}, {"state": "x"}, {"integrationId": "int_none"}):
        response = await client.post("/activity/replay", form)
        assert response.status == 400, form
        assert 'role="alert"' in response.text
    assert (await client.get("/activity/deliveries?state=x")).status == 400


async def test_delivered_delivery_cannot_be_retried(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    delivery = await create_failed_delivery(served)
    client = await signed_in_client(served)
    await served.services.deliveries.replay(served.actor, delivery)
    await served.database.execute("dispatch_mark_delivered", id=delivery, now=served.clock.now(), via="message")
    response = await client.post(f"/activity/deliveries/{delivery}/replay")
    assert response.status == 409
    assert "has already been delivered" in response.visible_text
    assert "Retry" not in (await client.get(f"/activity/deliveries/{delivery}")).visible_text


async def test_names_of_removed_objects(served: ServedInstallation) -> None:
    domain, integration, alias = await served.create_alias()
    delivery = await create_failed_delivery(served)
    leaver = await served.services.users.create(served.actor, email="leaver@people.test", name="Lea")
    await served.services.keys.create(replace(served.actor, user_id=leaver.id), name="CI")
    client = await signed_in_client(served)
    trace = f"/activity/trace/{(await served.services.deliveries.get(served.actor, delivery)).delivery.message_id}"
    pages = ("/activity/deliveries?state=dead", f"/activity/deliveries/{delivery}", trace)
    name = (await served.services.integrations.get(served.actor, integration)).name
    for page in pages:
        assert name in (await client.get(page)).visible_text, page
    assert "Lea" in (await client.get("/activity/audit")).visible_text
    await served.services.aliases.delete(served.actor, alias)
    await served.services.domains.delete(served.actor, domain)
    await served.services.integrations.delete(served.actor, integration)
    await served.services.users.delete(served.actor, leaver.id)
    for page in pages:
        assert "removed integration" in (await client.get(page)).visible_text, page
    assert "removed user" in (await client.get("/activity/audit")).visible_text
    served.clock.advance(CACHE_SECONDS)
    assert "Nothing needs attention" in (await client.get("/activity")).visible_text, "it cannot be retried"
    assert "Needs attention" not in (await client.get("/tickets")).visible_text


async def test_only_admins_see_retry_buttons(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    delivery = await create_failed_delivery(sqlite_served)
    client = await signed_in_client(sqlite_served, "agent")
    for path in ("/activity", f"/activity/deliveries/{delivery}"):
        response = await client.get(path)
        assert response.status == 200
        assert "/replay" not in response.text


async def test_delivery_list_is_paginated(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    for n in range(51):
        await sqlite_served.accept_message(mails.plain(subject=f"Mail {n}."))
    client = await signed_in_client(sqlite_served, "viewer")
    first = await client.get("/activity/deliveries")
    assert first.text.count("data-row") == 50
    assert "Mail 0." not in first.visible_text
    assert "Mail 0." in (await client.get(first.next_path)).visible_text


async def test_trace_is_found_by_every_id(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    message = await served.accept_message(mails.plain(message_id="<one@customer.test>"))
    delivery = (await served.services.deliveries.list(served.actor)).items[0].id
    await record_attempt(served, delivery, "sent", 200, "ok")
    await served.database.execute("dispatch_mark_delivered", id=delivery, now=served.clock.now(), via="update")
    client = await signed_in_client(served, "viewer")
    for q in (message, "<one@customer.test>", "%231"):
        assert (await client.get(f"/activity/trace?q={q}")).location == f"/activity/trace/{message}"
    text = (await client.get(f"/activity/trace/{message}")).visible_text
    for expected in (
        "Received by mx1.host.test",
        "Opened ticket #1",
        "Queued for Support",
        "1st attempt : posted ( Support )",
        "Posted to Support, by editing the earlier message",
    ):
        assert expected in text
    assert text.index("Received") < text.index("Opened") < text.index("1st attempt") < text.index("Posted to")
    await served.accept_message(mails.reply_to("<one@customer.test>"))
    several = await client.get("/activity/trace?q=1")
    assert several.text.count("data-row") == 2
    assert "No messages match" in (await client.get("/activity/trace?q=nobody@customer.test")).visible_text
    assert (await client.get("/activity/trace?q=" + "x" * 2000)).status == 400
    sender = mails.plain(from_="Ana <ana@acme.test>", message_id="<two@customer.test>")
    other = await served.accept_message(sender.replace(b"@acme", "@\u0430cme".encode()))
    assert "ana@\u0430cme.test (xn--cme-5cd.test)" in (await client.get(f"/activity/trace/{other}")).visible_text


async def test_health_shows_problems(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration, _ = await served.create_alias()
    client = await signed_in_client(served, "viewer")
    now = served.clock.now()
    await served.database.execute("maintenance_claim", name="maintenance.domain_alerts", now=now, after=now)
    well = await client.get("/activity/health")
    assert "Problem" not in well.visible_text
    assert "Domains OK no DNS problems" in well.visible_text
    await create_failed_delivery(served)
    await served.accept_message()
    await served.database.execute(
        "dispatch_mark_failing", id=integration, reason="the webhook is gone", now=now, probe_interval=60, probe_at=now
    )
    served.clock.advance(minutes=20)
    ill = await client.get("/activity/health")
    # The problems are in the delivery process, queue, failed deliveries and integrations.
    assert ill.text.count(">Problem<") == 4
    assert "The webhook is gone" in ill.visible_text
    await served.services.domains.create(served.actor, "help.example.com")
    assert "Domains Problem 1 with DNS problems" in (await client.get("/activity/health")).visible_text


async def test_overview_shows_numbers(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    await insert_month(served)
    await served.accept_message(mails.plain(subject="Out of office", headers={"Auto-Submitted": "auto-replied"}))
    automatic = (await served.services.deliveries.list(served.actor)).items[0].id
    await served.database.execute("dispatch_mark_delivered", id=automatic, now=served.clock.now(), via="message")
    await create_failed_delivery(served)
    client = await signed_in_client(served, "viewer")
    response = await client.get("/activity/overview?days=30")
    assert response.status == 200
    assert 'role="img"' in response.text
    assert "style=" not in response.text
    assert "Messages per day: 26 in 30 days" in response.text
    assert "Time to assign 10 min" in response.visible_text
    assert "support@example.org: 2 open, 0 in progress, 0 waiting" in response.text
    assert "no delivery process is running" not in response.visible_text, "nothing is queued"
    assert "2 unassigned" in response.visible_text
    waiting = response.visible_text.partition("Waiting longest")[2].partition("By person")[0]
    assert "#2 Stuck <door> Ada Customer" in waiting
    assert "Out of office" not in waiting, "nobody waits for a response to automatic mail"
    assert "Out of office" in (await client.get("/tickets/open?sort=waiting")).visible_text
    assert "Out of office" not in (await client.get("/tickets/open?sort=waiting&automatic=exclude")).visible_text
    assert "Resolved per day: 0 in 7 days" not in (await client.get("/activity/overview")).text
    assert (await client.get("/activity/overview?days=8")).status == 400


async def test_old_links_lead_to_the_new_pages(sqlite_served: ServedInstallation) -> None:
    client = await signed_in_client(sqlite_served)
    assert (await client.get("/activity?state=dead")).location == "/activity/deliveries?state=dead"
    assert (await client.get("/manage/audit")).location == "/activity/audit"
