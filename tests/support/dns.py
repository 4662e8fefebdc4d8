"""A DNS stand-in: one server on 127.0.0.1, UDP and TCP on the same free port.

It answers with the records of `set`, and otherwise with NXDOMAIN or an empty answer, unless a test makes queries fail.
It records every query and never queries another server.
"""

import asyncio
import contextlib
import ipaddress
import struct
from dataclasses import dataclass
from typing import Literal, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

EdnsFailure = Literal["FORMERR", "NOTIMP", "SERVFAIL", "BADVERS", "SILENT"]
Failure = Literal["NXDOMAIN", "EMPTY", "SERVFAIL", "REFUSED", "TIMEOUT", "TRUNCATED"]

_IN = dns.rdataclass.IN
_RCODES = {
    "NXDOMAIN": dns.rcode.NXDOMAIN,
    "EMPTY": dns.rcode.NOERROR,
    "SERVFAIL": dns.rcode.SERVFAIL,
    "REFUSED": dns.rcode.REFUSED,
}
_MAX_CNAMES = 8
_TRIES_FOR_A_PORT = 20


@dataclass(frozen=True)
class _Question:
    message: dns.message.Message
    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    udp: bool


class DnsStandIn:
    """A DNS server for tests.

    Usage: `async with DnsStandIn() as server: server.set("example.org", "MX", "10 mx1.host.test.")`.
    """

    def __init__(self) -> None:
        self.queries: list[tuple[str, str]] = []  # (lower-case name without the trailing dot, upper-case type)
        self.port = 0
        self.edns_failure: EdnsFailure | None = None  # how queries with EDNS (RFC 6891) fail, if they do
        self.edns_queries = 0  # number of queries with EDNS
        self._zone: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rrset.RRset]] = {}
        self._failures: dict[tuple[dns.name.Name, dns.rdatatype.RdataType | None], Failure] = {}
        self._delays: dict[dns.name.Name, float] = {}
        self._query_received = asyncio.Condition()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """`127.0.0.1:port`, as in the setting `[dns] nameservers`."""
        return f"127.0.0.1:{self.port}"

    # --- start and stop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for left in reversed(range(_TRIES_FOR_A_PORT)):
            tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", 0)
            port = int(tcp.sockets[0].getsockname()[1])
            try:
                udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("127.0.0.1", port))
            except OSError:  # the port is in use for UDP: try another
                tcp.close()
                if not left:
                    raise
                continue
            self._tcp, self._udp, self.port = tcp, udp, port
            return

    async def stop(self) -> None:
        if self._tcp is not None and self._udp is not None:
            self._tcp.close()
            self._udp.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._tcp is not None:
            await self._tcp.wait_closed()

    # --- set up by tests

    def set(self, name: str, rdtype: str, *values: str, ttl: int = 1) -> None:
        """Sets the records of a name and type, or removes them if there are no values.

        Values have the zone-file format, but a TXT value is the text without quotes. An IP address as `name` stands for
        its reverse name.
        """
        kind = dns.rdatatype.from_text(rdtype)
        owner = _name(name)
        records = self._zone.setdefault(owner, {})
        records.pop(kind, None)
        if values:
            records[kind] = dns.rrset.from_rdata_list(owner, ttl, [_make_rdata(kind, value) for value in values])

    def remove(self, name: str) -> None:
        self._zone.pop(_name(name), None)

    def fail(self, name: str, failure: Failure, rdtype: str | None = None) -> None:
        """Makes queries for this name fail, of one type or of all types. TRUNCATED applies to UDP only."""
        self._failures[_name(name), dns.rdatatype.from_text(rdtype) if rdtype else None] = failure

    def delay(self, name: str, seconds: float) -> None:
        self._delays[_name(name)] = seconds

    def restore(self, name: str) -> None:
        owner = _name(name)
        self._delays.pop(owner, None)
        for key in [key for key in self._failures if key[0] == owner]:
            del self._failures[key]

    # --- for assertions in tests

    def query_count(self, name: str, rdtype: str) -> int:
        return self.queries.count((_name_text(_name(name)), rdtype.upper()))

    async def wait_for(self, name: str, rdtype: str, n: int = 1, *, timeout: float = 10) -> None:
        try:
            async with asyncio.timeout(timeout), self._query_received:
                await self._query_received.wait_for(lambda: self.query_count(name, rdtype) >= n)
        except TimeoutError:
            raise TimeoutError(
                f"DNS stand-in: waited {timeout} s for {n} queries {name} {rdtype}; received: {self.queries or 'none'}"
            ) from None

    # --- internals

    def handle_datagram(self, wire: bytes, address: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_udp(wire, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_udp(self, wire: bytes, address: tuple[str, int]) -> None:
        answer = await self._answer(wire, udp=True)
        if answer is not None and self._udp is not None and not self._udp.is_closing():
            self._udp.sendto(answer, address)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    answer = await self._answer(await reader.readexactly(length), udp=False)
                    if answer is not None:
                        writer.write(struct.pack("!H", len(answer)) + answer)
                        await writer.drain()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, wire: bytes, *, udp: bool) -> bytes | None:
        try:
            message = dns.message.from_wire(wire)
            asked = message.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        question = _Question(message, asked.name.canonicalize(), asked.rdtype, udp)
        self.queries.append((_name_text(question.name), dns.rdatatype.to_text(question.rdtype)))
        async with self._query_received:
            self._query_received.notify_all()
        if message.edns >= 0:
            self.edns_queries += 1
            if self.edns_failure is not None:
                return self._edns_failure_response(message, self.edns_failure)
        await asyncio.sleep(self._delays.get(question.name, 0))
        failure = self._failures.get((question.name, question.rdtype)) or self._failures.get((question.name, None))
        if failure == "TIMEOUT":
            return None
        response = self._response(question, failure)
        limit = (max(512, message.payload) if message.edns >= 0 else 512) if udp else 65535
        return response.to_wire(max_size=limit, prefer_truncation=True)

    def _edns_failure_response(self, message: dns.message.Message, how: EdnsFailure) -> bytes | None:
        """Simulates a server without EDNS, or one that rejects the query's EDNS version (BADVERS)."""
        if how == "SILENT":
            return None
        response = dns.message.make_response(message)
        if how == "BADVERS":
            response.use_edns(0)
        else:
            response.use_edns(-1)
        response.set_rcode(dns.rcode.from_text(how))
        return response.to_wire()

    def _response(self, question: _Question, failure: Failure | None) -> dns.message.Message:
        response = dns.message.make_response(question.message, recursion_available=True)
        if failure == "TRUNCATED" and question.udp:
            response.flags |= dns.flags.TC
        elif failure is not None and failure != "TRUNCATED":
            response.set_rcode(_RCODES[failure])
        else:
            self._add_records(response, question.name, question.rdtype)
        return response

    def _add_records(self, response: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
        for _ in range(_MAX_CNAMES):
            records = self._zone.get(name)
            if not records:
                # A name with names below it exists, even without records (RFC 8020), so it is not NXDOMAIN.
                if not any(known.is_subdomain(name) for known, sets in self._zone.items() if sets):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return
            if rdtype in records:
                response.answer.append(records[rdtype])
                return
            alias = records.get(dns.rdatatype.CNAME)
            if alias is None:
                return
            response.answer.append(alias)
            name = alias[0].target.canonicalize()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsStandIn) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.handle_datagram(data, addr)


def _name(name: str) -> dns.name.Name:
    with contextlib.suppress(ValueError):
        return dns.reversename.from_address(str(ipaddress.ip_address(name)))
    return dns.name.from_text(name).canonicalize()


def _name_text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _make_rdata(kind: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    if kind == dns.rdatatype.TXT:
        data = value.encode()
        strings = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
        wire = b"".join(bytes([len(string)]) + string for string in strings)
        return dns.rdata.from_wire(_IN, kind, wire, 0, len(wire))
    return dns.rdata.from_text(_IN, kind, value, origin=dns.name.root, relativize=False)
