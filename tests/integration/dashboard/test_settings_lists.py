"""Lists of the settings: search, filters, paging, and the form that adds an item."""

import re

import pytest

from api.dashboard.manage import MIN_SEARCHED, PER_PAGE
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation

ADD_FORMS = ("domains", "aliases", "integrations", "users", "keys", "allowed-senders", "blocked-senders")


async def test_search_and_filters(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain, integration, _ = await served.create_alias()
    viewer = await signed_in_client(served, "viewer")
    await served.services.users.invite(served.actor, email="nora@acme.test", name="Nora Lind", role="agent")

    async def shown(path: str) -> str:
        page = await viewer.get(f"/manage/{path}")
        assert page.status == 200, path
        return page.text.partition("<table")[2]

    assert "Nora Lind" in await shown("users?q=NORA&role=&status=")
    assert 'title="Has not signed in yet">Invited<' in await shown("users?status=invited&role=agent")
    assert "Nora Lind" not in await shown("users?status=active") + await shown("users?role=admin")
    assert "support@example.org" in await shown(f"aliases?domainId={domain}&integrationId={integration}&q=PORT%40")
    assert "Slack" in await shown("integrations?type=slack&status=active")
    assert "integration failing" not in await shown("aliases")
    now = served.clock.now()
    await served.database.execute(
        "dispatch_mark_failing", id=integration, reason="no_service", now=now, probe_interval=60, probe_at=now
    )
    assert 'class="calm amber">Active, integration failing<' in await shown("aliases")
    nothing = await viewer.get("/manage/aliases?status=disabled&q=support")
    assert "Nothing matches." in nothing.visible_text
    assert re.findall(r'href="([^"]+)">Show all<', nothing.text) == ["/manage/aliases"]
    assert 'value="support"' in nothing.text, "the search is kept"
    assert '<option value="disabled" selected>' in nothing.text
    wrong = await viewer.get("/manage/users?status=sleeping")
    assert (wrong.status, "status must be one of: active, invited, disabled" in wrong.visible_text) == (400, True)


async def test_pages_keep_the_filters(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    for n in range(PER_PAGE + 1):
        await served.services.blocked_senders.create(served.actor, f"a{n:02}@spam.example")
    await served.services.blocked_senders.create(served.actor, "ann@other.example")
    admin = await signed_in_client(served)
    first = await admin.get("/manage/blocked-senders?q=spam")
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = await admin.get(following.replace("&amp;", "&"))
    listed = re.findall(r"<td><code>([^<]+)</code>", first.text + second.text)
    assert listed == [f"a{n:02}@spam.example" for n in range(PER_PAGE + 1)]
    assert re.findall(r'href="([^"]+)">First page<', second.text) == ["/manage/blocked-senders?q=spam"]


async def test_a_short_list_has_no_search(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    admin = await signed_in_client(served)
    for n in range(MIN_SEARCHED - 1):
        await served.services.blocked_senders.create(served.actor, f"a{n}@spam.example")
    url, search = "/manage/blocked-senders", 'role="search"'
    assert search not in (await admin.get(url)).text
    assert search in (await admin.get(f"{url}?q=a1")).text
    assert search in (await admin.get(f"{url}?q=nothing")).text
    await served.services.blocked_senders.create(served.actor, "b@spam.example")
    assert search in (await admin.get(url)).text


async def test_the_integration_of_an_alias_is_chosen(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain, integration, _ = await served.create_alias()
    admin = await signed_in_client(served)
    url = "/manage/aliases"
    assert f'<option value="{integration}" selected>' in (await admin.get(f"{url}?add=yes")).text, "the only one"
    other = await served.create_integration()
    page = await admin.get(f"{url}?add=yes")
    assert ("Choose an integration…" in page.text, f'"{integration}" selected' in page.text) == (True, False)
    assert f'<option value="{other}" selected>' in (await admin.get(f"{url}?add=yes&integrationId={other}")).text
    page = await admin.post(url, {"localPart": "jobs", "domainId": domain, "integrationId": ""})
    assert (page.status, 'id="e-integrationId"' in page.text) == (400, True)
    page = await admin.post(url, {"localPart": "a b", "domainId": domain, "integrationId": other})
    assert (page.status, 'value="a b"' in page.text, 'id="e-localPart"' in page.text) == (400, True, True)
    assert f'<option value="{other}" selected>' in page.text


async def test_an_empty_list_says_so(sqlite_served: ServedInstallation) -> None:
    admin = await signed_in_client(sqlite_served)
    for noun, text in (("tags", "No tags yet."), ("aliases", "No aliases yet."), ("blocked-senders", "No blocked")):
        page = await admin.get(f"/manage/{noun}")
        assert (page.text.count('class="empty"'), text in page.visible_text) == (1, True), noun


@pytest.mark.parametrize("noun", ADD_FORMS)
async def test_the_form_is_behind_a_button(sqlite_served: ServedInstallation, noun: str) -> None:
    await sqlite_served.create_alias()
    path = f"/manage/{noun}"
    admin, viewer = await signed_in_client(sqlite_served), await signed_in_client(sqlite_served, "viewer")
    form, link = f'<form method="post" action="{path}', f'href="{path}?add=yes"'
    page = await admin.get(path)
    assert (form in page.text, link in page.text) == (False, True)
    page = await admin.get(f"{path}?add=yes")
    assert (form in page.text, link in page.text, f'href="{path}">Cancel<' in page.text) == (True, False, True)
    page = await viewer.get(f"{path}?add=yes")
    assert (form in page.text, link in page.text) == (False, False)


async def test_an_unverified_domain_is_no_alarm_during_the_setup(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    admin, viewer = await signed_in_client(served), await signed_in_client(served, "viewer")
    await served.services.domains.create(served.actor, "acme.example")
    for client, path in ((admin, "/set-up"), (admin, "/manage/domains"), (viewer, "/tickets")):
        assert "Needs attention" not in (await client.get(path)).text, path
    assert "Nothing needs attention" in (await viewer.get("/activity")).visible_text
    await served.create_alias()  # with a verified domain
    assert "1 domain unverified" in (await admin.get("/set-up")).visible_text
