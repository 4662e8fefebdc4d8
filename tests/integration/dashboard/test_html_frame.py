"""The HTML of a message in its frame: attached images within limits, and security headers."""

import base64
import re

import pytest

from api.dashboard.views import message as message_view
from tests.support.installation.dashboard import FormClient, PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def message_with_images(*kinds: str) -> bytes:
    shown = "".join(f'<img alt="a > b" src="cid:{n}@c.test">' for n in range(len(kinds) + 1))
    parts = "".join(
        f"--b\r\nContent-Type: {kind}\r\nContent-ID: <{n}@c.test>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.b64encode(PNG).decode()}\r\n"
        for n, kind in enumerate(kinds)
    )
    return (
        "From: ada@customer.test\r\nTo: support@example.org\r\nSubject: Pictures\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/related; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/html\r\n\r\n<p>See:</p>{shown}\r\n{parts}--b--\r\n"
    ).encode()


async def get_frame(served: ServedInstallation, client: FormClient, content: bytes) -> PageResponse:
    ticket = await served.accept_ticket(content)
    message = (await served.services.tickets.get(served.actor, ticket)).messages[0].message
    return await client.get(f"/tickets/{ticket}/messages/{message.id}/html")


async def test_images_are_those_of_the_message(served: ServedInstallation) -> None:
    await served.create_alias()
    response = await get_frame(
        served, await signed_in_client(served, "viewer"), message_with_images("image/png", "image/svg+xml", "IMAGE/GIF")
    )
    sources = re.findall(r'src="([^"]*)"', response.text)
    data = base64.b64encode(PNG).decode()
    assert sources == [f"data:image/png;base64,{data}", "", f"data:image/gif;base64,{data}", ""]
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "sandbox allow-popups allow-popups-to-escape-sandbox"
    assert {"default-src 'none'", "img-src data:", "form-action 'none'", "frame-ancestors 'self'"} < set(policy)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_large_message_limits_embedded_images(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_served.create_alias()
    client, content = await signed_in_client(sqlite_served, "viewer"), message_with_images(*["image/png"] * 9)
    for most_read, shown in ((100 * len(content), 9), (4 * len(content) + 1, 4), (1, 1)):
        monkeypatch.setattr(message_view, "MAX_READ_BYTES", most_read)
        response = await get_frame(sqlite_served, client, content)
        assert response.text.count("data:image/png") == shown


async def test_repeated_image_is_bounded(sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    await sqlite_served.create_alias()
    shown = b'<img alt="a > b" src="cid:0@c.test">'
    content = message_with_images("image/png").replace(shown, shown * 50)
    uri = len(f"data:image/png;base64,{base64.b64encode(PNG).decode()}")
    monkeypatch.setattr(message_view, "MAX_FRAME_IMAGE_LENGTH", 3 * uri + 1)
    response = await get_frame(sqlite_served, await signed_in_client(sqlite_served, "viewer"), content)
    assert response.text.count("data:image/png") == 3
    assert response.text.count("<img") == 51
