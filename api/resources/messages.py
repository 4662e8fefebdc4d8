"""API calls for messages: search, original message, attachments and trace.

Content is returned only as a download, never for display in the browser.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from aiohttp import web

from api.route import Call, Route
from api.schema.messages import (
    MessageList,
    MessageRow,
    MessageSearchParameters,
    RawParameters,
    RecheckAnswer,
    TraceAnswer,
)
from api.schema.shape import EmptyBody, NoQuery
from router.errors import not_found_error

# Maximum time in which a client must read one chunk.
WRITE_SECONDS = 60
_CHUNK_BYTES = 256 * 1024


async def find(call: Call[EmptyBody, MessageSearchParameters]) -> MessageList:
    messages = await call.services.messages.find(call.actor, call.query.q)
    return MessageList(messages=[MessageRow.from_model(message) for message in messages])


async def download_raw(call: Call[EmptyBody, RawParameters]) -> web.StreamResponse:
    """Streams the added header fields and then the original message in its stored chunks."""
    mail = await call.services.messages.get_raw(call.actor, call.ids["id"], original=call.query.original)
    response = _download(f"{mail.message.id}.eml", "message/rfc822", mail.size)
    await response.prepare(call.request)
    if call.request.method != "HEAD":
        await _write(response, mail.added_fields)
        async for chunk in mail.chunks:
            await _write(response, chunk)
    await response.write_eof()
    return response


async def download_attachment(call: Call[EmptyBody, NoQuery]) -> web.StreamResponse:
    """Sends every attachment as `application/octet-stream`, regardless of its own media type."""
    n = call.ids["n"]
    if not (n.isascii() and n.isdigit() and len(n) <= 6):
        raise not_found_error("Attachment")
    attachment = await call.services.messages.get_attachment(call.actor, call.ids["id"], int(n))
    response = _download(attachment.attachment.filename, "application/octet-stream", len(attachment.data))
    await response.prepare(call.request)
    for start in range(0, len(attachment.data) if call.request.method != "HEAD" else 0, _CHUNK_BYTES):
        await _write(response, attachment.data[start : start + _CHUNK_BYTES])
    await response.write_eof()
    return response


async def show_trace(call: Call[EmptyBody, NoQuery]) -> TraceAnswer:
    return TraceAnswer.from_model(await call.services.messages.get_trace(call.actor, call.ids["id"]))


async def recheck(call: Call[EmptyBody, NoQuery]) -> RecheckAnswer:
    return RecheckAnswer.from_model(await call.services.sender_checks.recheck(call.actor, call.ids["id"]))


def _download(filename: str, content_type: str, size: int) -> web.StreamResponse:
    ascii_name = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in filename)[:100]
    encoded_name = quote(filename.encode("utf-8", "replace"), safe="")
    return web.StreamResponse(
        headers={
            "Content-Type": content_type,
            "Content-Length": str(size),
            "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded_name}",
            "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        }
    )


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)


ROUTES = (
    Route(
        "GET",
        "/emails/messages",
        "searchMessages",
        find,
        "Find messages",
        "viewer",
        MessageList,
        query=MessageSearchParameters,
    ),
    Route(
        "GET",
        "/emails/messages/{id}/raw",
        "downloadMessage",
        download_raw,
        "Download the original message",
        "viewer",
        query=RawParameters,
        media="message/rfc822",
    ),
    Route(
        "GET",
        "/emails/messages/{id}/attachments/{n}",
        "downloadAttachment",
        download_attachment,
        "Download an attachment",
        "viewer",
        media="application/octet-stream",
    ),
    Route(
        "GET",
        "/emails/messages/{id}/trace",
        "getMessageTrace",
        show_trace,
        "Get the trace of a message",
        "viewer",
        TraceAnswer,
    ),
    Route(
        "POST",
        "/emails/messages/{id}/recheck",
        "recheckMessage",
        recheck,
        "Check the sender of a message again",
        "agent",
        RecheckAnswer,
        status=202,
        errors=("conflict",),
    ),
)
