"""Times on pages are in the user's or workspace's time zone, with UTC in the title attribute."""

import datetime as dt
import re

from router.clock import SECOND
from tests.integration.dashboard.visits import populate
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation

# The clock of the tests begins at 2030-01-01T12:00:00Z.
IN_BERLIN = '<time datetime="2030-01-01T12:00:00Z" title="1 Jan 2030, 12:00 UTC">01.01.2030, 13:00 CET</time>'
IN_TOKYO = '<time datetime="2030-01-01T12:00:00Z" title="1 Jan 2030, 12:00 UTC">01.01.2030, 21:00 JST</time>'
BOTH = 'title="01.01.2030, 21:00 JST (1 Jan 2030, 12:00 UTC)"'


async def test_time_zone_settings(served: ServedInstallation) -> None:
    names = await populate(served)
    admin, agent = await signed_in_client(served), await signed_in_client(served, "agent")
    ticket = f"/tickets/{names['ticket']}"
    assert (
        '<time datetime="2030-01-01T12:00:00Z" title="1 Jan 2030, 12:00 UTC">1 Jan 2030, 12:00 UTC</time>'
        in (await agent.get(ticket)).text
    )
    form = {"name": "Acme", "timezone": "Europe/Berlin", "locale": "de"}
    page = await admin.post_and_follow("/manage/workspace", form)
    assert '<option value="Europe/Berlin" selected>' in page.text
    assert '<option value="de" selected>' in page.text
    assert IN_BERLIN in (await agent.get(ticket)).text

    page = await agent.post_and_follow("/account", {"name": "Aiko Mori", "timezone": "Asia/Tokyo"})
    assert "Aiko Mori" in page.visible_text
    assert "Profile saved." in page.visible_text
    assert '<option value="Asia/Tokyo" selected>' in page.text
    seen = (await agent.get(ticket)).text
    assert IN_TOKYO in seen
    assert BOTH in seen, "a relative time"
    assert IN_BERLIN in (await admin.get(ticket)).text, "of the agent alone"
    page = await agent.post_and_follow("/account", {"timezone": ""})
    assert "Workspace default (Europe/Berlin)" in page.visible_text
    assert IN_BERLIN in (await agent.get(ticket)).text

    refused = await agent.post("/account", {"timezone": "Mars"})
    assert (refused.status, 'id="e-timezone"' in refused.text) == (400, True)
    refused = await admin.post("/manage/workspace", form | {"timezone": "Mars"})
    assert (refused.status, 'id="e-timezone"' in refused.text) == (400, True)
    assert "/manage/workspace" in (await agent.get("/manage/workspace")).text
    assert "Europe/Berlin" in (await agent.get("/manage/workspace")).visible_text


async def test_an_admin_changes_the_time_zone_of_a_user(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    admin = await signed_in_client(served)
    user = await served.services.users.create(served.actor, email="ada@example.org", name="Ada")
    path = f"/manage/users/{user.id}"
    form = {"name": "Ada", "role": "agent", "timezone": "US/Pacific"}
    page = await admin.post_and_follow(path, form)
    assert '<option value="US/Pacific" selected>' in page.text, "an alias of a time zone is kept"
    assert (await served.services.users.get(served.actor, user.id)).timezone == "US/Pacific"
    await admin.post_and_follow(path, form | {"timezone": ""})
    assert (await served.services.users.get(served.actor, user.id)).timezone is None


async def test_every_time_on_every_page_has_utc_in_its_title(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    names = await populate(served)
    await served.services.workspaces.change(served.actor, timezone="Asia/Kathmandu")
    admin = await signed_in_client(served)
    pages = [f"/tickets/{names['ticket']}", f"/manage/users/{names['user']}", "/activity/audit", "/manage/workspace"]
    for path in (
        "/activity/overview",
        "/account",
        "/tickets",
        "/activity/deliveries",
        "/activity/health",
        "/manage/keys",
        *pages,
    ):
        text = (await admin.get(path)).text
        for time in re.findall(r"<time[^>]*>", text):
            assert re.search(r'title="[^"]*UTC\)?"', time), (path, time)
        assert not re.search(r">[^<]*\d UTC(?![+-])[^<]*<", text), path


async def test_days_are_those_of_the_time_zone(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await populate(served)
    admin = await signed_in_client(served)
    assert "Day (UTC)" in (await admin.get("/activity/overview")).visible_text
    await served.services.workspaces.change(served.actor, timezone="Pacific/Kiritimati")
    assert "Day (Pacific/Kiritimati)" in (await admin.get("/activity/overview")).visible_text
    # The overview takes the current day from the machine's clock: 24 hours are a day apart at every time of day.
    east = await served.services.overview.get(served.actor, timezone="Etc/GMT-12")
    west = await served.services.overview.get(served.actor, timezone="Etc/GMT+12")
    assert east.days[-1].date == west.days[-1].date + dt.timedelta(days=1)


async def test_the_last_day_of_a_key_ends_in_the_time_zone(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.services.workspaces.change(served.actor, timezone="Europe/Berlin")
    admin = await signed_in_client(served)
    once = re.findall(r'name="once" value="([^"]+)"', (await admin.get("/manage/keys?add=yes")).text)[0]
    page = await admin.post("/manage/keys", {"once": once, "name": "CI", "expiresAt": "2030-07-01"})
    assert "2 Jul 2030, 00:00 CEST" in page.visible_text
    (key, *_) = (await served.services.keys.list(served.actor)).items
    assert key.expires_at == int(dt.datetime(2030, 7, 1, 22, tzinfo=dt.UTC).timestamp()) * SECOND
