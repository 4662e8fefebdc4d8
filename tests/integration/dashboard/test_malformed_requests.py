"""Malformed and unusual requests cause no internal error."""

import asyncio
import re

import pytest

from api.dashboard.views import PAGES
from router.admin import paging
from tests.support.installation.dashboard import anonymous_client, signed_in_client
from tests.support.installation.http import ServedInstallation


async def send_raw_request(served: ServedInstallation, *lines: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(*served.server.address)
    head = [*lines, f"Host: {served.root.removeprefix('http://')}", "Accept: text/html", "Connection: close"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode("utf-8", "replace")
    writer.close()
    return int(answer.split(" ", 2)[1]), answer


@pytest.mark.parametrize("address", ["http://[", "http://[::1", "null", "", "//", "http://"])
async def test_malformed_origin_is_rejected(sqlite_served: ServedInstallation, address: str) -> None:
    client = await signed_in_client(sqlite_served, "viewer")
    refused = await client.post("/account/password", headers={"Origin": address})
    assert (refused.status, "Cross-site request rejected" in refused.visible_text) == (403, True)
    out = await anonymous_client(sqlite_served).post("/account/password", headers={"Referer": address})
    assert (out.status, out.location) == (303, "/sign-in?next=%2F")


@pytest.mark.parametrize("line", ["OPTIONS * HTTP/1.1", "CONNECT mail.test:443 HTTP/1.1", "GET // HTTP/1.1"])
async def test_request_without_path_is_not_found(sqlite_served: ServedInstallation, line: str) -> None:
    status, answer = await send_raw_request(sqlite_served, line)
    assert (status, "Page not found" in answer) == (404, True)


async def test_session_id_can_be_any_text(served: ServedInstallation) -> None:
    client = await signed_in_client(served, "viewer")
    for name in ("%00", "a%00b", "%F0%9F%92%A9", "_" * 32, "0" * 5000):
        assert (await client.post(f"/account/sessions/{name}/end")).status == 404, name


async def test_unstorable_text_never_reaches_the_database(served: ServedInstallation) -> None:
    client = await signed_in_client(served)
    for page in (page for page in PAGES if page.method == "GET" and page.role is not None and not page.media):
        path = re.sub(r"{[a-z]+}", "a%00", page.path)
        response = await client.get(f"{path}?cursor={paging.encode_cursor(chr(0))}")
        assert response.status in (200, 303, 400, 404), (path, response.visible_text)
        if path != page.path:
            assert response.status == 404, path


@pytest.mark.parametrize("path", ["/sign-in", "/static/app.css", "/tickets", "/api/health"])
async def test_unknown_expectation_is_rejected(sqlite_served: ServedInstallation, path: str) -> None:
    status, answer = await send_raw_request(sqlite_served, f"GET {path} HTTP/1.1", "Expect: wonders")
    assert (status, "Expect must be 100-continue" in answer) == (400, True)
