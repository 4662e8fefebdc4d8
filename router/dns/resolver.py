"""Questions to the DNS, with answers as values.

It promises: every question is over within `lifetime` seconds and one pause of dnspython's between two tries (2 s at
most), and never raises for anything the DNS or the net does; "there is no such record" and "nobody could tell" are
different values, since only the first is the domain owner's affair. Nothing is cached here (`router.dns.shared` does).
Names are taken as absolute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename
import structlog

from router.dns.exchange import TooManyRecords
from router.dns.servers import LOOK_EVERY, RESOLV_CONF, Servers

_log = structlog.get_logger()

_MOST_VALUES = 50  # of one answer; a domain has a handful
_MOST_TEXT = 1000  # characters of one TXT value
_UDP_PAYLOAD = 1232  # DNS flag day 2020: what passes everywhere unfragmented; larger answers come over TCP

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """There are records. alias: the name that a CNAME led to, "" without one. ttl: seconds they hold for."""

    values: tuple[V, ...]
    alias: str = ""
    ttl: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such record; alias as in `Found`."""

    alias: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could tell; reason in words for people. Trying again later may help."""

    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Mx:
    """One MX record; host in lower case without the final dot, "" for the null MX (RFC 7505)."""

    preference: int
    host: str


class Resolver(Protocol):
    """What verification asks."""

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        """The MX records, best preference first."""
        ...

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        """The TXT records, each with its strings joined."""
        ...

    @property
    def views(self) -> Sequence[Resolver]:
        """Where there are several name servers: each but the first, asked alone."""
        ...


class DnsResolver:
    """dnspython's resolver, with name servers of our own.

    nameservers: (IP address, port) pairs; none means the system's, those of the file `resolv_conf`, which is read
    again when it changes. timeout: seconds for one server; lifetime: seconds for a question, over all servers and
    tries.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        *,
        timeout: float = 2.0,
        lifetime: float = 5.0,
        resolv_conf: Path = RESOLV_CONF,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.servers = Servers(nameservers, path=resolv_conf, look_every=look_every)
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._resolver.use_edns(0, 0, _UDP_PAYLOAD)
        self.views: tuple[DnsResolver, ...] = tuple(
            DnsResolver([server], timeout=timeout, lifetime=lifetime) for server in list(nameservers)[1:]
        )

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        """See `Resolver.mx`."""
        answer = await self._ask(name, dns.rdatatype.MX)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        found = sorted(Mx(record.preference, _plain(record.exchange)) for record in answer)
        return Found(tuple(found[:_MOST_VALUES]), _alias(answer), _ttl(answer))

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        """See `Resolver.txt`."""
        answer = await self._ask(name, dns.rdatatype.TXT)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        values = (b"".join(record.strings).decode("utf-8", "replace")[:_MOST_TEXT] for record in answer)
        return Found(tuple(sorted(values)[:_MOST_VALUES]), _alias(answer), _ttl(answer))

    async def resolve(self, name: str, kind: str, /) -> tuple[str, ...]:
        """The values, as text, and none where there are none or the answer is unknown. kind: `A`, `PTR`, ..."""
        found = await self._texts(name, dns.rdatatype.from_text(kind))
        return found.values if isinstance(found, Found) else ()

    async def addresses(self, name: str) -> Found[str] | Missing | Unknown:
        """The IPv4 and IPv6 addresses of a host, as text; of answers that differ the one that says most."""
        answers = [await self._texts(name, kind) for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)]
        found = tuple(value for answer in answers if isinstance(answer, Found) for value in answer.values)
        if found:
            return Found(found[:_MOST_VALUES])
        return next((answer for answer in answers if isinstance(answer, Unknown)), answers[0])

    async def names(self, address: str) -> Found[str] | Missing | Unknown:
        """The host names of an IP address (PTR), in lower case without the final dot."""
        found = await self._texts(dns.reversename.from_address(address).to_text(), dns.rdatatype.PTR)
        if isinstance(found, Found):
            return Found(tuple(value.rstrip(".").lower() for value in found.values))
        return found

    async def tlsa(self, name: str) -> Found[str] | Missing | Unknown:
        """The TLSA records at a name (`_25._tcp.HOST`), as in a zone file."""
        return await self._texts(name, dns.rdatatype.TLSA)

    async def _texts(self, name: str, kind: dns.rdatatype.RdataType) -> Found[str] | Missing | Unknown:
        answer = await self._ask(name, kind)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        return Found(tuple(sorted(record.to_text() for record in answer)[:_MOST_VALUES]), _alias(answer), _ttl(answer))

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | Missing | Unknown:
        try:
            absolute = dns.name.from_text(name, origin=dns.name.root)
        except (dns.exception.DNSException, ValueError):
            return Unknown("it is not a valid DNS name")
        self._resolver.nameservers = self.servers.current()
        try:
            answer = await self._resolver.resolve(absolute, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Missing()
        except dns.resolver.YXDOMAIN:
            return Unknown("the name servers returned an error (YXDOMAIN)")
        except (dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout) as error:
            return Unknown(self._reason(error))
        except Exception as error:  # noqa: BLE001 - a fault here must not stop the caller
            _log.exception("dns.internal_error", record_type=dns.rdatatype.to_text(kind))
            return Unknown(f"the DNS query failed ({type(error).__name__})")
        return answer if answer.rrset is not None else Missing(alias=_alias(answer))

    def _reason(self, error: dns.exception.DNSException) -> str:
        """Why no server gave an answer. dnspython has listed the rcode or the exception of each attempt."""
        attempts = [(tcp, cause) for _, tcp, _, cause, _ in error.kwargs["errors"]]
        rcodes = sorted({cause for _, cause in attempts if isinstance(cause, str)})
        if rcodes:
            return f"the name servers returned an error ({', '.join(rcodes)})"
        if self.servers.none_named:
            return f"{self.servers.path} contains no usable name server: set [dns] nameservers"
        if any(tcp and isinstance(cause, OSError | EOFError | dns.exception.Timeout) for tcp, cause in attempts):
            return "the response is too large for UDP, and the name servers do not respond over TCP"
        if isinstance(error, dns.resolver.LifetimeTimeout):
            return f"no name server responded within {self._resolver.lifetime:g} s"
        if any(isinstance(cause, TooManyRecords) for _, cause in attempts):
            return "the response contains too many records"
        if all(isinstance(cause, OSError) for _, cause in attempts):
            return "the name servers cannot be reached"
        return "the name servers returned a malformed response"


def _plain(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True) if name != dns.name.root else ""


def _ttl(answer: dns.resolver.Answer) -> int:
    return int(answer.chaining_result.minimum_ttl)


def _alias(answer: dns.resolver.Answer) -> str:
    led_to = _plain(answer.canonical_name)
    return "" if led_to == _plain(answer.qname) else led_to
