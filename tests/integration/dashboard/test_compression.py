"""Responses are compressed, except those that show a secret and those that another site requests."""

import gzip
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from api import compression
from api.dashboard.views import PAGES
from api.schema.accounts import KeyCreated, PasswordLinkAnswer, UserCreated
from tests.integration.dashboard.conftest import PopulatedInstallation
from tests.integration.dashboard.visits import VISITS
from tests.support.installation.dashboard import anonymous_client, signed_in_client
from tests.support.installation.http import ServedInstallation

REDIRECTS = {"/", "/manage/audit"}
# Pages that show a secret, or a form with one, also after a refused POST. A new page fails the test until it either
# allows compression or is listed.
UNCOMPRESSED = {
    "/sign-in",
    "/welcome",
    "/set-password",
    "/account",
    "/set-up",
    "/manage/keys",
    "/manage/keys/{id}/revoke",
    "/manage/users/{id}",
    "/manage/integrations",
    "/manage/integrations/{id}",
    "/manage/integrations/{id}/delete",
    "/live",  # an event stream
}


async def fetch(served: ServedInstallation, path: str, method: str = "GET", **headers: str) -> tuple[Any, bytes]:
    """Returns the headers and the body as sent, without decompressing it."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, served.root + path, headers=headers, allow_redirects=False) as response,
    ):
        assert response.status == 200, (path, response.status)
        return response.headers, await response.read()


def coding(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Encoding", "identity")


@pytest.mark.asyncio(loop_scope="session")
async def test_pages_without_secrets_are_compressed(populated: PopulatedInstallation) -> None:
    assert {page.path for page in PAGES if page.method == "GET" and not page.compress} == UNCOMPRESSED | REDIRECTS
    assert not any(page.compress for page in PAGES if page.method == "POST")
    cookie = f"er_session={populated.token}"
    for declared, example in VISITS.items():
        if declared in REDIRECTS:
            continue
        path = example.format(**populated.names)
        accepted = {"Cookie": cookie, "Accept-Encoding": "deflate, gzip, br"}
        headers, body = await fetch(populated.served, path, **accepted)
        assert coding(headers) == ("identity" if declared in UNCOMPRESSED else "gzip"), declared
        assert headers["Content-Length"] == str(len(body))
        if declared in UNCOMPRESSED:
            assert b"</html>" in body
            continue
        assert headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(body).rstrip().endswith(b"</html>")
        assert len(body) < len(gzip.decompress(body)) / 2
    for site in ("cross-site", "same-site"):
        headers, body = await fetch(
            populated.served, "/tickets", Cookie=cookie, **{"Accept-Encoding": "gzip", "Sec-Fetch-Site": site}
        )
        assert (coding(headers), headers["Vary"]) == ("identity", "Accept-Encoding")
        assert b"</html>" in body


@pytest.mark.asyncio(loop_scope="session")
async def test_clients_choose_the_coding(populated: PopulatedInstallation) -> None:
    served, cookie = populated.served, {"Cookie": f"er_session={populated.token}"}
    _, page = await fetch(served, "/manage/tags", **cookie, **{"Accept-Encoding": "identity"})
    stylesheet = page.decode().partition('rel="stylesheet" href="')[2].partition('"')[0]
    for path in ("/manage/tags", stylesheet, "/api/openapi.json", "/api/docs"):
        _, plain = await fetch(served, path, **cookie, **{"Accept-Encoding": "identity"})
        for accepted, expected in {
            "gzip": "gzip",
            "br;q=1, GZIP;q=0.5": "gzip",
            "*": "gzip",
            "gzip;q=0, *": "identity",
            "gzip; q=0.000": "identity",
            "deflate, br": "identity",
            "": "identity",
        }.items():
            headers, body = await fetch(served, path, **cookie, **{"Accept-Encoding": accepted})
            assert (coding(headers), headers["Vary"]) == (expected, "Accept-Encoding"), (path, accepted)
            decoded = gzip.decompress(body) if expected == "gzip" else body
            assert len(decoded) == len(plain), "equal except for random tokens"
            assert path == "/manage/tags" or decoded == plain
            head, nothing = await fetch(served, path, "HEAD", **cookie, **{"Accept-Encoding": accepted})
            assert (coding(head), nothing) == (expected, b"")
            assert path == "/manage/tags" or head["Content-Length"] == headers["Content-Length"]


@pytest.mark.asyncio(loop_scope="session")
async def test_event_streams_and_small_bodies_are_sent_as_they_are(populated: PopulatedInstallation) -> None:
    accepted = {"Cookie": f"er_session={populated.token}", "Accept-Encoding": "gzip"}
    url = f"{populated.served.root}/live"
    async with populated.served.session.get(url, headers=accepted) as stream:
        assert coding(stream.headers) == "identity"
        assert await stream.content.readline() == b"retry: 2000\n"
    headers, _ = await fetch(populated.served, "/api/auth/me", **accepted)
    assert (coding(headers), headers["Vary"]) == ("identity", "Accept-Encoding")
    headers, body = await fetch(populated.served, "/api/emails/tickets", **accepted)
    assert (coding(headers), headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(gzip.decompress(body)) >= compression.MIN_BYTES


async def test_answers_with_secrets_are_not_compressed(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also checks that the size is not the reason."""
    monkeypatch.setattr(compression, "MIN_BYTES", 0)
    monkeypatch.setattr(compression, "EXECUTOR_BYTES", 0)
    served = sqlite_served
    accepted = {"Accept-Encoding": "gzip"}
    user = {"email": "grace@example.org", "name": "Grace", "role": "agent"}
    created = await served.admin.post("/users", user, headers=accepted)
    assert coding(created.headers) == "gzip"
    secrets = {
        UserCreated: ("/users", {**user, "email": "alan@example.org", "invite": True}),
        PasswordLinkAnswer: (f"/users/{created.body['id']}/password-link", None),
        KeyCreated: ("/keys", {"name": "import", "userId": created.body["id"]}),
    }
    for answer, (path, body) in secrets.items():
        reply = await served.admin.post(path, body, headers=accepted)
        assert (reply.status // 100, coding(reply.headers), "Vary" in reply.headers) == (2, "identity", False), answer
    refused = await served.admin.post("/users", {"email": "nothing"}, headers=accepted)
    assert (refused.status, coding(refused.headers)) == (400, "identity")
    client = await signed_in_client(served)
    page = await client.post("/manage/keys", {"name": "import", "role": "viewer", "once": "1"}, headers=accepted)
    assert (page.status, coding(page.headers)) == (200, "identity")
    assert "er_" in page.text
    missing = await anonymous_client(served).get("/nothing", headers=accepted)
    assert (missing.status, coding(missing.headers)) == (404, "identity")
