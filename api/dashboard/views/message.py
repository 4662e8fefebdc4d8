"""The parts of a message that a ticket's page omits: HTML, the full text and the quoted text."""

from __future__ import annotations

import base64
import re
from html import escape, unescape

from aiohttp import web

from api.dashboard.page import PageRoute, Visit
from api.dashboard.page_headers import set_message_headers
from router.admin.tickets.conversation import MessageView
from router.errors import Refused, not_found_error

# Limits of the attached images in a frame. The images are data URIs, because the sandboxed frame sends no cookie.
MAX_IMAGES = 20
MAX_IMAGE_BYTES = 2_000_000
# Maximum characters of the data URIs in a frame, because the HTML may show the same image thousands of times.
MAX_FRAME_IMAGE_LENGTH = 8_000_000
# Limits the images in a frame, because reading an image reads the whole message.
MAX_READ_BYTES = 60_000_000
_CID_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")cid:([^"]{1,300})(")', re.IGNORECASE)
# Raster images only; SVG can contain scripts.
_IMAGE_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_FRAME_HTML = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Message</title><base target="_blank">'
    '<meta name="color-scheme" content="light">'
    "<style>body{{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:12px;overflow-wrap:anywhere}}"
    "img{{max-width:100%;height:auto}}table{{max-width:100%}}</style></head><body>{}</body></html>"
)


async def show_html(visit: Visit) -> web.Response:
    view = await _get_message(visit)
    if not view.contents.html:
        raise not_found_error("HTML")
    html = await _embed_images(visit, view)
    response = web.Response(text=_FRAME_HTML.format(html), content_type="text/html")
    set_message_headers(response)
    return response


async def show_text(visit: Visit) -> web.Response:
    contents = (await _get_message(visit)).contents
    return _text_response(contents.text + (f"\n\n{contents.quoted}" if contents.quoted else ""))


async def show_quoted_text(visit: Visit) -> web.Response:
    return _text_response((await _get_message(visit)).contents.quoted)


def _text_response(text: str) -> web.Response:
    response = web.Response(text=text, content_type="text/plain")
    set_message_headers(response)
    return response


async def _get_message(visit: Visit) -> MessageView:
    return await visit.services.tickets.get_message(visit.actor, visit.path_params["id"], visit.path_params["message"])


async def _embed_images(visit: Visit, view: MessageView) -> str:
    """Returns the HTML with attached images embedded as data URIs.

    Other images that `_CID_IMAGE` matches have an empty `src`.
    """
    by_cid = {
        attachment.content_id.strip("<>"): attachment
        for attachment in view.contents.attachments
        if attachment.content_id and attachment.content_type.lower() in _IMAGE_TYPES
    }
    bytes_left, data_uris = MAX_IMAGE_BYTES, dict[str, str]()
    max_images = min(MAX_IMAGES, max(1, MAX_READ_BYTES // max(1, view.message.size)))
    for content_id in dict.fromkeys(unescape(match[2]) for match in _CID_IMAGE.finditer(view.contents.html)):
        attachment = by_cid.get(content_id)
        if attachment is None or attachment.size > bytes_left or len(data_uris) >= max_images:
            continue
        try:
            image = await visit.services.messages.get_attachment(visit.actor, view.message.id, attachment.n)
        except Refused:
            continue  # the original was erased by retention
        bytes_left -= len(image.data)
        data_uris[content_id] = f"data:{attachment.content_type.lower()};base64,{base64.b64encode(image.data).decode()}"
    characters_left = MAX_FRAME_IMAGE_LENGTH

    def embed(match: re.Match[str]) -> str:
        nonlocal characters_left
        uri = data_uris.get(unescape(match[2]), "")
        if len(uri) > characters_left:
            uri = ""
        characters_left -= len(uri)
        return f"{match[1]}{escape(uri)}{match[3]}"

    return _CID_IMAGE.sub(embed, view.contents.html)


PAGES = (
    PageRoute("GET", "/tickets/{id}/messages/{message}/html", show_html, "viewer", is_fragment=True),
    PageRoute("GET", "/tickets/{id}/messages/{message}/text", show_text, "viewer", is_fragment=True),
    PageRoute("GET", "/tickets/{id}/messages/{message}/quoted", show_quoted_text, "viewer", is_fragment=True),
)
