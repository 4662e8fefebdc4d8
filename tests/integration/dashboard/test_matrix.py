"""Every page that requires a role, with every role. Also cross-site forms, and objects of other workspaces."""

import re

from api.dashboard.page import PageRoute
from api.dashboard.views import FLASH_MESSAGES, MODULES, NAV_LINKS, PAGES
from router.enumerations import Role
from tests.integration.dashboard.visits import populate
from tests.support.installation.dashboard import FormClient, PageResponse, anonymous_client, signed_in_client
from tests.support.installation.http import ServedInstallation

ROLES: tuple[Role, ...] = ("admin", "agent", "viewer")

# Repeats the minimum role of each page, so that a new or changed page fails the test until this table is updated.
REQUIRED_ROLES: dict[tuple[str, str], Role | None] = {
    ("GET", "/"): "viewer",
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): None,
    ("GET", "/welcome"): None,
    ("POST", "/welcome"): None,
    ("GET", "/set-password"): None,
    ("POST", "/set-password"): None,
    ("GET", "/account"): "viewer",
    ("POST", "/account/password"): "viewer",
    ("POST", "/account"): "viewer",
    ("POST", "/density"): "viewer",
    ("POST", "/account/sessions/{id}/end"): "viewer",
    ("GET", "/tickets"): "viewer",
    ("GET", "/tickets/mine"): "viewer",
    ("GET", "/tickets/unassigned"): "viewer",
    ("GET", "/tickets/open"): "viewer",
    ("GET", "/tickets/spam"): "viewer",
    ("POST", "/tickets/bulk"): "agent",
    ("POST", "/tickets/read"): "viewer",
    ("GET", "/tickets/{id}"): "viewer",
    ("POST", "/tickets/{id}/claim"): "agent",
    ("POST", "/tickets/{id}/unclaim"): "agent",
    ("POST", "/tickets/{id}/assign"): "agent",
    ("POST", "/tickets/{id}/status"): "agent",
    ("POST", "/tickets/{id}/priority"): "agent",
    ("POST", "/tickets/{id}/notes"): "agent",
    ("POST", "/tickets/{id}/notes/{note}"): "agent",
    ("POST", "/tickets/{id}/notes/{note}/remove"): "agent",
    ("POST", "/tickets/{id}/draft"): "agent",
    ("POST", "/tickets/{id}/unread"): "viewer",
    ("POST", "/tickets/undo"): "agent",
    ("POST", "/tickets/undo-spam"): "agent",
    ("POST", "/tickets/undo-not-spam"): "agent",
    ("POST", "/tickets/{id}/spam"): "agent",
    ("POST", "/tickets/{id}/not-spam"): "agent",
    ("GET", "/tickets/delete"): "admin",
    ("POST", "/tickets/delete"): "admin",
    ("GET", "/tickets/{id}/delete"): "admin",
    ("POST", "/tickets/{id}/delete"): "admin",
    ("GET", "/tickets/{id}/allow-sender"): "admin",
    ("POST", "/tickets/{id}/allow-sender"): "admin",
    ("GET", "/tickets/{id}/block-sender"): "admin",
    ("POST", "/tickets/{id}/block-sender"): "admin",
    ("GET", "/tickets/{id}/tags"): "agent",
    ("POST", "/tickets/{id}/tags"): "agent",
    ("GET", "/tickets/{id}/messages/{message}/html"): "viewer",
    ("GET", "/tickets/{id}/messages/{message}/text"): "viewer",
    ("GET", "/tickets/{id}/messages/{message}/quoted"): "viewer",
    ("POST", "/tickets/{id}/messages/{message}/recheck"): "agent",
    ("GET", "/live"): "viewer",
    ("GET", "/activity"): "viewer",
    ("GET", "/activity/overview"): "viewer",
    ("GET", "/activity/deliveries"): "viewer",
    ("GET", "/manage/audit"): "admin",
    ("POST", "/activity/replay"): "admin",
    ("GET", "/activity/deliveries/{id}"): "viewer",
    ("POST", "/activity/deliveries/{id}/replay"): "admin",
    ("GET", "/activity/trace"): "viewer",
    ("GET", "/activity/trace/{id}"): "viewer",
    ("GET", "/activity/health"): "viewer",
    ("GET", "/set-up"): "admin",
    ("POST", "/set-up/server/later"): "admin",
    ("POST", "/set-up/domain"): "admin",
    ("POST", "/set-up/domains/{id}/verify"): "admin",
    ("POST", "/set-up/integration"): "admin",
    ("POST", "/set-up/integrations/{id}/settings"): "admin",
    ("POST", "/set-up/integrations/{id}/test"): "admin",
    ("POST", "/set-up/alias"): "admin",
    ("POST", "/set-up/aliases/{id}/test"): "admin",
    ("POST", "/set-up/invite"): "admin",
    ("GET", "/manage"): "viewer",
    ("GET", "/manage/domains"): "viewer",
    ("POST", "/manage/domains"): "admin",
    ("GET", "/manage/domains/{id}"): "viewer",
    ("POST", "/manage/domains/{id}/verify"): "admin",
    ("POST", "/manage/domains/{id}/upstream"): "admin",
    ("POST", "/manage/domains/{id}/sending"): "admin",
    ("POST", "/manage/domains/{id}/sending/rotate"): "admin",
    ("POST", "/manage/domains/{id}/sending/test"): "admin",
    ("POST", "/manage/domains/{id}/smarthost"): "admin",
    ("GET", "/manage/domains/{id}/delete"): "admin",
    ("POST", "/manage/domains/{id}/delete"): "admin",
    ("GET", "/manage/aliases"): "viewer",
    ("POST", "/manage/aliases"): "admin",
    ("GET", "/manage/aliases/{id}"): "viewer",
    ("POST", "/manage/aliases/{id}"): "admin",
    ("POST", "/manage/aliases/{id}/sender-checks"): "admin",
    ("POST", "/manage/aliases/{id}/status"): "admin",
    ("POST", "/manage/aliases/{id}/test"): "admin",
    ("GET", "/manage/aliases/{id}/delete"): "admin",
    ("POST", "/manage/aliases/{id}/delete"): "admin",
    ("GET", "/manage/integrations"): "viewer",
    ("POST", "/manage/integrations"): "admin",
    ("GET", "/manage/integrations/{id}"): "viewer",
    ("POST", "/manage/integrations/{id}"): "admin",
    ("POST", "/manage/integrations/{id}/settings"): "admin",
    ("POST", "/manage/integrations/{id}/test"): "admin",
    ("GET", "/manage/integrations/{id}/delete"): "admin",
    ("POST", "/manage/integrations/{id}/delete"): "admin",
    ("GET", "/manage/users"): "viewer",
    ("POST", "/manage/users"): "admin",
    ("POST", "/manage/users/invite"): "admin",
    ("GET", "/manage/users/{id}"): "viewer",
    ("POST", "/manage/users/{id}"): "admin",
    ("POST", "/manage/users/{id}/password"): "admin",
    ("POST", "/manage/users/{id}/password-link"): "admin",
    ("POST", "/manage/users/{id}/disabled"): "admin",
    ("GET", "/manage/users/{id}/delete"): "admin",
    ("POST", "/manage/users/{id}/delete"): "admin",
    ("GET", "/manage/keys"): "viewer",
    ("POST", "/manage/keys"): "admin",
    ("GET", "/manage/keys/{id}/revoke"): "admin",
    ("POST", "/manage/keys/{id}/revoke"): "admin",
    ("GET", "/manage/allowed-senders"): "viewer",
    ("POST", "/manage/allowed-senders"): "admin",
    ("GET", "/manage/allowed-senders/remove"): "admin",
    ("POST", "/manage/allowed-senders/remove"): "admin",
    ("GET", "/manage/blocked-senders"): "viewer",
    ("POST", "/manage/blocked-senders"): "admin",
    ("GET", "/manage/blocked-senders/remove"): "admin",
    ("POST", "/manage/blocked-senders/remove"): "admin",
    ("GET", "/manage/tags"): "viewer",
    ("GET", "/manage/tags/{id}"): "viewer",
    ("POST", "/manage/tags/{id}"): "admin",
    ("GET", "/manage/tags/{id}/delete"): "admin",
    ("POST", "/manage/tags/{id}/delete"): "admin",
    ("GET", "/manage/templates"): "viewer",
    ("POST", "/manage/templates"): "admin",
    ("GET", "/manage/templates/{id}"): "viewer",
    ("GET", "/manage/templates/{id}/html"): "viewer",
    ("POST", "/manage/templates/{id}"): "admin",
    ("GET", "/manage/templates/{id}/delete"): "admin",
    ("POST", "/manage/templates/{id}/delete"): "admin",
    ("GET", "/manage/canned-responses"): "viewer",
    ("POST", "/manage/canned-responses"): "admin",
    ("GET", "/manage/canned-responses/{id}"): "viewer",
    ("POST", "/manage/canned-responses/{id}"): "admin",
    ("GET", "/manage/canned-responses/{id}/delete"): "admin",
    ("POST", "/manage/canned-responses/{id}/delete"): "admin",
    ("POST", "/manage/aliases/{id}/replies"): "admin",
    ("GET", "/manage/workspace"): "viewer",
    ("POST", "/manage/workspace"): "admin",
    ("POST", "/manage/workspace/sender-checks"): "admin",
    ("GET", "/activity/audit"): "admin",
    ("GET", "/activity/outbox"): "viewer",
    ("POST", "/activity/outbox/{id}/cancel"): "agent",
    ("POST", "/activity/outbox/{id}/retry"): "agent",
    ("POST", "/tickets/{id}/compose"): "agent",
    ("POST", "/tickets/{id}/replies"): "agent",
    ("POST", "/tickets/{id}/replies/{reply}/cancel"): "agent",
    ("POST", "/tickets/{id}/replies/{reply}/retry"): "agent",
}


def test_every_page_has_a_required_role() -> None:
    assert {(page.method, page.path): page.role for page in PAGES} == REQUIRED_ROLES


def test_navigation_and_flash_messages_are_consistent() -> None:
    shown = {page.path: page.role for page in PAGES if page.method == "GET"}
    assert all(shown.get(link.path) == link.role for link in NAV_LINKS), "every link leads to a page with the same role"
    assert len(FLASH_MESSAGES) == sum(len(getattr(module, "FLASH_MESSAGES", {})) for module in MODULES), (
        "two modules use the same key"
    )


def fill_path(page: PageRoute, names: dict[str, str] | None = None) -> str:
    return re.sub(r"{([a-z]+)}", lambda match: (names or {}).get(match[1], "1"), page.path)


async def request_page(client: FormClient, page: PageRoute, names: dict[str, str] | None = None) -> PageResponse:
    if page.media:  # an event stream does not end
        return await client.request("HEAD", fill_path(page, names))
    return await (client.get if page.method == "GET" else client.post)(fill_path(page, names))


async def test_roles(sqlite_served: ServedInstallation) -> None:
    for role in ROLES:
        client = await signed_in_client(sqlite_served, role)
        for page in PAGES:
            if page.role is None:
                continue
            response = await request_page(client, page)
            if ROLES.index(role) > ROLES.index(page.role):
                assert response.status == 403, (page.path, role)
                assert "Permission denied" in response.text
            else:
                assert response.status not in (401, 403), (page.path, role, response.visible_text)
                assert response.status < 500, (page.path, role, response.visible_text)


async def test_signed_out_visitors_are_sent_to_sign_in(sqlite_served: ServedInstallation) -> None:
    for page in PAGES:
        if page.role is not None:
            response = await request_page(anonymous_client(sqlite_served), page)
            assert (response.status, response.location[:14]) == (303, "/sign-in?next="), page.path


async def test_foreign_and_missing_objects_look_the_same(sqlite_served: ServedInstallation) -> None:
    names = await populate(sqlite_served)
    _, actor = await sqlite_served.create_workspace()
    await sqlite_served.services.users.create(actor, email="eve@other.test", role="admin", password="a long password")
    new = await sqlite_served.services.sessions.sign_in("eve@other.test", "a long password", address="127.0.0.1")
    eve = anonymous_client(sqlite_served)
    eve.cookies["er_session"] = new.token
    ticket = await sqlite_served.services.tickets.get(sqlite_served.actor, names["ticket"])
    real = {"tickets": names["ticket"], "sessions": "0" * 32, "domains": names["owned"], "aliases": names["alias"]}
    real |= {"integrations": names["integration"], "users": names["user"], "keys": names["key"]}
    message = ticket.messages[0].message.id
    real |= {"deliveries": names["dead"], "trace": message, "tags": names["tag"]}
    real |= {"templates": names["template"], "canned-responses": names["canned"]}
    real["outbox"] = names["reply"]
    for page in PAGES:
        if "{" not in page.path:
            continue
        noun = page.path.partition("/{")[0].rpartition("/")[2]
        found = {"id": real[noun], "message": message, "reply": names["reply"]}
        missing = {name: f"{value.partition('_')[0]}_{'0' * 26}" for name, value in found.items()}
        foreign, none = await request_page(eve, page, found), await request_page(eve, page, missing)
        assert foreign.status == none.status == 404, page.path
        strip = re.compile(r"Request ID [0-9a-f]{16}")
        assert strip.sub("", foreign.text) == strip.sub("", none.text), page.path


async def test_cross_site_form_is_rejected(sqlite_served: ServedInstallation) -> None:
    names = {"id": (await populate(sqlite_served))["other"]}
    client = await signed_in_client(sqlite_served, "admin")
    for page in (page for page in PAGES if page.method == "POST"):
        for foreign in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.test"},
            {"Origin": "null"},
        ):
            response = await client.post(fill_path(page, names), {"status": "resolved", "text": "x"}, headers=foreign)
            assert response.status == 403, (page.path, foreign)
        ticket = (await sqlite_served.services.tickets.get(sqlite_served.actor, names["id"])).ticket
        assert ticket.status == "waiting", page.path
        assert (await client.get("/account")).status == 200, page.path
