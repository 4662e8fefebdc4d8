"""A query to one name server, for dnspython's resolver.

A query with EDNS (RFC 6891) is repeated without EDNS if the response is an error or cannot be decoded, or if no
response arrives over UDP. After a conclusive response without EDNS, the server is queried without EDNS for
`EDNS_RETRY_SECONDS`. A server that did not respond in time is unresponsive for `UNRESPONSIVE_SECONDS`. Responses are
decoded in bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.nameserver
import dns.rcode

EDNS_RETRY_SECONDS = 600.0  # then EDNS is tried again, in case the server was replaced
UNRESPONSIVE_SECONDS = 30.0  # then the server is queried in its turn again
MAX_RECORDS = 200  # per response, including questions
MAX_READS = 6_000  # slices of a response (docs/decisions/0020-dns-answers.md)
_MAX_DATAGRAMS = 16  # per request; limits the work in a flood of forged responses
_CONCLUSIVE_RCODES = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)  # the rcodes that state whether records exist


class MalformedResponse(dns.exception.FormError):
    """The response cannot be decoded. dnspython then ignores the server for the rest of the query."""


class TooManyRecords(dns.exception.FormError):
    """The response has more than `MAX_RECORDS` records."""


class NameServer(dns.nameserver.Do53Nameserver):
    """A name server that is queried without EDNS if it does not support EDNS."""

    _edns_disabled_until = 0.0
    _unresponsive_until = 0.0

    @property
    def skips_edns(self) -> bool:
        return time.monotonic() < self._edns_disabled_until

    @property
    def is_unresponsive(self) -> bool:
        return time.monotonic() < self._unresponsive_until

    async def async_query(
        self, request: dns.message.QueryMessage, timeout: float, *_: Any, **options: Any
    ) -> dns.message.Message:
        """See `dns.nameserver.Nameserver`. dnspython sets `max_size` after `Truncated`: the query then uses TCP."""
        use_tcp = bool(options["max_size"])
        request_without_edns = copy.copy(request)
        request_without_edns.use_edns(False)
        edns_response: dns.message.Message | None = None
        try:
            async with asyncio.timeout(timeout):
                if not self.skips_edns:
                    with contextlib.suppress(dns.exception.FormError):
                        edns_response = await self._send([request, request_without_edns], timeout, use_tcp=use_tcp)
                        if edns_response.rcode() in _CONCLUSIVE_RCODES:
                            return edns_response
                return await self._send([request_without_edns], timeout, use_tcp=use_tcp)
        except (OSError, EOFError, dns.exception.FormError) as error:
            if edns_response is not None:
                return edns_response
            if isinstance(error, TimeoutError):
                self._unresponsive_until = time.monotonic() + UNRESPONSIVE_SECONDS
                raise dns.exception.Timeout from None  # after an OSError, dnspython would not retry this server
            raise

    async def _send(
        self, requests: Sequence[dns.message.Message], timeout: float, *, use_tcp: bool
    ) -> dns.message.Message:
        response = await (self._query_tcp(requests[0]) if use_tcp else self._query_udp(requests, timeout))
        if response.edns < 0 and response.rcode() in _CONCLUSIVE_RCODES and not self.skips_edns:
            # A server that supports EDNS answers an OPT record with one (RFC 6891 section 6.1.1). A query without an
            # OPT record is answered here only after one with it has failed.
            self._edns_disabled_until = time.monotonic() + EDNS_RETRY_SECONDS
        if response.flags & dns.flags.TC:
            raise dns.message.Truncated
        return response

    async def _query_udp(self, requests: Sequence[dns.message.Message], timeout: float) -> dns.message.Message:
        """Sends the requests one after another until a valid response arrives.

        All requests must have the same ID, so that a late response to an earlier request is accepted too.
        """
        loop = asyncio.get_running_loop()
        with socket.socket(dns.inet.af_for_address(self.address), socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((self.address, self.port))
            for request in requests:
                await loop.sock_sendall(sock, request.to_wire())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(timeout / len(requests)):
                        for _ in range(_MAX_DATAGRAMS):
                            response = decode_response(await loop.sock_recv(sock, 65_535), request)
                            if response is not None:
                                return response
        raise TimeoutError

    async def _query_tcp(self, request: dns.message.Message) -> dns.message.Message:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(request.to_wire(prepend_length=True))
            length = int.from_bytes(await reader.readexactly(2), "big")
            response = decode_response(await reader.readexactly(length), request)
        finally:
            writer.transport.abort()
        if response is None:
            raise MalformedResponse
        return response


def decode_response(wire: bytes, request: dns.message.Message) -> dns.message.Message | None:
    """Decodes a response; from a truncated response, returns the part that was received.

    Returns None for a message that does not match the request (RFC 5452 section 9.1).

    Raises:
        MalformedResponse: The response cannot be decoded within the limits.
        TooManyRecords: The response has more than `MAX_RECORDS` records.
    """
    if len(wire) < 12 or int.from_bytes(wire[:2], "big") != request.id or not wire[2] & 0x80:
        return None
    if sum(struct.unpack_from("!4H", wire, 4)) > MAX_RECORDS:
        raise TooManyRecords
    try:
        response = dns.message.from_wire(_ReadLimitedBytes(wire), raise_on_truncation=True)
    except dns.message.Truncated as truncated:
        response = truncated.kwargs["message"]
    except Exception as error:  # not only `FormError`: for example `UnknownTSIGKey`
        raise MalformedResponse from error
    return response if request.is_response(response) else None


class _ReadLimitedBytes(bytes):
    """A message that can be sliced at most `MAX_READS` times.

    dnspython slices each label, pointer, string and number. Without the limit, decoding a crafted record would block
    the event loop for 330 ms or longer (docs/decisions/0020-dns-answers.md).
    """

    _reads = 0

    def __getitem__(self, key: Any) -> Any:
        self._reads += 1
        if self._reads > MAX_READS:
            raise MalformedResponse
        return super().__getitem__(key)
