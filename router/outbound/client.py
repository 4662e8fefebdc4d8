"""The guarded HTTP client: one POST of JSON to an address that a user chose.

It promises: no socket to an address that is not public (checked on the address of each socket, as it is opened, so
that no answer of the DNS can change between check and use); no redirect followed; no proxy or password taken from
the environment; no cookie kept; no more than `answer_excerpt` bytes of a body read; every call ends within its
timeout, from the name's resolution to the last byte. Once the status line has come, the call returns an `Answer`,
whatever is wrong with the rest. It never tries again by itself, and never puts a URL's path or query, which are
secrets, into an error or a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from router.model import Micros
from router.outbound.addresses import refusal
from router.outbound.connection import Connection
from router.outbound.lookup import SystemLookup
from router.outbound.response import ResponseParser

_KEEP_IDLE = 10.0  # seconds; a burst of tickets shares one TLS handshake, an idle connection goes soon after
_BODY_PATIENCE = 1.0  # seconds for the body of a 2xx: it is only displayed, and the webhook's lease is held meanwhile
_NEXT_ADDRESS = 0.25  # seconds until the next address is tried beside a slow one (RFC 8305 section 8)
_PORTS = {"http": 80, "https": 443}
_TARGET = re.compile(r"[\x21-\x7e]+")
_NOT_TEXT = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
# X509_V_ERR_*: the ones that an administrator meets, in words.
_CERTIFICATE = {
    10: "it has expired",
    18: "it is self-signed",
    19: "its authority is not trusted",
    20: "its authority is not trusted",
}
_HOSTNAME_MISMATCH, _IP_MISMATCH = 62, 64
_FAULTS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
}

_Key = tuple[str, str, int]  # scheme, host, port
_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

# The addresses refused for the call that runs in this context; happy eyeballs opens sockets in tasks of its own,
# which share the list through their copied context.
_refused: ContextVar[list[str] | None] = ContextVar("refused_addresses", default=None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose status line came. status: HTTP; headers: those that could be read, names in lower case, the
    first of each name; excerpt: the start of the body, as far as it came, as one line of printable text; latency_us:
    from the call to its end, in microseconds.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    excerpt: str = ""
    latency_us: Micros = 0


class OutboundError(Exception):
    """No status line came; the text says why in words for people and holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressRefused(OutboundError):  # noqa: N818 - named for what happened, as `Refused` is
    """The URL leads to an address that is not public and private ones are not allowed: waiting does not help."""


class OutboundClient:
    """Connections behind the guard, kept for a short while.

    allow_private: `[delivery] allow_private_networks`. timeout: seconds, where a call gives none. answer_excerpt:
    bytes of a body that are read. ssl_context, resolver: for tests; the system's trust and resolver otherwise.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout: float = 10.0,
        answer_excerpt: int = 1024,
        user_agent: str = "EmailRouter",
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._excerpt_limit = answer_excerpt
        self._user_agent = user_agent
        self._ssl = ssl_context
        self._resolver = resolver
        self._lookups: dict[tuple[str, int], asyncio.Task[list[ResolveResult]]] = {}
        self._open: dict[Connection, _Key] = {}
        self._idle: dict[_Key, list[Connection]] = {}
        self._closed = False

    async def post_json(self, url: str, payload: Mapping[str, Any], timeout: float | None = None) -> Answer:
        """POST `payload` (UTF-8 JSON) to `url` within `timeout` seconds; any status is an `Answer`.

        Raises `OutboundError` for everything else, as `AddressRefused` where the guard said no.
        """
        if self._closed:
            raise OutboundError("the program is stopping")
        started = time.monotonic()
        target = _target(url)
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        parser = ResponseParser(self._excerpt_limit)
        reason = await self._within(self._timeout if timeout is None else timeout, target, body, parser)
        parser.feed_eof()
        if parser.status is None:
            raise OutboundError(reason)
        return Answer(
            status=parser.status,
            headers=parser.headers,
            excerpt=_printable(bytes(parser.excerpt)),
            latency_us=round((time.monotonic() - started) * 1_000_000),
        )

    async def close(self) -> None:
        """Close every connection; calls under way fail, later ones raise `OutboundError`."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abort()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    async def _within(self, seconds: float, target: URL, body: bytes, parser: ResponseParser) -> str:
        """Why no status line came, where none did."""
        refused: list[str] = []
        _refused.set(refused)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._post(target, body, parser)
        except (OSError, ValueError, RuntimeError) as error:  # uvloop raises RuntimeError for some addresses
            if limit.expired():
                return f"timed out after {seconds:g} s"
            if refused:
                raise AddressRefused(
                    f"address {refused[0]}: set [delivery] allow_private_networks to allow it"
                ) from None
            return _words(error, target.host or "")

    async def _post(self, target: URL, body: bytes, parser: ResponseParser) -> str:
        host, port = str(target.raw_host), int(target.port or _PORTS[target.scheme])
        key = (target.scheme, host, port)
        idle = [connection for connection in self._idle.get(key, ()) if connection.alive]
        connection = idle[-1] if idle else await self._connect(key)
        self._forget_idle(connection)
        await connection.exchange(self._request(target, body), parser, _BODY_PATIENCE)
        if parser.reusable and connection.alive and not self._closed:
            self._idle.setdefault(key, []).append(connection)
            connection.keep(_KEEP_IDLE)
        if parser.started:
            return "the answer is not HTTP"
        return _words(connection.fault, host) if connection.fault else "connection closed without an answer"

    def _request(self, target: URL, body: bytes) -> bytes:
        host = f"[{target.raw_host}]" if ":" in str(target.raw_host) else str(target.raw_host)
        lines = (
            f"POST {target.raw_path_qs} HTTP/1.1",
            f"Host: {host}" if target.is_default_port() else f"Host: {host}:{target.port}",
            f"User-Agent: {self._user_agent}",
            "Accept: */*",
            "Accept-Encoding: identity",  # a bomb stays the size it came in
            "Content-Type: application/json; charset=utf-8",
            f"Content-Length: {len(body)}",
        )
        return "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n" + body

    async def _connect(self, key: _Key) -> Connection:
        scheme, host, port = key
        tls = self._trust() if scheme == "https" else None
        loop = asyncio.get_running_loop()
        where = await self._addresses(host, port)
        opened = await aiohappyeyeballs.start_connection(
            where, happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop, socket_factory=self._socket
        )
        _, connection = await loop.create_connection(
            lambda: Connection(self._lost),
            sock=opened,
            ssl=tls,
            server_hostname=None if tls is None else host.rstrip("."),
        )
        self._open[connection] = key
        if self._closed:
            connection.abort()
        return connection

    def _trust(self) -> ssl.SSLContext:
        if self._ssl is None:
            self._ssl = ssl.create_default_context()
            self._ssl.set_alpn_protocols(["http/1.1"])
        return self._ssl

    async def _addresses(self, host: str, port: int) -> list[_AddressInfo]:
        """What the host's name stands for now. Calls to one host share a lookup: each costs a thread."""
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return [_address_info(host, port)]
        lookup = self._lookups.get((host, port))
        if lookup is None:
            if self._resolver is None:
                self._resolver = SystemLookup()
            lookup = asyncio.get_running_loop().create_task(self._resolver.resolve(host, port, socket.AF_UNSPEC))
            self._lookups[host, port] = lookup
            lookup.add_done_callback(lambda done: self._looked_up((host, port), done))
        try:
            found = await asyncio.shield(lookup)
        except TimeoutError:
            raise
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise OutboundError(f"host name {host} cannot be resolved")
        return [_address_info(address["host"], port) for address in found]

    def _looked_up(self, key: tuple[str, int], done: asyncio.Task[list[ResolveResult]]) -> None:
        self._lookups.pop(key, None)
        if not done.cancelled():
            done.exception()  # nobody may wait for it any more; a failure is no error of the program

    def _lost(self, connection: Connection) -> None:
        self._forget_idle(connection)
        self._open.pop(connection, None)

    def _forget_idle(self, connection: Connection) -> None:
        key = self._open.get(connection)
        idle = self._idle.get(key, []) if key is not None else []
        if key is not None and connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[key]

    def _socket(self, address: _AddressInfo) -> socket.socket:
        """The guard: called with the final address of every connection, right before it is made."""
        family, kind, protocol, _, where = address
        if not self._allow_private:
            ip = str(where[0])
            what = refusal(ip)
            if what is not None:
                refused = _refused.get()
                if refused is not None:
                    refused.append(f"{ip} is {what}")
                raise PermissionError(f"address {ip} is {what}")
        return socket.socket(family=family, type=kind, proto=protocol)


def _address_info(host: str, port: int) -> _AddressInfo:
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def _target(url: str) -> URL:
    try:
        target = URL(url, encoded=True)  # as it was given: a webhook's path is not ours to tidy
        host = target.raw_host
    except ValueError:
        raise OutboundError("the URL is not valid") from None
    if target.scheme not in _PORTS or not host or host.startswith("."):
        raise OutboundError("the URL is not valid")
    if not _TARGET.fullmatch(f"{host}{target.raw_path_qs}"):
        raise OutboundError("the URL is not valid")
    return target


def _words(error: Exception, host: str) -> str:
    """What went wrong, for people. Only the host is named: the path is a secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_words(error, host)
    if isinstance(error, ssl.SSLError):
        return f"TLS with {host} failed"
    if isinstance(error, OSError):
        number = error.errno
        return _FAULTS.get(number, os.strerror(number).lower()) if number else f"no connection to {host}"
    return f"connection failed ({type(error).__name__})"


def _certificate_words(error: Exception, host: str) -> str:
    code = getattr(error, "verify_code", None)
    if code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
        return f"certificate is not valid for {host}"
    return f"certificate of {host} is not accepted: {_CERTIFICATE.get(code or 0, 'it cannot be verified')}"


def _printable(text: bytes) -> str:
    return _NOT_TEXT.sub(" ", text.decode("utf-8", "replace")).strip()
