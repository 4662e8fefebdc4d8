"""Reads `multipart/form-data` (RFC 7578): text fields into memory, and files in chunks, which are stored on arrival.

At most one chunk of a file is in memory. The limits hold for the bytes that are read, not for those that are declared.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import aiohttp
from aiohttp import BodyPartReader, hdrs, web

from api import body
from api.middleware.time_limit import UPLOAD_STEP, restart_limit
from router.errors import Refused

MEDIA_TYPE = "multipart/form-data"
MAX_FIELDS = 200
MAX_FILES = 20
MAX_OVERHEAD = 64 * 1024  # bytes of boundaries and header fields of the parts
CHUNK_BYTES = 64 * 1024

File = TypeVar("File")
# Stores a file: its name, its declared content type and its chunks.
StoreFile = Callable[[str, str, AsyncIterator[bytes]], Awaitable[File]]


async def read_form(
    request: web.Request, store: StoreFile[File], *, max_text: int, max_total: int
) -> tuple[list[tuple[str, str]], list[File]]:
    """Returns the text fields as (name, value) pairs, and what `store` has returned for each file.

    An empty file without a name is what browsers send if no file was selected; it is skipped.

    Args:
        max_text: Maximum bytes of all text fields.
        max_total: Maximum bytes of all parts.

    Raises:
        Refused: the form is malformed, too large, or has too many fields or files.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("unsupported_media_type", "Content-Encoding is not supported: send the request body unencoded")
    declared = request.content_length
    if declared is not None and declared > max_total + MAX_OVERHEAD:
        raise _too_large_error(max_total)
    await body.send_continue(request)
    reader = _FormReader(request, store, max_text, max_total)
    with _refuse_malformed():
        parts = await request.multipart()
    while True:
        with _refuse_malformed():
            part = await parts.next()
        if part is None:
            return reader.fields, reader.files
        if not isinstance(part, BodyPartReader):
            raise Refused("invalid_request", "The parts of the form must not be nested")
        await reader.read_part(part)


@contextmanager
def _refuse_malformed() -> Iterator[None]:
    """Refuses the form after an error of aiohttp's parser, which raises these for malformed input.

    Its warnings about header fields are errors only if the interpreter makes them errors.
    """
    try:
        yield
    except (ValueError, AssertionError, aiohttp.http.HttpProcessingError, RuntimeWarning):
        raise Refused("invalid_request", "The form data is malformed") from None


class _FormReader(Generic[File]):
    def __init__(self, request: web.Request, store: StoreFile[File], max_text: int, max_total: int) -> None:
        self._request = request
        self.fields: list[tuple[str, str]] = []
        self.files: list[File] = []
        self._store = store
        self._max_total = max_total
        self._text_left, self._left = max_text, max_total
        self._unconfirmed = 0  # bytes since the time limit started

    async def read_part(self, part: BodyPartReader) -> None:
        with _refuse_malformed():
            name, filename = part.name, part.filename
        if part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary").lower() not in ("binary", "8bit", "7bit"):
            raise Refused("invalid_request", "The parts of the form must not have a Content-Transfer-Encoding")
        if name is None:
            raise Refused("invalid_request", "Each part of the form must have a name")
        if filename is None:
            await self._read_field(part, name)
        else:
            await self._read_file(part, filename)

    async def _read_field(self, part: BodyPartReader, name: str) -> None:
        if len(self.fields) == MAX_FIELDS:
            raise Refused("invalid_request", f"The form must have at most {MAX_FIELDS} fields")
        content = bytearray()
        async for chunk in self._chunks(part):
            self._text_left -= len(chunk)
            if self._text_left < 0:
                raise _too_large_error(self._max_total)
            content += chunk
        with _refuse_malformed():
            self.fields.append((name, content.decode()))

    async def _read_file(self, part: BodyPartReader, filename: str) -> None:
        chunks = self._chunks(part)
        if not filename:
            if await anext(chunks, b""):
                raise Refused("invalid_request", "Each file of the form must have a name")
            return
        if len(self.files) == MAX_FILES:
            raise Refused("invalid_request", f"The form must have at most {MAX_FILES} files")
        content_type = part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
        self.files.append(await self._store(filename, content_type, chunks))

    async def _chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while True:
            with _refuse_malformed():
                chunk = await part.read_chunk(CHUNK_BYTES)
            if not chunk:
                return
            self._left -= len(chunk)
            if self._left < 0:
                raise _too_large_error(self._max_total)
            self._unconfirmed += len(chunk)
            if self._unconfirmed >= UPLOAD_STEP:
                self._unconfirmed = 0
                restart_limit(self._request)
            yield chunk


def _too_large_error(limit: int) -> Refused:
    return Refused("payload_too_large", f"The form must be at most {limit} bytes")
