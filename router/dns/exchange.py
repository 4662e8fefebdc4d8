"""One question to one name server, for dnspython's resolver.

It guarantees: a server that does not understand EDNS (RFC 6891: it answers with an error, or not at all) is asked
without it, for `WITHOUT_EDNS` seconds at once. A reply is decoded in bounded time, whatever its bytes are, and one that
cannot be decoded raises `dns.exception.FormError`, which makes dnspython ask the next server.
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

EDNS_RETRY_SECONDS = 600.0  # seconds; one question in ten minutes finds out whether the server was replaced
MAX_RECORDS = 200  # of a message, questions included; a domain has a handful, a large apex some 100 TXT records
MAX_READS = 6_000  # slices of a message that are taken to decode it; 200 MX records with long names take 5,000
_MAX_DATAGRAMS = 16  # read for each UDP request; more are a flood of forged replies
_CONCLUSIVE_RCODES = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)  # the rcodes that say whether there are records


class MalformedResponse(dns.exception.FormError):
    """The reply cannot be decoded, or takes too long to."""


class TooManyRecords(dns.exception.FormError):
    """The reply has more than `MAX_RECORDS` records."""


class NameServer(dns.nameserver.Do53Nameserver):
    """address: an IP address."""

    _edns_disabled_until = 0.0

    @property
    def skips_edns(self) -> bool:
        """Whether it is asked without EDNS, because it did not understand it."""
        return time.monotonic() < self._edns_disabled_until

    async def async_query(
        self, request: dns.message.QueryMessage, timeout: float, *_: Any, **options: Any
    ) -> dns.message.Message:
        """See `dns.nameserver.Nameserver`. Over TCP if `max_size`, as dnspython's resolver asks after `Truncated`."""
        use_tcp = bool(options["max_size"])
        request_without_edns = copy.copy(request)
        request_without_edns.use_edns(False)
        error_response: dns.message.Message | None = None
        try:
            async with asyncio.timeout(timeout):
                if not self.skips_edns:
                    with contextlib.suppress(dns.exception.FormError):
                        error_response = await self._send([request, request_without_edns], timeout, use_tcp=use_tcp)
                        if error_response.rcode() in _CONCLUSIVE_RCODES:
                            return error_response
                return await self._send([request_without_edns], timeout, use_tcp=use_tcp)
        except (OSError, EOFError, dns.exception.FormError) as error:
            if error_response is not None:
                return error_response
            if isinstance(error, TimeoutError):  # an OSError, for which dnspython would not ask this server again
                raise dns.exception.Timeout from None
            raise

    async def _send(
        self, requests: Sequence[dns.message.Message], timeout: float, *, use_tcp: bool
    ) -> dns.message.Message:
        response = await (self._query_tcp(requests[0]) if use_tcp else self._query_udp(requests, timeout))
        if response.edns < 0 and response.rcode() in _CONCLUSIVE_RCODES and not self.skips_edns:
            # Without an OPT record in its response a server does not understand EDNS (RFC 6891 section 7).
            self._edns_disabled_until = time.monotonic() + EDNS_RETRY_SECONDS
        if response.flags & dns.flags.TC:
            raise dns.message.Truncated
        return response

    async def _query_udp(self, requests: Sequence[dns.message.Message], timeout: float) -> dns.message.Message:
        """The second request helps against loss too; the reply to either is taken. Both have the same id."""
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
    """The response, as far as it goes if truncated; None for a message that answers something else (RFC 5452 9.1).

    Raises `TooManyRecords` or `Unreadable`.
    """
    if len(wire) < 12 or int.from_bytes(wire[:2], "big") != request.id or not wire[2] & 0x80:
        return None
    if sum(struct.unpack_from("!4H", wire, 4)) > MAX_RECORDS:
        raise TooManyRecords
    try:
        response = dns.message.from_wire(_ReadLimitedBytes(wire), raise_on_truncation=True)
    except dns.message.Truncated as truncated:
        response = truncated.kwargs["message"]
    except Exception as error:  # dnspython raises ValueError, KeyError and others too, according to the record type
        raise MalformedResponse from error
    return response if request.is_response(response) else None


class _ReadLimitedBytes(bytes):
    """A message that can be sliced `MAX_READS` times.

    dnspython takes each label, pointer, string and number as a slice. One record of 60 kB can consist of 60,000 names
    or strings, which took up to 330 ms of the event loop.
    """

    _reads = 0

    def __getitem__(self, key: Any) -> Any:
        self._reads += 1
        if self._reads > MAX_READS:
            raise MalformedResponse
        return super().__getitem__(key)
