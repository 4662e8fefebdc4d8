"""The parts of a mail that a ticket's page leaves out: its own HTML, for a frame, its text in full, what it quotes."""

from __future__ import annotations

import base64
import re
from html import escape, unescape

from aiohttp import web

from api.dashboard.page import Page, Visit
from api.dashboard.page_headers import set_message_headers
from router.admin.tickets.conversation import MessageView
from router.errors import Refused, not_found

# Images that a mail brings with it are written into the frame: it has no cookie to ask for them with.
MOST_IMAGES = 20
MOST_IMAGE_OCTETS = 2_000_000
# Characters of all pictures in one frame: the HTML may show the same picture thousands of times.
MAX_FRAME_IMAGES = 8_000_000
# The whole mail is read for each of them: twenty of a mail of 30 MB would take seconds.
MOST_READ_OCTETS = 60_000_000
_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")cid:([^"]{1,300})(")', re.IGNORECASE)
# What browsers draw without running anything. Not SVG.
_DRAWN = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_FRAME = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Message</title><base target="_blank">'
    '<meta name="color-scheme" content="light">'
    "<style>body{{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:12px;overflow-wrap:anywhere}}"
    "img{{max-width:100%;height:auto}}table{{max-width:100%}}</style></head><body>{}</body></html>"
)


async def formatted(visit: Visit) -> web.Response:
    """The sanitised HTML by itself."""
    mail = await _mail(visit)
    if not mail.contents.html:
        raise not_found("HTML")
    html = await _with_images(visit, mail)
    response = web.Response(text=_FRAME.format(html), content_type="text/html")
    set_message_headers(response)
    return response


async def plain(visit: Visit) -> web.Response:
    """All of the text, new and quoted."""
    contents = (await _mail(visit)).contents
    return _text(contents.text + (f"\n\n{contents.quoted}" if contents.quoted else ""))


async def quoted(visit: Visit) -> web.Response:
    """What was split off from the new text."""
    return _text((await _mail(visit)).contents.quoted)


def _text(text: str) -> web.Response:
    response = web.Response(text=text, content_type="text/plain")
    set_message_headers(response)
    return response


async def _mail(visit: Visit) -> MessageView:
    return await visit.services.tickets.get_message(visit.actor, visit.ids["id"], visit.ids["message"])


async def _with_images(visit: Visit, mail: MessageView) -> str:
    """The HTML with the mail's own pictures in their places, as many as there is room for."""
    by_cid = {
        attachment.content_id.strip("<>"): attachment
        for attachment in mail.contents.attachments
        if attachment.content_id and attachment.content_type.lower() in _DRAWN
    }
    room, data = MOST_IMAGE_OCTETS, dict[str, str]()
    most = min(MOST_IMAGES, max(1, MOST_READ_OCTETS // max(1, mail.message.size)))
    for wanted in dict.fromkeys(unescape(match[2]) for match in _IMAGE.finditer(mail.contents.html)):
        attachment = by_cid.get(wanted)
        if attachment is None or attachment.size > room or len(data) >= most:
            continue
        try:
            found = await visit.services.messages.get_attachment(visit.actor, mail.message.id, attachment.n)
        except Refused:
            continue  # its octets were erased: the text is still there
        room -= len(found.data)
        data[wanted] = f"data:{attachment.content_type.lower()};base64,{base64.b64encode(found.data).decode()}"
    left = MAX_FRAME_IMAGES

    def shown(match: re.Match[str]) -> str:
        nonlocal left
        uri = data.get(unescape(match[2]), "")
        if len(uri) > left:
            uri = ""
        left -= len(uri)
        return f"{match[1]}{escape(uri)}{match[3]}"

    return _IMAGE.sub(shown, mail.contents.html)


PAGES = (
    Page("GET", "/tickets/{id}/messages/{message}/html", formatted, "viewer", part=True),
    Page("GET", "/tickets/{id}/messages/{message}/text", plain, "viewer", part=True),
    Page("GET", "/tickets/{id}/messages/{message}/quoted", quoted, "viewer", part=True),
)
