"""Records the first bytes of each response.

If a header field is malformed, aiohttp raises an exception without the received status, which the record contains.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

_MAX_RECORDED = 16_384  # bytes, including interim responses
_STATUS_LINE = re.compile(rb"^HTTP/\d\.\d[ \t]+(\d{3})(?=[ \t\r\n])", re.MULTILINE)
_RETRY_AFTER = re.compile(rb"^retry-after:([^\r\n]{1,64})", re.MULTILINE | re.IGNORECASE)
_SWITCHING_PROTOCOLS = 101  # treated as final: no final HTTP response is expected after it

receive_buffer: ContextVar[bytearray | None] = ContextVar("receive_buffer", default=None)


class RecordingConnector(aiohttp.TCPConnector):
    """Records the first bytes that each connection receives, in the current `receive_buffer`.

    `_factory` is private to aiohttp, so tests/integration/outbound check its use.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(force_close=True, **options)
        handler: type[ResponseHandler] = _RecordingHandler
        self._factory = functools.partial(handler, loop=self._loop)


class _RecordingHandler(ResponseHandler):
    def __init__(self, loop: Any) -> None:
        super().__init__(loop)
        self._recorded = receive_buffer.get()

    def data_received(self, data: bytes) -> None:
        if self._recorded is not None:
            self._recorded += data[: _MAX_RECORDED - len(self._recorded)]
        super().data_received(data)


def parse_head(received: bytes) -> tuple[int, Mapping[str, str]] | None:
    """Parses the status and Retry-After of the final response; returns None if no final status was received."""
    status_line = _STATUS_LINE.match(received, len(received) - len(received.lstrip(b"\r\n")))
    while status_line is not None:
        status = int(status_line[1])
        if status == _SWITCHING_PROTOCOLS or not 100 <= status < 200:
            retry_after = _RETRY_AFTER.search(received, status_line.end())
            return status, {"retry-after": retry_after[1].decode("latin-1").strip()} if retry_after else {}
        status_line = _STATUS_LINE.search(received, status_line.end())
    return None
