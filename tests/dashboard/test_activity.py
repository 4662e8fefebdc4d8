"""What happened, over plain HTTP: failed and waiting deliveries, sending them again, traces, health, the overview."""

from dataclasses import replace

from tests.api.desk import Desk
from tests.dashboard.desk import signed_in
from tests.dashboard.past import attempt, month
from tests.support import mails


async def failed(desk: Desk, reason: str = "Slack did not take the message") -> str:
    """A mail whose delivery was given up; the delivery's id."""
    await desk.mail(mails.plain(subject="Stuck <door>"))
    delivery = (await desk.services.deliveries.list(desk.actor)).items[0]
    await attempt(desk, delivery.id, "rejected", 400, "<b>no_text")
    await desk.store.database.run("dispatch_dead", id=delivery.id, reason=reason)
    return delivery.id


async def test_a_failed_one_with_its_reason_and_attempts(desk: Desk) -> None:
    await desk.alias()
    delivery = await failed(desk)
    client = await signed_in(desk)
    listed = await client.get("/activity")
    assert "Stuck <door>" in listed.words
    assert "Slack did not take the message" in listed.words
    one = await client.get(f"/activity/deliveries/{delivery}")
    assert "rejected 400 120 ms <b>no_text" in one.words
    assert "<b>no_text" not in one.text
    after = await client.follow(f"/activity/deliveries/{delivery}/replay", {})
    assert "It is due now" in after.words
    assert (await desk.services.deliveries.get(desk.actor, delivery)).delivery.state == "pending"
    assert desk.woken.integration_ids
    assert "Nothing has failed." in (await client.get("/activity")).words
    waiting = await client.get("/activity?state=pending")
    assert "Stuck <door>" in waiting.words


async def test_all_of_a_filter(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    _, integration, _ = await desk.alias()
    delivery = await failed(desk)
    client = await signed_in(desk)
    other = await desk.integration()
    await client.follow("/activity/replay?state=dead", {"state": "dead", "integrationId": other})
    assert (await desk.services.deliveries.get(desk.actor, delivery)).delivery.state == "dead"
    done = await client.follow("/activity/replay?state=dead", {"state": "dead", "integrationId": integration})
    assert "They are due now" in done.words
    assert (await desk.services.deliveries.get(desk.actor, delivery)).delivery.state == "pending"
    for form in ({"state": "delivered"}, {"state": "x"}, {"integrationId": "int_none"}):
        seen = await client.post("/activity/replay", form)
        assert seen.status == 400, form
        assert 'role="alert"' in seen.text
    assert (await client.get("/activity?state=x")).status == 400


async def test_what_cannot_be_sent_again_says_why(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    await desk.alias()
    delivery = await failed(desk)
    client = await signed_in(desk)
    await desk.services.deliveries.replay(desk.actor, delivery)
    await desk.store.database.run("dispatch_delivered", id=delivery, now=desk.clock.now(), via="message")
    seen = await client.post(f"/activity/deliveries/{delivery}/replay")
    assert seen.status == 409
    assert "has arrived already" in seen.words
    assert "Send again" not in (await client.get(f"/activity/deliveries/{delivery}")).words


async def test_names_of_what_was_removed(desk: Desk) -> None:
    domain, integration, alias = await desk.alias()
    delivery = await failed(desk)
    leaver = await desk.services.users.create(desk.actor, email="leaver@people.test", name="Lea")
    await desk.services.keys.create(replace(desk.actor, user_id=leaver.id), name="CI")
    client = await signed_in(desk)
    trace = f"/activity/trace/{(await desk.services.deliveries.get(desk.actor, delivery)).delivery.message_id}"
    pages = ("/activity", f"/activity/deliveries/{delivery}", trace)
    name = (await desk.services.integrations.get(desk.actor, integration)).name
    for page in pages:
        assert name in (await client.get(page)).words, page
    assert "Lea" in (await client.get("/manage/audit")).words
    await desk.services.aliases.delete(desk.actor, alias)
    await desk.services.domains.delete(desk.actor, domain)
    await desk.services.integrations.delete(desk.actor, integration)
    await desk.services.users.delete(desk.actor, leaver.id)
    for page in pages:
        assert "an integration that was removed" in (await client.get(page)).words, page
    assert "somebody who was removed" in (await client.get("/manage/audit")).words


async def test_only_admins_are_offered_it(sqlite_desk: Desk) -> None:
    await sqlite_desk.alias()
    delivery = await failed(sqlite_desk)
    client = await signed_in(sqlite_desk, "agent")
    for path in ("/activity", f"/activity/deliveries/{delivery}"):
        seen = await client.get(path)
        assert seen.status == 200
        assert "/replay" not in seen.text


async def test_pages_of_deliveries(sqlite_desk: Desk) -> None:
    await sqlite_desk.alias()
    for n in range(51):
        await sqlite_desk.mail(mails.plain(subject=f"Mail {n}."))
    client = await signed_in(sqlite_desk, "viewer")
    first = await client.get("/activity?state=all")
    assert first.text.count("data-row") == 50
    assert "Mail 0." not in first.words
    path = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Mail 0." in (await client.get(path)).words


async def test_a_trace_by_all_its_names(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    await desk.alias()
    message = await desk.mail(mails.plain(message_id="<one@customer.test>"))
    delivery = (await desk.services.deliveries.list(desk.actor)).items[0].id
    await attempt(desk, delivery, "sent", 200, "ok")
    await desk.store.database.run("dispatch_delivered", id=delivery, now=desk.clock.now(), via="message")
    client = await signed_in(desk, "viewer")
    for q in (message, "<one@customer.test>", "%231"):
        assert (await client.get(f"/activity/trace?q={q}")).location == f"/activity/trace/{message}"
    words = (await client.get(f"/activity/trace/{message}")).words
    for said in (
        "Received by mx1.router.test",
        "Opened ticket #1",
        "Owed to Support",
        "Attempt 1",
        "Arrived at Support",
    ):
        assert said in words
    assert words.index("Received") < words.index("Opened") < words.index("Attempt 1") < words.index("Arrived at")
    await desk.mail(mails.reply_to("<one@customer.test>"))
    several = await client.get("/activity/trace?q=1")
    assert several.text.count("data-row") == 2
    assert "No such mail" in (await client.get("/activity/trace?q=nobody@customer.test")).words
    assert (await client.get("/activity/trace?q=" + "x" * 2000)).status == 400


async def test_health_says_what_to_look_at(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    _, integration, _ = await desk.alias()
    client = await signed_in(desk, "viewer")
    now = desk.clock.now()
    await desk.store.database.run("janitor_claim", name="janitor.notices", now=now, after=now)
    well = await client.get("/activity/health")
    assert "look here" not in well.words
    assert "Domains none is without its records" in well.words
    await failed(desk)
    await desk.mail()
    await desk.store.database.run(
        "dispatch_failing", id=integration, reason="the webhook is gone", now=now, probe_interval=60, probe_at=now
    )
    desk.clock.advance(minutes=20)
    ill = await client.get("/activity/health")
    assert ill.text.count("look here") == 4  # deliverer, queue, given up, integrations
    assert "the webhook is gone" in ill.words
    await desk.services.domains.create(desk.actor, "help.example.com")
    assert "Domains 1 without its records" in (await client.get("/activity/health")).words


async def test_the_overview(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    await desk.alias()
    await month(desk)
    await failed(desk)
    client = await signed_in(desk, "viewer")
    seen = await client.get("/")
    assert seen.status == 200
    assert 'role="img"' in seen.text
    assert "style=" not in seen.text
    assert "Mails a day: 25 in 30 days" in seen.text
    assert "Until somebody has the ticket 10 min" in seen.words
    assert "support@example.org: 1 open, 0 in progress, 0 waiting" in seen.text
    assert "no process that delivers was seen" not in seen.words, "nothing waits"
