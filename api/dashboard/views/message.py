"""The parts of a message that a ticket's page omits: HTML, full text and quoted text. Checks its sender again."""

from __future__ import annotations

from aiohttp import web

from api.dashboard import message_frame
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.page_headers import set_message_headers
from api.dashboard.views.ticket import ticket_path
from router.admin.tickets.conversation import MessageView
from router.errors import Refused, not_found_error

# Limits of the attached images in a frame. The images are data URIs, because a frame with an opaque origin sends no
# cookie with which it could request them.
MAX_IMAGES = 20
MAX_IMAGE_BYTES = 6_000_000
# Limits the images in a frame, because reading an image reads the whole message.
MAX_READ_BYTES = 60_000_000


async def show_html(visit: Visit) -> web.Response:
    """Shows the HTML. With `fit=yes` it is shown in a frame of the page, with `pictures=yes` it loads remote images."""
    view = await _get_message(visit)
    if not view.contents.html:
        raise not_found_error("HTML")
    loads_images = visit.query.get("pictures") == "yes"
    is_framed = visit.query.get("fit") == "yes"
    document = message_frame.build_document(
        view.contents.html,
        await _read_images(visit, view),
        remote=loads_images,
        own_host=visit.request.host,
        is_page=not is_framed,
    )
    response = web.Response(text=document, content_type="text/html")
    set_message_headers(response, is_framed=is_framed, loads_images=loads_images)
    return response


async def show_text(visit: Visit) -> web.Response:
    contents = (await _get_message(visit)).contents
    return _text_response(contents.text + (f"\n\n{contents.quoted}" if contents.quoted else ""))


async def show_quoted_text(visit: Visit) -> web.Response:
    return _text_response((await _get_message(visit)).contents.quoted)


async def recheck(visit: Visit) -> Redirect:
    message = await visit.services.sender_checks.recheck(visit.actor, visit.path_params["message"])
    return Redirect(f"{ticket_path(visit)}#{message.id}", "recheck-queued")


def _text_response(text: str) -> web.Response:
    response = web.Response(text=text, content_type="text/plain")
    set_message_headers(response)
    return response


async def _get_message(visit: Visit) -> MessageView:
    return await visit.services.tickets.get_message(visit.actor, visit.path_params["id"], visit.path_params["message"])


async def _read_images(visit: Visit, view: MessageView) -> dict[str, str]:
    """Returns the data URIs of the attached images that the HTML shows, by content id."""
    by_id = {each.content_id.strip("<>"): each for each in view.contents.attachments if each.content_id}
    bytes_left, data_uris = MAX_IMAGE_BYTES, dict[str, str]()
    reads_left = min(MAX_IMAGES, max(1, MAX_READ_BYTES // max(1, view.message.size)))
    for content_id in message_frame.embedded_ids(view.contents.html):
        attachment = by_id.get(content_id)
        if attachment is None or attachment.size > bytes_left or not reads_left:
            continue
        reads_left -= 1
        try:
            data = (await visit.services.messages.get_attachment(visit.actor, view.message.id, attachment.n)).data
        except Refused:
            continue  # the original was erased by retention
        if content_type := message_frame.image_type(data):
            bytes_left -= len(data)
            data_uris[content_id] = message_frame.data_uri(data, content_type)
    return data_uris


FLASH_MESSAGES = {"recheck-queued": "The sender is being checked again."}
PAGES = (
    PageRoute("GET", "/tickets/{id}/messages/{message}/html", show_html, "viewer", is_fragment=True, compress=True),
    PageRoute("GET", "/tickets/{id}/messages/{message}/text", show_text, "viewer", is_fragment=True, compress=True),
    PageRoute(
        "GET", "/tickets/{id}/messages/{message}/quoted", show_quoted_text, "viewer", is_fragment=True, compress=True
    ),
    PageRoute("POST", "/tickets/{id}/messages/{message}/recheck", recheck, "agent"),
)
