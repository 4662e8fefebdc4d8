"""The HTML of a message in its frame: images within limits, security headers, and the links to its other forms."""

import base64
import re
from collections.abc import Sequence
from html import unescape

import pytest

from api.dashboard import message_frame
from api.dashboard.views import message as message_view
from tests.support import mails
from tests.support.installation.dashboard import FormClient, PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def message_with_images(*kinds: str, data: Sequence[bytes] = ()) -> bytes:
    shown = "".join(f'<img alt="a > b" src="cid:{n}@c.test">' for n in range(len(kinds) + 1))
    parts = "".join(
        f"--b\r\nContent-Type: {kind}\r\nContent-ID: <{n}@c.test>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.b64encode(content).decode()}\r\n"
        for n, (kind, content) in enumerate(zip(kinds, data or [PNG] * len(kinds), strict=True))
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
        served, await signed_in_client(served, "viewer"), message_with_images("image/png", "image/gif", data=[PNG, SVG])
    )
    sources = re.findall(r'src="([^"]*)"', response.text)
    assert sources == [f"data:image/png;base64,{base64.b64encode(PNG).decode()}"]
    assert response.text.count('<span class="er-image">a &gt; b</span>') == 2
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
    monkeypatch.setattr(message_frame, "MAX_DATA_URI_LENGTH", 3 * uri + 1)
    response = await get_frame(sqlite_served, await signed_in_client(sqlite_served, "viewer"), content)
    assert response.text.count("data:image/png") == 3
    assert response.text.count("<img") == 3


NEWSLETTER = (
    '<body bgcolor="#eeeeee"><table bgcolor="#ffffff"><tr><td><img src="https://pictures.test/logo.png" alt="Mill">'
    '<img src="https://pictures.test/read" width="1" height="1"><img src="http://127.0.0.1:9/sign-out" alt="Own">'
    "<p>Which colour?</p></td></tr></table></body>"
)


async def test_forms_of_a_message(sqlite_served: ServedInstallation) -> None:
    """A newsletter is shown as HTML, a conversation as text. Each form links to the other, and keeps the query."""
    served = sqlite_served
    await served.create_alias()
    client = await signed_in_client(served, "viewer")
    ticket = await served.accept_ticket(mails.html(markup=NEWSLETTER))
    page = await client.get(f"/tickets/{ticket}?list=mine")
    message = re.findall(r"/messages/(msg_\w+)/html", page.text)[0]
    path = f"/tickets/{ticket}/messages/{message}/html"
    assert f'src="{path}?fit=yes" sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"' in page.text
    for label, query in (("Show text", f"view=text&message={message}"), ("Show pictures", f"pictures={message}")):
        link = unescape(re.findall(f'<a href="([^"]+)">{label}</a>', page.text)[0])
        assert link == f"/tickets/{ticket}?list=mine&{query}#{message}"
    text = await client.get(f"/tickets/{ticket}?view=text&message={message}")
    assert ("<iframe" in text.text, "Which colour?" in text.text) == (False, True)
    assert "<iframe" in (await client.get(f"/tickets/{ticket}?view=text&message=msg_1&quoted=msg_1")).text
    pictures = await client.get(f"/tickets/{ticket}?pictures={message}")
    assert f'src="{path}?fit=yes&amp;pictures=yes"' in pictures.text
    assert "Show pictures" not in pictures.text

    frame = await client.get(f"{path}?fit=yes")
    assert "pictures.test" not in frame.text
    policy = frame.headers["Content-Security-Policy"].split("; ")
    assert policy[:2] == ["sandbox allow-popups allow-popups-to-escape-sandbox allow-same-origin", "img-src data:"]
    assert "style-src 'unsafe-inline'" in policy
    loaded = await client.get(f"{path}?fit=yes&pictures=yes")
    assert re.findall(r'<img [^>]*src="([^"]*)"', loaded.text) == ["https://pictures.test/logo.png"]
    assert "; img-src data: https: http:; " in loaded.headers["Content-Security-Policy"]
    assert "script" not in loaded.headers["Content-Security-Policy"]
    assert loaded.headers["Referrer-Policy"] == "no-referrer"

    talk = await served.accept_ticket(mails.html(markup="<p style='color:#123'>Hello <b>you</b></p>", text="Hello you"))
    page = await client.get(f"/tickets/{talk}")
    assert ("<iframe" in page.text, page.visible_text.count("Show HTML")) == (False, 1)


async def test_pictures_do_not_open_pages(sqlite_served: ServedInstallation) -> None:
    """A server redirects a picture of a mail to the page of a ticket: the ticket stays unread."""
    await sqlite_served.create_alias()
    client = await signed_in_client(sqlite_served, "viewer")
    sqlite_served.clock.advance(60)
    ticket = await sqlite_served.accept_ticket()
    picture = await client.get(f"/tickets/{ticket}", headers={"Sec-Fetch-Dest": "image"})
    assert (picture.status, 'class="unread' in (await client.get("/tickets")).text) == (403, True)
    opened = await client.get(f"/tickets/{ticket}", headers={"Sec-Fetch-Dest": "document"})
    assert (opened.status, 'class="unread' in (await client.get("/tickets")).text) == (200, False)
