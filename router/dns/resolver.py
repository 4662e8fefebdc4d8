"""Questions to the DNS, with answers as values.

It promises: every question is over within `lifetime` seconds and never raises for anything the DNS or the net does;
"there is no such record" and "nobody could tell" are different values, since only the first is the domain owner's
affair. Nothing is cached here (`router.dns.shared` does). Names are taken as absolute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import dns.exception
import dns.name
import dns.reversename
import structlog

from router.dns import message
from router.dns.exchange import Unusable
from router.dns.message import NXDOMAIN, Mx, Reply, rcode_name
from router.dns.servers import LOOK_EVERY, RESOLV_CONF, Servers

__all__ = ["DnsResolver", "Found", "Missing", "Mx", "Resolver", "Unknown"]

_log = structlog.get_logger()

_MOST_VALUES = 50  # of one answer; a domain has a handful
_KINDS = {"A": message.A, "AAAA": message.AAAA, "MX": message.MX, "PTR": message.PTR, "TXT": message.TXT}

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
    """A stub resolver within one time limit.

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
        self._timeout = timeout
        self._lifetime = lifetime
        self.views: tuple[DnsResolver, ...] = tuple(
            DnsResolver([server], timeout=timeout, lifetime=lifetime) for server in list(nameservers)[1:]
        )

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        """See `Resolver.mx`."""
        reply = await self._ask(name, message.MX)
        if not isinstance(reply, Reply):
            return reply
        found = sorted(value for value in reply.values if isinstance(value, Mx))
        return Found(tuple(found[:_MOST_VALUES]), reply.alias, reply.ttl)

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        """See `Resolver.txt`."""
        return await self._texts(name, message.TXT)

    async def resolve(self, name: str, kind: str, /) -> tuple[str, ...]:
        """The values, as text, and none where there are none or nobody could tell. kind: `A`, `PTR`, ..."""
        found = await self._texts(name, _KINDS[kind])
        return found.values if isinstance(found, Found) else ()

    async def addresses(self, name: str) -> Found[str] | Missing | Unknown:
        """The IPv4 and IPv6 addresses of a host, as text; of answers that differ the one that says most."""
        answers = [await self._texts(name, kind) for kind in (message.A, message.AAAA)]
        found = tuple(value for answer in answers if isinstance(answer, Found) for value in answer.values)
        if found:
            return Found(found[:_MOST_VALUES])
        return next((answer for answer in answers if isinstance(answer, Unknown)), answers[0])

    async def names(self, address: str) -> Found[str] | Missing | Unknown:
        """The host names of an IP address (PTR), in lower case without the final dot."""
        found = await self._texts(dns.reversename.from_address(address).to_text(), message.PTR)
        if isinstance(found, Found):
            return Found(found.values)
        return found

    async def tlsa(self, name: str) -> Found[str] | Missing | Unknown:
        """The TLSA records at a name (`_25._tcp.HOST`), as in a zone file."""
        return await self._texts(name, message.TLSA)

    async def _texts(self, name: str, kind: int) -> Found[str] | Missing | Unknown:
        reply = await self._ask(name, kind)
        if not isinstance(reply, Reply):
            return reply
        found = sorted(value for value in reply.values if isinstance(value, str))
        return Found(tuple(found[:_MOST_VALUES]), reply.alias, reply.ttl)

    async def _ask(self, name: str, kind: int) -> Reply | Missing | Unknown:
        """A reply with at least one value."""
        try:
            absolute = dns.name.from_text(name, origin=dns.name.root)
        except (dns.exception.DNSException, ValueError):
            return Unknown("the name is not valid in the DNS")
        try:
            reply = await self._of_any_server(absolute, kind)
        except Exception as error:  # noqa: BLE001 - whatever breaks here must not stop what asks
            _log.exception("dns.question_fault", kind=kind)
            return Unknown(f"the name servers could not be asked ({type(error).__name__})")
        if not isinstance(reply, Reply) or reply.values:
            return reply
        return Missing(name_exists=reply.rcode != NXDOMAIN, alias="" if reply.rcode == NXDOMAIN else reply.alias)

    async def _of_any_server(self, name: dns.name.Name, kind: int) -> Reply | Unknown:
        """The first answer of a server; a server that does not answer in time is asked again while there is time."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._lifetime
        errors: set[str] = set()
        reasons: list[str] = []
        waiting = self.servers.current()
        while waiting and clock() < end:
            for server in tuple(waiting):
                left = end - clock()
                if left <= 0:
                    break
                try:
                    reply = await server.ask(name, kind, min(self._timeout, left))
                except TimeoutError:
                    continue
                except Unusable as unusable:
                    reasons.append(unusable.reason)
                except OSError:
                    reasons.append("the name servers cannot be reached")
                else:
                    if reply.rcode in message.ANSWERS:
                        return reply
                    errors.add(rcode_name(reply.rcode))
                waiting.remove(server)
        if errors:
            return Unknown(f"the name servers answered with an error ({', '.join(sorted(errors))})")
        if self.servers.none_named:
            return Unknown(f"{self.servers.path} names no name server that can be used: set [dns] nameservers")
        if waiting or not reasons:
            return Unknown(f"no name server answered within {self._lifetime:g} s")
        return Unknown(reasons[0])
