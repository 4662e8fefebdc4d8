"""DNS queries that return failures as values.

A query ends within `lifetime` seconds plus at most 2 seconds of dnspython's backoff, and never raises for DNS or
network failures. A missing record and a failed query are different results: only a missing record must be fixed by the
owner of the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename
import structlog

from router.dns.answers import AnswerFault, DnsAnswer, RecordType
from router.dns.exchange import TooManyRecords
from router.dns.servers import POLL_SECONDS, RESOLV_CONF, NameServers

_log = structlog.get_logger()

_MAX_VALUES = 50  # records in a result
_MAX_TXT_LENGTH = 1000
# Bytes of a TXT record in a `DnsAnswer`. The key record of an RSA key of 16,384 bits has 2,800; RFC 7208 section 3.4
# advises 450 for SPF records. A record of this length was cut: readers must reject it.
MAX_TXT_BYTES = 4096
MAX_NAME_LENGTH = 253  # characters without the trailing dot: 255 bytes in DNS (RFC 1035 section 2.3.4)
# Bytes. A larger UDP response could be fragmented (DNS flag day 2020), so it is sent over TCP.
_UDP_PAYLOAD = 1232

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class DnsRecords(Generic[V]):
    """The records of one type that a name has.

    Attributes:
        alias: The target of a CNAME, or "".
        ttl: The minimum TTL of the answer in seconds, 0 if unknown.
    """

    values: tuple[V, ...]
    alias: str = ""
    ttl: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NoDnsRecord:
    """The name has no such record; `alias` is the target of a CNAME, or "".

    Attributes:
        is_name_missing: Whether the name does not exist (NXDOMAIN).
    """

    alias: str = ""
    is_name_missing: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class DnsFailure:
    """The query failed, so it is unknown whether the record exists. `reason` is shown to users."""

    reason: str
    fault: AnswerFault = field(default="malformed", compare=False)


@dataclass(frozen=True, slots=True, order=True)
class MxRecord:
    """An MX record. `host` is in lower case without trailing dot, "" for a null MX (RFC 7505)."""

    preference: int
    host: str


class RecordResolver(Protocol):
    """The queries that domain verification needs."""

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        """Queries the MX records of a name, sorted by preference."""
        ...

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        """Queries the TXT records of a name. The strings of each record are joined."""
        ...

    @property
    def alternates(self) -> Sequence[RecordResolver]:
        """A resolver for each configured name server except the first."""
        ...


class DnsResolver:
    """Queries through dnspython's resolver.

    Args:
        nameservers: (IP address, port) pairs; if empty, the servers in `resolv_conf` are used.
        timeout: The time limit in seconds of each attempt at one server.
        lifetime: The time limit in seconds of a query, over all servers and attempts.
        poll_seconds: The minimum time between two checks of `resolv_conf`.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        *,
        timeout: float = 2.0,
        lifetime: float = 5.0,
        resolv_conf: Path = RESOLV_CONF,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.servers = NameServers(nameservers, path=resolv_conf, poll_seconds=poll_seconds)
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._resolver.use_edns(0, 0, _UDP_PAYLOAD)
        self.alternates: tuple[DnsResolver, ...] = tuple(
            DnsResolver([server], timeout=timeout, lifetime=lifetime) for server in list(nameservers)[1:]
        )

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        """Queries the records of a name, which is taken literally: `\\` is no escape, and U-labels are not converted.

        All records are returned, at most `router.dns.exchange.MAX_RECORDS`. A name that DNS cannot contain does not
        exist: the answer is `no_domain`, without a query.
        """
        absolute = _literal_name(name)
        if absolute is None:
            return DnsAnswer("no_domain")
        answer = await self._query_name(absolute, dns.rdatatype.from_text(record_type))
        match answer:
            case DnsFailure():
                return DnsAnswer("failed", fault=answer.fault)
            case NoDnsRecord():
                return DnsAnswer("no_domain" if answer.is_name_missing else "no_data")
        return DnsAnswer("found", tuple(sorted(map(_record_text, answer))), ttl=_minimum_ttl(answer))

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        answer = await self._query(name, dns.rdatatype.MX)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        values = sorted(MxRecord(record.preference, _host_text(record.exchange)) for record in answer)
        return DnsRecords(tuple(values[:_MAX_VALUES]), _cname_target(answer), _minimum_ttl(answer))

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        answer = await self._query(name, dns.rdatatype.TXT)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        values = (b"".join(record.strings).decode("utf-8", "replace")[:_MAX_TXT_LENGTH] for record in answer)
        return DnsRecords(tuple(sorted(values)[:_MAX_VALUES]), _cname_target(answer), _minimum_ttl(answer))

    async def resolve(self, name: str, record_type: str, /) -> tuple[str, ...]:
        """Returns the records of a type (`A`, `PTR`, ...) as text; empty if there are none or the query fails."""
        answer = await self._query_texts(name, dns.rdatatype.from_text(record_type))
        return answer.values if isinstance(answer, DnsRecords) else ()

    async def query_addresses(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        """Queries the IPv4 and IPv6 addresses of a host. A failure is returned only if no address is found."""
        answers = [await self._query_texts(name, record_type) for record_type in (dns.rdatatype.A, dns.rdatatype.AAAA)]
        values = tuple(value for answer in answers if isinstance(answer, DnsRecords) for value in answer.values)
        if values:
            return DnsRecords(values[:_MAX_VALUES])
        return next((answer for answer in answers if isinstance(answer, DnsFailure)), answers[0])

    async def query_names(self, address: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        """Queries the host names of an IP address (PTR), in lower case without trailing dot."""
        answer = await self._query_texts(dns.reversename.from_address(address).to_text(), dns.rdatatype.PTR)
        if isinstance(answer, DnsRecords):
            return DnsRecords(tuple(value.rstrip(".").lower() for value in answer.values))
        return answer

    async def query_tlsa(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        """Queries the TLSA records of a name such as `_25._tcp.mx.example.com`, in zone file format."""
        return await self._query_texts(name, dns.rdatatype.TLSA)

    async def _query_texts(
        self, name: str, record_type: dns.rdatatype.RdataType
    ) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        answer = await self._query(name, record_type)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        return DnsRecords(
            tuple(sorted(record.to_text() for record in answer)[:_MAX_VALUES]),
            _cname_target(answer),
            _minimum_ttl(answer),
        )

    async def _query(
        self, name: str, record_type: dns.rdatatype.RdataType
    ) -> dns.resolver.Answer | NoDnsRecord | DnsFailure:
        try:
            absolute = dns.name.from_text(name, origin=dns.name.root)
        except (dns.exception.DNSException, ValueError):
            return DnsFailure("it is not a valid DNS name")
        return await self._query_name(absolute, record_type)

    async def _query_name(
        self, name: dns.name.Name, record_type: dns.rdatatype.RdataType
    ) -> dns.resolver.Answer | NoDnsRecord | DnsFailure:
        self._resolver.nameservers = self.servers.current_servers()
        try:
            answer = await self._resolver.resolve(name, record_type, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return NoDnsRecord(is_name_missing=True)
        except dns.resolver.YXDOMAIN:
            return DnsFailure("the name servers returned an error (YXDOMAIN)", "refused")
        except (dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout) as error:
            return self._failure(error)
        except Exception as error:  # noqa: BLE001 - DNS failures must not stop the caller
            _log.exception("dns.internal_error", record_type=dns.rdatatype.to_text(record_type))
            return DnsFailure(f"the DNS query failed ({type(error).__name__})")
        return answer if answer.rrset is not None else NoDnsRecord(alias=_cname_target(answer))

    def _failure(self, error: dns.exception.DNSException) -> DnsFailure:
        attempts = [(tcp, cause) for _, tcp, _, cause, _ in error.kwargs["errors"]]
        rcodes = sorted({cause for _, cause in attempts if isinstance(cause, str)})
        if rcodes:
            return DnsFailure(f"the name servers returned an error ({', '.join(rcodes)})", "refused")
        if self.servers.has_no_usable_server:
            return DnsFailure(f"{self.servers.path} contains no usable name server: set [dns] nameservers", "timeout")
        if any(tcp and isinstance(cause, OSError | EOFError | dns.exception.Timeout) for tcp, cause in attempts):
            return DnsFailure(
                "the response is too large for UDP, and the name servers do not respond over TCP", "timeout"
            )
        if isinstance(error, dns.resolver.LifetimeTimeout):
            return DnsFailure(f"no name server responded within {self._resolver.lifetime:g} s", "timeout")
        if any(isinstance(cause, TooManyRecords) for _, cause in attempts):
            return DnsFailure("the response contains too many records", "malformed")
        if all(isinstance(cause, OSError) for _, cause in attempts):
            return DnsFailure("the name servers cannot be reached", "timeout")
        return DnsFailure("the name servers returned a malformed response", "malformed")


def _literal_name(name: str) -> dns.name.Name | None:
    """Returns None for the root and for a name that DNS cannot contain."""
    text = name.removesuffix(".")
    if not text or len(text) > MAX_NAME_LENGTH:
        return None
    try:
        return dns.name.Name([*text.encode("ascii").split(b"."), b""])
    except (UnicodeEncodeError, dns.exception.DNSException):
        return None


def _record_text(record: Any) -> str:
    """Returns a record as the text that `DnsAnswer.values` describes."""
    match record.rdtype:
        case dns.rdatatype.TXT:
            return b"".join(record.strings)[:MAX_TXT_BYTES].decode("latin-1")
        case dns.rdatatype.MX:
            return f"{record.preference} {_host_text(record.exchange)}"
        case dns.rdatatype.PTR:
            return _host_text(record.target)
    return str(record.address)


def _host_text(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True) if name != dns.name.root else ""


def _minimum_ttl(answer: dns.resolver.Answer) -> int:
    return int(answer.chaining_result.minimum_ttl)


def _cname_target(answer: dns.resolver.Answer) -> str:
    canonical = _host_text(answer.canonical_name)
    return "" if canonical == _host_text(answer.qname) else canonical
