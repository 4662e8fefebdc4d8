"""Receives the `multipart/form-data` of a call: a JSON body and files, which are stored as uploads on arrival."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from api import multipart
from api.route import FileForm
from router.admin.replies.uploads import UploadService
from router.errors import Refused
from router.model import Actor, Upload


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """A form without its boundaries.

    Attributes:
        body: The content of the part with the JSON body.
        digest: Identifies the content: equal forms have the same digest, also with other boundaries.
    """

    body: bytes
    uploads: tuple[Upload, ...]
    digest: bytes


async def receive(
    request: web.Request, form: FileForm, service: UploadService, actor: Actor, *, max_text: int
) -> ReceivedForm:
    """Receives a form. If it is refused or interrupted, its files are deleted.

    Args:
        max_text: Maximum bytes of the JSON body.
    """
    stored: list[Upload] = []
    digest = hashlib.sha256()

    async def store(filename: str, content_type: str, chunks: AsyncIterator[bytes]) -> Upload:
        if len(stored) == form.max_files:
            raise Refused("invalid_request", f"The form must have at most {form.max_files} files", "file")
        content = hashlib.sha256()

        async def read() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                content.update(chunk)
                yield chunk

        upload = await service.add(actor, filename, content_type, read(), expected=request.content_length)
        stored.append(upload)
        digest.update(repr((filename, content_type, content.hexdigest())).encode("utf-8", "replace"))
        return upload

    try:
        fields, _ = await multipart.read_form(request, store, max_text=max_text, max_total=service.max_bytes + max_text)
        body = _find_body(fields, form)
        digest.update(b"\0" + body)
        if not stored and not form.body_part:
            raise Refused("invalid_request", "The form must have a part file", "file")
    except BaseException:
        await service.delete_many(actor, stored)
        raise
    return ReceivedForm(body, tuple(stored), digest.digest())


def _find_body(fields: list[tuple[str, str]], form: FileForm) -> bytes:
    unknown = [name for name, _ in fields if name != form.body_part]
    if unknown:
        expected = f"{form.body_part} and file" if form.body_part else "file"
        raise Refused("invalid_request", f"{unknown[0][:50]} is not a part of the form: it has {expected}")
    if not form.body_part:
        return b""
    if len(fields) != 1:
        raise Refused("invalid_request", f"The form must have exactly one part {form.body_part}", form.body_part)
    return fields[0][1].encode()
