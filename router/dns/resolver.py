"""Questions to the DNS, with answers as values.

It promises: every question is over within `lifetime` seconds and never raises for anything the DNS or the net does;
"there is no such record" and "nobody could tell" are different values, since only the first is the domain owner's
affair. Nothing is cached here (`router.dns.shared` does). Names are taken as absolute.

Called by `router.dns.verification` and `emailrouter.check`; made by the assembly from `[dns] nameservers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

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
    """There is no such record. name_exists: the name has records of other types; alias as in `Found`."""

    name_exists: bool
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
    """What verification asks. Who answers: `DnsResolver`."""

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


def plain_resolver(
    nameservers: Sequence[tuple[str, int]] = (), *, timeout: float = 2.0, lifetime: float = 5.0
) -> dns.asyncresolver.Resolver:
    """dnspython's own, as the settings want it, for whoever needs its raw answers (block lists).

    Raises `dns.resolver.NoResolverConfiguration` on a machine that names no servers.
    """
    resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in nameservers]
    resolver.timeout = timeout
    resolver.lifetime = lifetime
    return resolver


class DnsResolver:
    """dnspython behind the guard of one timeout.

    nameservers: (IP address, port) pairs; none means the system's (`/etc/resolv.conf`). timeout: seconds for one
    server; lifetime: seconds for a question, over all servers and tries.
    """

    def __init__(
        self, nameservers: Sequence[tuple[str, int]] = (), *, timeout: float = 2.0, lifetime: float = 5.0
    ) -> None:
        self._fault = ""
        try:
            self._resolver = plain_resolver(nameservers, timeout=timeout, lifetime=lifetime)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            self._fault = "this machine has no name servers: set [dns] nameservers"
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
        if self._fault:
            return Unknown(self._fault)
        try:
            absolute = dns.name.from_text(name, origin=dns.name.root)
            answer = await self._resolver.resolve(absolute, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Missing(name_exists=False)
        except dns.resolver.NoNameservers:
            return Unknown("the name servers answered with an error (SERVFAIL or REFUSED)")
        except dns.exception.Timeout:
            return Unknown(f"no name server answered within {self._resolver.lifetime:g} s")
        except (dns.exception.DNSException, UnicodeError) as error:  # an answer, or a name, that makes no sense
            return Unknown(f"the name servers' answer cannot be used ({type(error).__name__})")
        except OSError:
            return Unknown("the name servers cannot be reached")
        return answer if answer.rrset is not None else Missing(name_exists=True, alias=_alias(answer))


def _plain(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True) if name != dns.name.root else ""


def _ttl(answer: dns.resolver.Answer) -> int:
    return int(answer.chaining_result.minimum_ttl)


def _alias(answer: dns.resolver.Answer) -> str:
    led_to = _plain(answer.canonical_name)
    return "" if led_to == _plain(answer.qname) else led_to
