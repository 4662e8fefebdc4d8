"""Management pages over plain HTTP."""

import re

import pytest

from api.dashboard.avatars import team_hues
from router.admin import audit
from router.enumerations import Role
from router.model import Actor
from tests.integration.dashboard.visits import populate
from tests.support.installation.dashboard import PageResponse, anonymous_client, signed_in_client
from tests.support.installation.http import PASSWORD, ServedInstallation
from tests.support.slack import SlackStandIn

NOUNS = ("domains", "aliases", "integrations", "users", "keys", "allowed-senders", "blocked-senders", "workspace")


def is_field_error(response: PageResponse, field: str, status: int = 400) -> bool:
    return (response.status, f'id="e-{field}"' in response.text, f'href="#f-{field}"' in response.text) == (
        status,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [
        ("/manage/integrations", {"type": "nope", "name": "x"}, "Not saved: type must be one of: "),
        ("/set-up/integration", {"type": "nope", "name": "x"}, "Not saved: type must be one of: "),
        ("/tickets/{ticket}/tags", {"remove": " "}, "Not saved: remove must not be empty"),
    ],
)
async def test_the_error_of_a_hidden_field_links_to_nothing(
    served: ServedInstallation, path: str, form: dict[str, str], message: str
) -> None:
    await served.create_alias()
    admin = await signed_in_client(served, "admin")
    page = await admin.post(path.format(ticket=await served.accept_ticket()), form)
    assert (page.status, message in page.visible_text, 'href="#f-' in page.text) == (400, True, False)


async def test_domains(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin")
    assert is_field_error(await admin.post("/manage/domains", {"domain": "no domain"}), "domain")
    page = await admin.post_and_follow("/manage/domains", {"domain": "Example.ORG"})
    assert "Domain added." in page.visible_text
    assert is_field_error(await admin.post("/manage/domains", {"domain": "example.org"}), "domain", 409)
    (view,) = (await served.services.domains.list(served.actor)).items
    url = f"/manage/domains/{view.id}"
    assert f"emailrouter-verification={view.token}" in page.text
    assert "TXT Optional" in page.visible_text
    page = await admin.post_and_follow(f"{url}/upstream", {"mxManagedUpstream": "true"})
    assert "TXT Unchecked" in page.visible_text
    await admin.post_and_follow(f"{url}/upstream", {"mxManagedUpstream": "false"})
    await admin.post_and_follow(f"{url}/verify", {})

    integration = await served.create_integration()
    alias = {"domainId": view.id, "localPart": "support", "integrationId": integration}
    await admin.post_and_follow("/manage/aliases", alias)
    late = await admin.post(f"{url}/delete")
    assert (late.status, "Its alias is removed too." in late.visible_text) == (409, True), (
        "aliases need a confirmation that names them"
    )
    assert 'name="force" value="true"' in (await admin.get(f"{url}/delete")).text
    page = await admin.post_and_follow(f"{url}/delete", {"force": "true"})
    assert "No domains yet." in page.visible_text
    assert (await admin.get(url)).status == 404


async def test_aliases(served: ServedInstallation) -> None:
    domain, integration, _ = await served.create_alias()
    admin = await signed_in_client(served, "admin")
    form = {"domainId": domain, "localPart": "billing", "integrationId": integration}
    page = await admin.post_and_follow("/manage/aliases", form)
    assert "billing@example.org Active" in page.visible_text
    assert is_field_error(await admin.post("/manage/aliases", form), "localPart", 409)
    assert is_field_error(await admin.post("/manage/aliases", form | {"integrationId": "int_1"}), "integrationId")
    (url,) = set(re.findall(r"/manage/aliases/alias_\w+", page.text))
    other = await served.create_integration()
    page = await admin.post_and_follow(url, {"integrationId": other, "forwardedFrom": "support@acme.example"})
    assert f'<option value="{other}" selected>' in page.text
    assert "Noted as forwarded from support@acme.example" in page.visible_text
    assert is_field_error(await admin.post(url, {"integrationId": other, "forwardedFrom": "acme"}), "forwardedFrom")
    page = await admin.post_and_follow(url, {"integrationId": other, "forwardedFrom": ""})
    assert "Noted as forwarded" not in page.visible_text
    assert "Disabled" in (await admin.post_and_follow(f"{url}/status", {"status": "disabled"})).visible_text
    off = await admin.post(f"{url}/test")
    assert (off.status, "the alias is disabled" in off.visible_text) == (409, True)
    await admin.post_and_follow(f"{url}/status", {"status": "active"})
    async with served.run_smtp():
        assert "Test of billing@example.org" in (await admin.post_and_follow(f"{url}/test", {})).visible_text
    assert "Existing tickets are kept." in (await admin.get(f"{url}/delete")).visible_text
    page = await admin.post_and_follow(f"{url}/delete", {})
    assert "billing@example.org" not in page.visible_text
    assert "support@example.org" in (await admin.get(f"/manage/aliases?domainId={domain}")).visible_text


async def test_integrations(served: ServedInstallation, slack: SlackStandIn) -> None:
    names = await populate(served)
    admin, viewer = await signed_in_client(served, "admin"), await signed_in_client(served, "viewer")
    url, secret = f"/manage/integrations/{names['integration']}", "QxYz0123456789"
    for client in (admin, viewer):
        page = await client.get(url)
        assert "the webhook was removed or disabled in Slack" in page.visible_text
        assert "Failing" in (await client.get("/manage/integrations")).visible_text
    assert 'name="webhookUrl"' not in page.text
    assert is_field_error(await admin.post(f"{url}/settings", {"webhookUrl": "https://"}), "webhookUrl")
    foreign = await admin.post(f"{url}/settings", {"webhookUrl": slack.url(secret)})
    assert (foreign.status, "Post all tickets to 127.0.0.1" in foreign.visible_text) == (400, True)
    confirmed = {"webhookUrl": slack.url(secret), "confirmedHost": "127.0.0.1"}
    page = await admin.post_and_follow(f"{url}/settings", confirmed)
    assert "Support Active" in page.visible_text
    assert names["integration"] in served.recording_wake.integration_ids, "parked deliveries are resumed"
    slack.remove_webhook(secret)
    response = await admin.post(f"{url}/test")
    assert (response.status, "The test message was not delivered:" in response.visible_text) == (409, True)
    slack.restore_webhook(secret)
    assert "Test message delivered." in (await admin.post_and_follow(f"{url}/test", {})).visible_text
    assert "Help desk" in (await admin.post_and_follow(url, {"name": "Help desk"})).visible_text
    assert is_field_error(await admin.post(url, {"name": " "}), "name")
    used = await admin.post(f"{url}/delete")
    assert (used.status, "This integration is used by aliases (1)" in used.visible_text) == (409, True)
    page = await admin.post_and_follow("/manage/integrations", confirmed | {"name": "Spare"})
    spare = re.search(r"/manage/integrations/int_\w+", page.text)
    assert spare
    assert "Remove Spare?" in (await admin.get(f"{spare[0]}/delete")).visible_text
    assert "Spare" not in (await admin.post_and_follow(f"{spare[0]}/delete", {})).visible_text
    for path in (url, "/manage/integrations", "/activity/audit", "/set-up"):
        assert secret not in (await admin.get(path)).text


async def test_saving_settings_without_a_difference_reactivates_an_integration(served: ServedInstallation) -> None:
    names = await populate(served)
    admin = await signed_in_client(served, "admin")
    url = f"/manage/integrations/{names['integration']}"
    assert "Support Failing" in (await admin.get(url)).visible_text
    page = await admin.post_and_follow(f"{url}/settings", {"webhookUrl": ""})
    assert "Settings saved. Held deliveries are sent now." in page.visible_text
    assert "Support Active" in page.visible_text


async def test_the_audit_log_shows_changed_settings(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin")
    form = {"type": "discord", "name": "Team", "webhookUrl": "https://discord.com/api/webhooks/1/very-secret"}
    page = await admin.post_and_follow("/manage/integrations", form | {"threadId": "42", "username": "Help desk"})
    created = re.search(r"/manage/integrations/int_\w+", page.text)
    assert created
    changed = {"webhookUrl": form["webhookUrl"], "threadId": "", "username": "Support"}
    await admin.post_and_follow(f"{created[0]}/settings", changed)
    text = (await admin.get("/activity/audit")).visible_text
    for shown in (
        "added the Discord integration Team (Thread ID: 42, Username: Help desk)",
        "changed the settings of Team (Thread ID: none, Username: Support), and replaced the Webhook URL of Team",
    ):
        assert shown in text
    assert "very-secret" not in text


async def test_the_setup_leads_back_to_the_types(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin")
    await served.services.domains.create(served.actor, "example.org")
    assert 'aria-label="Type"' in (await admin.get("/set-up")).text
    integration = await served.create_integration()
    page = await admin.get("/set-up")
    assert 'aria-label="Type"' not in page.text
    assert f"/manage/integrations/{integration}/delete" in page.text
    await admin.post_and_follow(f"/manage/integrations/{integration}/delete", {})
    assert 'aria-label="Type"' in (await admin.get("/set-up")).text


async def test_users(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin", "ada@people.test")
    form = {"email": "bob@people.test", "name": "Bob", "role": "agent", "password": PASSWORD}
    assert is_field_error(await admin.post("/manage/users", form | {"email": "bob"}), "email")
    short = await admin.post("/manage/users", form | {"password": "short"})
    assert is_field_error(short, "password")
    assert 'value="short"' not in short.text
    page = await admin.post_and_follow("/manage/users", form)
    assert is_field_error(await admin.post("/manage/users", form), "email", 409)
    (url,) = set(re.findall(r"/manage/users/user_\w+", page.text))
    bob = anonymous_client(served)
    await bob.post_and_follow("/sign-in", {"email": "bob@people.test", "password": PASSWORD})
    assert "viewer" in (await admin.post_and_follow(url, {"name": "Robert", "role": "viewer"})).visible_text
    assert (await admin.post(url, {"name": "Robert", "role": "king"})).status == 400
    await admin.post_and_follow(f"{url}/password", {"password": "another password"})
    assert (await bob.get("/account")).status == 303
    assert "Disabled" in (await admin.post_and_follow(f"{url}/disabled", {"disabled": "true"})).visible_text
    assert (await bob.post("/sign-in", {"email": "bob@people.test", "password": "another password"})).status == 401
    for unsaid in ({}, {"disabled": ""}, {"disabled": "no"}):
        assert (await admin.post(f"{url}/disabled", unsaid)).status == 400
    assert (await bob.post("/sign-in", {"email": "bob@people.test", "password": "another password"})).status == 401
    await admin.post_and_follow(f"{url}/disabled", {"disabled": "false"})
    await bob.post_and_follow("/sign-in", {"email": "bob@people.test", "password": "another password"})
    assert "Robert" not in (await admin.post_and_follow(f"{url}/delete", {})).visible_text
    assert (await bob.get("/account")).status == 303
    await served.services.users.delete(served.actor, served.login.user_id)
    me = next(
        user for user in (await served.services.users.list(served.actor)).items if user.email == "ada@people.test"
    )
    for path, sent in (("", {"name": "", "role": "agent"}), ("/disabled", {"disabled": "true"}), ("/delete", {})):
        last = await admin.post(f"/manage/users/{me.id}{path}", sent)
        assert (last.status, "the last admin" in last.visible_text) == (409, True), path
    assert "This is your own account" in (await admin.get(f"/manage/users/{me.id}/delete")).visible_text


async def test_api_key_is_shown_once(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin")
    page = await admin.get("/manage/keys?add=yes")
    once = re.search(r'name="once" value="([^"]+)"', page.text)
    assert once
    form = {"once": once[1], "name": "import", "role": "agent", "userId": "", "expiresAt": "2030-02-28"}
    assert is_field_error(await admin.post("/manage/keys", form | {"name": ""}), "name")
    assert is_field_error(await admin.post("/manage/keys", form | {"expiresAt": "tomorrow"}), "expiresAt")
    assert is_field_error(await admin.post("/manage/keys", form | {"expiresAt": "2029-01-01"}), "expiresAt")
    made = await admin.post("/manage/keys", form)
    (clear,) = re.findall(r'<code id="key">(er_\w+)</code>', made.text)
    assert (made.status, made.headers["Cache-Control"]) == (200, "no-store")
    assert (await served.client(clear).get("/auth/me")).body["role"] == "agent"
    again = await admin.post("/manage/keys", form)
    assert (again.status, "already succeeded" in again.visible_text) == (409, True)
    page = await admin.get("/manage/keys")
    assert clear not in page.text + again.text
    assert "1 Mar 2030, 00:00 UTC" in page.visible_text
    (revoke,) = re.findall(r'href="([^"]+)" aria-label="Revoke import"', page.text)
    assert (await admin.get(revoke)).status == 200
    assert (await served.client(clear).get("/auth/me")).status == 200, "the confirmation page changes nothing"
    assert "Revoked" in (await admin.post_and_follow(revoke, {})).visible_text
    assert (await served.client(clear).get("/auth/me")).status == 401
    assert clear not in (await admin.get("/activity/audit")).text


async def test_blocked_senders_and_the_workspace(served: ServedInstallation) -> None:
    integration = await served.create_integration()
    admin = await signed_in_client(served, "admin")
    fields = {"senders": "# May\r\n192.0.2.0/24\r\n\r\nno sender", "action": "spam", "note": "May"}
    rejected = await admin.post("/manage/blocked-senders", fields)
    assert is_field_error(rejected, "senders")
    assert ("no sender" in rejected.visible_text, 'value="spam" selected' in rejected.text) == (True, True)
    page = await admin.post_and_follow("/manage/blocked-senders", fields | {"senders": "192.0.2.0/24\n"})
    assert all(text in page.visible_text for text in ("Sender blocked.", "Held as spam", "Never"))
    again = await admin.post("/manage/blocked-senders", {"senders": "192.0.2.0/24"})
    assert (again.status, 'id="e-senders"' in again.text) == (409, True)
    (remove,) = re.findall(r'href="(/manage/blocked-senders/remove[^"]+)"', page.text)
    ask = await admin.get(remove)
    assert 'name="sender" value="192.0.2.0/24"' in ask.text
    page = await admin.post_and_follow("/manage/blocked-senders/remove", {"sender": "192.0.2.0/24"})
    assert "No blocked senders." in page.visible_text
    assert (await admin.post("/manage/blocked-senders/remove", {"sender": "192.0.2.0/24"})).status == 404
    page = await admin.post_and_follow("/manage/allowed-senders", {"senders": "@a.example\n192.0.2.1", "note": ""})
    assert "2 senders allowed." in page.visible_text
    await admin.post("/manage/allowed-senders", {"senders": "@b.example", "anyMessage": "yes"})
    listed = await served.services.allowed_senders.list_all(served.actor.workspace_id)
    assert {each.sender: each.require_auth for each in listed} == {"@a.example": 1, "@b.example": 0, "192.0.2.1/32": 0}
    page = await admin.post_and_follow("/manage/allowed-senders/remove", {"sender": "@b.example"})
    assert "Sender removed." in page.visible_text

    page = await admin.post_and_follow("/manage/workspace", {"name": "Acme", "defaultIntegrationId": integration})
    assert f'<option value="{integration}" selected>' in page.text
    assert (await served.services.workspaces.get(served.actor)).default_integration_id == integration
    await admin.post_and_follow("/manage/workspace", {"name": "Acme", "defaultIntegrationId": ""})
    assert (await served.services.workspaces.get(served.actor)).default_integration_id is None
    assert is_field_error(await admin.post("/manage/workspace", {"name": ""}), "name")


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_other_roles_see_no_actions(sqlite_served: ServedInstallation, role: Role) -> None:
    names = await populate(sqlite_served)
    client = await signed_in_client(sqlite_served, role)
    own = [f"/manage/{noun}" for noun in NOUNS]
    own += [
        f"/manage/{noun}/{names[name]}"
        for noun, name in zip(NOUNS[:4], ("domain", "alias", "integration", "user"), strict=True)
    ]
    for path in own:
        page = await client.get(path)
        assert page.status == 200, path
        assert 'method="post" action="/manage' not in page.text, path
        assert "/delete" not in page.text, path
    assert "No API keys yet." in (await client.get("/manage/keys")).visible_text
    assert "/activity/audit" not in page.text


async def test_audit_log_names_user_and_action(sqlite_served: ServedInstallation) -> None:
    await populate(sqlite_served)
    admin = await signed_in_client(sqlite_served, "admin", "ada@people.test")
    await admin.post_and_follow("/manage/domains", {"domain": "third.example.org"})
    page = await admin.get("/activity/audit")
    assert "Today, " in page.visible_text
    assert "Admin added the domain third.example.org 127.0.0.1" in page.visible_text
    log = page.text.partition("<main")[2]
    hues = team_hues((await sqlite_served.services.users.list(sqlite_served.actor)).items)
    assert log.count(f'class="avatar hue-{hues["ada@people.test"]}"') >= 1, "the colour is that of the rail"
    for _ in range(30):
        await admin.post("/manage/workspace", {"name": "Acme"})
        await admin.post("/manage/workspace", {"name": "<i>Acme</i>"})
    page = await admin.get("/activity/audit")
    assert "&lt;i&gt;Acme&lt;/i&gt;" in page.text
    assert "admin@example.org blocked @spam.example" in (await admin.get(page.next_path)).visible_text
    changes = await admin.get("/activity/audit?kind=workspace&group=change")
    assert "Subject: Workspace" in changes.visible_text
    older = await admin.get(changes.next_path)
    assert "renamed the workspace" in older.visible_text, "the next page keeps the filters"
    assert "blocked" not in older.visible_text
    day = await admin.get("/activity/audit?since=2999-01-01")
    assert "No entries match" in day.visible_text
    assert (await admin.get("/activity/audit?until=soon")).status == 400


async def test_audit_log_names_who_made_a_change_without_a_user(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain, now = await served.create_domain("help.example.com"), served.clock.now()
    operator = Actor(served.actor.workspace_id, "admin")
    async with served.database.transaction() as transaction:
        await audit.record(transaction, operator, now, "domain.verify", domain, domain="help.example.com", by="recheck")
        await audit.record(transaction, operator, now, "domain.lose", domain, domain="help.example.com")
        detail = {"domain": "help.example.com", "mxManagedUpstream": False}
        await audit.record(transaction, operator, now, "domain.change", domain, **detail)
    page = await (await signed_in_client(served)).get("/activity/audit")
    assert "System verified the domain help.example.com" in page.visible_text
    assert "System removed the verification of help.example.com : another workspace" in page.visible_text
    assert "Operator set that this server receives the mail of help.example.com" in page.visible_text
