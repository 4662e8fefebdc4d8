"""An HTTP client that sends requests to URLs chosen by users, protected against SSRF.

- It connects only to public addresses, unless `allow_private` is set. Each address is checked when its socket is
  opened, so DNS cannot change it between check and use.
- It follows no redirects, uses no proxy or credentials from the environment, stores no cookies, and never retries.
- Every call ends within its timeout, including name resolution.
- Errors and logs never contain the path or query of a URL, which can be secret.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from router.model import Micros
from router.outbound.addresses import non_public_reason
from router.outbound.lookup import SystemResolver
from router.outbound.recorder import RecordingConnector, parse_head, receive_buffer

USER_AGENT = "EmailRouter"
MAX_BODY_BYTES = 64 * 1024
# The time limit for reading the body of a 2xx response. The request has succeeded, and the integration stays leased
# while the body is read.
_BODY_SECONDS = 1.0
_URL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
# Common X509_V_ERR_* codes.
_CERTIFICATE_ERRORS = {
    10: "it has expired",
    18: "it is self-signed",
    19: "its issuer is not trusted",
    20: "its issuer is not trusted",
}
_HOSTNAME_MISMATCH, _IP_MISMATCH = 62, 64
_SOCKET_ERRORS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
}

# The addresses refused in this call. Happy Eyeballs opens sockets in separate tasks, which share the list.
_refused_addresses: ContextVar[list[str] | None] = ContextVar("refused_addresses", default=None)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response whose status line was received, even if the rest is malformed or incomplete.

    Attributes:
        headers: The first value of each field, by lower-case name; at most Retry-After if the header is malformed.
        excerpt: The start of the received body as text, with spaces instead of control characters.
        body: The received body, at most `MAX_BODY_BYTES`.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    excerpt: str = ""
    latency_us: Micros = 0
    body: bytes = field(default=b"", repr=False)


class OutboundError(Exception):
    """The call failed before a status line was received. `reason` is shown to users and contains no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ForbiddenAddressError(OutboundError):
    """The connection failed, and at least one address of the host was refused as non-public."""


class OutboundClient:
    """Sends requests through one `aiohttp` session.

    Args:
        timeout: The default time limit of a call in seconds.
        answer_excerpt: The maximum number of body bytes in `HttpResponse.excerpt`.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout: float = 10.0,
        answer_excerpt: int = 1024,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._excerpt_limit = answer_excerpt
        self._ssl = ssl_context
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float | None = None,
    ) -> HttpResponse:
        """Sends one request, and returns the response whatever its status.

        Args:
            timeout: The time limit of the call in seconds; None for the client's default.

        Raises:
            OutboundError: The URL is invalid or forbidden, the client is closed, or no status line was received.
        """
        started = time.monotonic()
        seconds = self._timeout if timeout is None else timeout
        parsed_url = _parse_url(url)
        head: tuple[int, Mapping[str, str]] | None = None
        content = bytearray()
        received = bytearray()
        receive_buffer.set(received)
        refused: list[str] = []
        _refused_addresses.set(refused)
        try:
            async with (
                asyncio.timeout(seconds) as time_limit,
                self._get_session().request(
                    method, parsed_url, headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                head = response.status, _first_values(response.headers)
                await _read_body(response, content, time_limit)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            # ValueError and RuntimeError of the event loop are connection failures, too.
            head = head or parse_head(bytes(received))
            if head is None:
                raise _to_outbound_error(error, refused, bytes(received), parsed_url.host or "", seconds) from None
        status, response_headers = head
        return HttpResponse(
            status=status,
            headers=response_headers,
            excerpt=_to_printable(bytes(content[: self._excerpt_limit])),
            latency_us=round((time.monotonic() - started) * 1_000_000),
            body=bytes(content[:MAX_BODY_BYTES]),
        )

    async def close(self) -> None:
        """Closes all connections, which ends running calls. Later calls raise `OutboundError`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _get_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise OutboundError("the server is shutting down")
        if self._session is None:
            connector = RecordingConnector(
                limit=0,  # unlimited: with a queue, slow hosts would delay requests to others
                socket_factory=self._open_socket,
                ssl=self._ssl if self._ssl is not None else True,
                resolver=self._resolver or SystemResolver(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `request` has its own timeout
                trust_env=False,
                auto_decompress=False,  # a decompression bomb is not expanded
                headers={"Accept-Encoding": "identity", "User-Agent": USER_AGENT},
            )
        return self._session

    def _open_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """Opens a socket; raises PermissionError if the address is forbidden.

        aiohttp passes the resolved address of each connection attempt.
        """
        family, kind, protocol, _, socket_address = address
        if not self._allow_private:
            ip = str(socket_address[0])
            reason = non_public_reason(ip)
            if reason is not None:
                refused = _refused_addresses.get()
                if refused is not None:
                    refused.append(f"{ip} is {reason}")
                raise PermissionError(f"address {ip} is {reason}")
        return socket.socket(family=family, type=kind, proto=protocol)


async def _read_body(response: aiohttp.ClientResponse, content: bytearray, time_limit: asyncio.Timeout) -> None:
    """Appends the start of the body to `content`. If the body exceeds the limit, closes the connection."""
    if 200 <= response.status < 300:
        deadline = asyncio.get_running_loop().time() + _BODY_SECONDS
        time_limit.reschedule(min(time_limit.when() or deadline, deadline))
    while len(content) <= MAX_BODY_BYTES:
        chunk = await response.content.read(MAX_BODY_BYTES + 1 - len(content))
        if not chunk:
            return
        content += chunk
    response.close()


def _parse_url(url: str) -> URL:
    try:
        parsed_url = URL(url, encoded=True)  # encoded: yarl must not normalise the path of a webhook
    except ValueError:
        raise OutboundError("invalid URL") from None
    if parsed_url.scheme not in ("http", "https") or not parsed_url.raw_host or parsed_url.raw_host.startswith("."):
        raise OutboundError("invalid URL")
    if not _URL_CHARACTERS.fullmatch(f"{parsed_url.raw_host}{parsed_url.raw_path_qs}"):
        raise OutboundError("invalid URL")
    return parsed_url


def _to_outbound_error(
    error: Exception, refused: list[str], received: bytes, host: str, seconds: float
) -> OutboundError:
    if isinstance(error, TimeoutError):
        return OutboundError(f"timed out after {seconds:g} s")
    if received and not received.startswith(b"HTTP/"):  # a reset may arrive before aiohttp parses the data
        return OutboundError("the response is not valid HTTP")
    if isinstance(error, aiohttp.ClientConnectorError) and refused:
        return ForbiddenAddressError(f"address {refused[0]}; set [delivery] allow_private_networks to allow it")
    return OutboundError(describe_error(error, host))


def describe_error(error: Exception, host: str) -> str:
    """Describes the error for users. Some of aiohttp's own texts contain the whole URL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _describe_certificate_error(error.certificate_error, host)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _describe_certificate_error(error, host)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"cannot resolve host name {host}"
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"TLS handshake with {host} failed"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection closed without a response"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the response is not valid HTTP"
    if isinstance(error, aiohttp.InvalidURL):
        return "invalid URL"
    if isinstance(error, OSError):
        error_number = error.errno
        return (
            _SOCKET_ERRORS.get(error_number, os.strerror(error_number).lower())
            if error_number
            else f"cannot connect to {host}"
        )
    return f"connection failed ({type(error).__name__})"


def _describe_certificate_error(error: Exception, host: str) -> str:
    code = getattr(error, "verify_code", None)
    if code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
        return f"the certificate is not valid for {host}"
    return f"certificate verification failed for {host}: {_CERTIFICATE_ERRORS.get(code or 0, 'it is not trusted')}"


def _first_values(headers: Mapping[str, str]) -> dict[str, str]:
    first_values: dict[str, str] = {}
    for name, value in headers.items():
        first_values.setdefault(name.lower(), value)
    return first_values


def _to_printable(text: bytes) -> str:
    return _UNPRINTABLE.sub(" ", text.decode("utf-8", "replace")).strip()
