"""Every page against every role, by construction: made of the route table itself. What is forged is refused as well."""

import re

import pytest

from api.dashboard import views
from api.dashboard.page import Page
from api.dashboard.views import MODULES, NAV, NOTES, PAGES
from router.model import Role
from tests.api.desk import Desk
from tests.dashboard.desk import Browser, Seen, browser, signed_in
from tests.dashboard.visits import prepare

ROLES: tuple[Role, ...] = ("admin", "agent", "viewer")

# What each page may be called by, written down a second time: a page that is new, or changed, fails until here too.
LEAST: dict[tuple[str, str], Role | None] = {
    ("GET", "/"): "viewer",
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): None,
    ("GET", "/welcome"): None,
    ("POST", "/welcome"): None,
    ("GET", "/account"): "viewer",
    ("POST", "/account/password"): "viewer",
    ("POST", "/account/sessions/{id}/end"): "viewer",
    ("GET", "/tickets"): "viewer",
    ("GET", "/tickets/mine"): "viewer",
    ("GET", "/tickets/unassigned"): "viewer",
    ("GET", "/tickets/{id}"): "viewer",
    ("POST", "/tickets/{id}/claim"): "agent",
    ("POST", "/tickets/{id}/unclaim"): "agent",
    ("POST", "/tickets/{id}/assign"): "agent",
    ("POST", "/tickets/{id}/status"): "agent",
    ("POST", "/tickets/{id}/notes"): "agent",
    ("GET", "/tickets/{id}/messages/{message}/html"): "viewer",
    ("GET", "/tickets/{id}/messages/{message}/text"): "viewer",
    ("GET", "/live"): "viewer",
}


def test_every_page_has_its_row() -> None:
    assert {(page.method, page.path): page.role for page in PAGES} == LEAST


def test_every_file_of_pages_is_listed() -> None:
    folder = next(iter(views.__path__))
    from pathlib import Path  # noqa: PLC0415 - only here

    exporting = {
        f"{views.__name__}.{path.stem}"
        for path in Path(folder).glob("*.py")
        if path.stem != "__init__" and re.search(r"^PAGES\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert exporting == {module.__name__ for module in MODULES}


def test_links_and_notes_are_sound() -> None:
    shown = {page.path: page.role for page in PAGES if page.method == "GET"}
    assert all(shown.get(link.path) == link.role for link in NAV), "no dead link, and none to what one may not see"
    assert len(NOTES) == sum(len(getattr(module, "NOTES", {})) for module in MODULES), "a word is there twice"


def filled(page: Page, names: dict[str, str] | None = None) -> str:
    return re.sub(r"{([a-z]+)}", lambda match: (names or {}).get(match[1], "1"), page.path)


async def ask(client: Browser, page: Page, names: dict[str, str] | None = None) -> Seen:
    if page.media:  # a stream does not end by itself
        return await client._ask("HEAD", filled(page, names))
    return await (client.get if page.method == "GET" else client.post)(filled(page, names))


async def test_roles(sqlite_desk: Desk) -> None:
    for role in ROLES:
        client = await signed_in(sqlite_desk, role)
        for page in PAGES:
            if page.role is None:
                continue
            seen = await ask(client, page)
            if ROLES.index(role) > ROLES.index(page.role):
                assert seen.status == 403, (page.path, role)
                assert "You may not do this" in seen.text
            else:
                assert seen.status not in (401, 403), (page.path, role, seen.words)
                assert seen.status < 500, (page.path, role, seen.words)


async def test_signed_out_visitors_are_sent_to_sign_in(sqlite_desk: Desk) -> None:
    for page in PAGES:
        if page.role is not None:
            seen = await ask(browser(sqlite_desk), page)
            assert (seen.status, seen.location[:14]) == (303, "/sign-in?next="), page.path


async def test_foreign_and_missing_look_the_same(sqlite_desk: Desk) -> None:
    names = await prepare(sqlite_desk)
    _, actor = await sqlite_desk.other_workspace()
    await sqlite_desk.services.users.create(actor, email="eve@other.test", role="admin", password="a long password")
    new = await sqlite_desk.services.sessions.login("eve@other.test", "a long password", address="127.0.0.1")
    eve = browser(sqlite_desk)
    eve.cookies["er_session"] = new.token
    ticket = await sqlite_desk.services.tickets.get(sqlite_desk.actor, names["ticket"])
    real = {"tickets": names["ticket"], "message": ticket.messages[0].message.id, "account": "0" * 32}
    for page in PAGES:
        if "{" not in page.path:
            continue
        noun = page.path.split("/")[1]
        found = {"id": real[noun], "message": real["message"]}
        missing = {"id": f"{found['id'].partition('_')[0]}_{'0' * 26}", "message": f"msg_{'0' * 26}"}
        foreign, none = await ask(eve, page, found), await ask(eve, page, missing)
        assert foreign.status == none.status == 404, page.path
        strip = re.compile(r"request [0-9a-f]{16}")
        assert strip.sub("", foreign.text) == strip.sub("", none.text), page.path


FORMS = [page for page in PAGES if page.method == "POST"]


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.path)
async def test_a_form_of_another_site_does_nothing(sqlite_desk: Desk, page: Page) -> None:
    names = {"id": (await prepare(sqlite_desk))["other"]}
    client = await signed_in(sqlite_desk, "admin")
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ):
        seen = await client.post(filled(page, names), {"status": "resolved", "text": "x"}, headers=foreign)
        assert seen.status == 403, (page.path, foreign)
    assert (await sqlite_desk.services.tickets.get(sqlite_desk.actor, names["id"])).ticket.status == "waiting"
    assert (await client.get("/account")).status == 200
