"""Whether mail servers outside can reach this installation.

The checks of this host cannot see firewalls and providers that block port 25. They can show that mail cannot arrive,
never that it can. Only a message that came from a public address of another host shows that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

from router.check_result import CheckResult
from router.clock import Clock
from router.errors import Refused
from router.expiring_cache import ExpiringCache
from router.model import Actor, Micros
from router.network import parse_address
from router.outbound.addresses import is_public, non_public_reason
from router.routing.envelope import is_test_message
from router.store.database import Database

# Limits the DNS queries and connections of pages that are reloaded often.
CACHE_SECONDS = 30.0
# How long a page waits for the checks. A page that only mentions the result does not wait for slow name servers.
PAGE_SECONDS = 7.0
BRIEF_SECONDS = 1.0
# Maximum numbers of the newest messages and tickets that are searched for a message from outside.
MAX_MESSAGES = 200
MAX_TICKETS = 50
# The checks without which no mail arrives. The others are recommendations.
REQUIRED_CHECKS = frozenset({"hostname", "smtp port"})
_POSTPONED = "server_setup_postponed"  # name in the table `installation`


class HostChecks(Protocol):
    """The checks of this host, which the program implements."""

    @property
    def is_loopback_only(self) -> bool:
        """Whether the SMTP server of this host listens on loopback addresses only."""
        ...

    @property
    def receivers(self) -> Collection[str]:
        """The names of the hosts of this installation that other hosts can reach with its current settings."""
        ...

    async def run(self) -> Sequence[CheckResult]:
        """Runs the checks within a limited time. Never raises."""
        ...

    async def find_own_addresses(self) -> Collection[IPv4Address | IPv6Address] | None:
        """Returns the addresses of the hosts of this installation, or None if the DNS does not respond in time."""
        ...


@dataclass(frozen=True, slots=True)
class Reachability:
    """What is known about the path from other mail servers to this installation.

    Attributes:
        results: None until the first run of the checks ends, and for actors who do not see them.
        is_unreachable: The checks found a reason why mail cannot arrive, and no message from outside shows otherwise.
        is_reached: Whether a message from outside arrived, in any workspace.
        own_outside_at: When the newest one arrived in the workspace of the actor.
        gateway: The private address of which the newest own message came, "" if it came from another kind of address.
            It can have come from outside if a gateway, such as a container bridge, hides the addresses of senders.
        is_operator: Whether the actor may see the results: an admin of the only workspace.
        is_relayed: All mail of the workspace comes from another relay, so this host needs no public listener.
        is_postponed: An admin chose to continue the setup without solving the problems.
    """

    results: tuple[CheckResult, ...] | None
    is_unreachable: bool
    is_reached: bool
    own_outside_at: Micros | None
    gateway: str
    is_operator: bool
    is_loopback_only: bool
    is_relayed: bool
    is_postponed: bool

    @property
    def has_problem(self) -> bool:
        return any(result.status != "ok" for result in self.results or ())


class ReachabilityService:
    """Runs the checks at most once at a time and caches the results, so use one instance per process."""

    def __init__(self, database: Database, clock: Clock, checks: HostChecks) -> None:
        self._database = database
        self._checks = checks
        self._cache: ExpiringCache[str, tuple[CheckResult, ...]] = ExpiringCache(clock, 1)
        self._newest: tuple[CheckResult, ...] | None = None
        self._own_addresses: Collection[IPv4Address | IPv6Address] | None = None
        self._running: asyncio.Task[None] | None = None
        self._was_reached = False
        self._is_private = False

    async def get(self, actor: Actor) -> Reachability:
        """Waits for the checks for at most `PAGE_SECONDS`."""
        results = await self._run_checks(PAGE_SECONDS)
        is_operator = await self._is_operator(actor)
        is_relayed = await self._is_relayed(actor)
        own = await self._database.fetch_all(
            "reachability_own_messages", workspace_id=actor.workspace_id, limit=MAX_TICKETS
        )
        own_outside_at = self._newest_from_outside(own, is_relayed=is_relayed)
        is_reached = own_outside_at is not None or await self._find_outside()
        postponed = await self._database.fetch_one("installation_value", name=_POSTPONED)
        return Reachability(
            results=results if is_operator else None,
            is_unreachable=not is_reached
            and not is_relayed
            and not self._is_private
            and self._has_required_problem(results),
            is_reached=is_reached,
            own_outside_at=own_outside_at,
            gateway=_find_gateway(own),
            is_operator=is_operator,
            is_loopback_only=self._checks.is_loopback_only,
            is_relayed=is_relayed,
            is_postponed=postponed is not None,
        )

    async def is_unreachable(self, actor: Actor) -> bool:
        """Returns `Reachability.is_unreachable`, after at most `BRIEF_SECONDS`.

        Runs no checks after it has found a message from outside.
        """
        if self._was_reached or self._is_private or await self._is_relayed(actor):
            return False
        results = await self._run_checks(BRIEF_SECONDS)
        return not await self._find_outside() and self._has_required_problem(results)

    def expect_no_outside_mail(self) -> None:
        """Stops the warnings that this host is unreachable, which the demo is on purpose."""
        self._is_private = True

    async def postpone(self, actor: Actor) -> None:
        """Records that the setup continues although mail from outside cannot arrive yet."""
        if not await self._is_operator(actor):
            raise Refused("forbidden", "Only an admin of the only workspace of an installation manages its server")
        await self._database.execute("installation_insert", name=_POSTPONED, value=actor.user_id or "")

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _run_checks(self, seconds: float) -> tuple[CheckResult, ...] | None:
        """Returns the results of a run that other callers may share, or older ones if it takes longer."""
        cached = self._cache.get("")
        if cached is not None:
            return cached
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._refresh())
        await asyncio.wait({self._running}, timeout=seconds)
        return self._newest

    async def _refresh(self) -> None:
        results, own_addresses = await asyncio.gather(self._checks.run(), self._checks.find_own_addresses())
        self._newest = tuple(results)
        self._own_addresses = self._own_addresses if own_addresses is None else own_addresses
        self._cache.store("", self._newest, CACHE_SECONDS)

    def _has_required_problem(self, results: Sequence[CheckResult] | None) -> bool:
        return self._checks.is_loopback_only or any(
            result.check in REQUIRED_CHECKS and result.status != "ok" for result in results or ()
        )

    async def _find_outside(self) -> bool:
        rows = await self._database.fetch_all("reachability_messages", limit=MAX_MESSAGES)
        is_found = self._newest_from_outside(rows) is not None
        self._was_reached = self._was_reached or (is_found and self._own_addresses is not None)
        return is_found

    def _newest_from_outside(self, rows: Sequence[Mapping[str, Any]], *, is_relayed: bool = False) -> Micros | None:
        """Returns when the newest message from another host arrived; a relay may have a private or an own address.

        A message that was accepted under another host name is of another installation or the time of another setting,
        as on a restored backup. A host that sends to its own public address shows nothing about a firewall.
        """
        receivers = self._checks.receivers
        for row in rows:
            address = parse_address(row["peer"])
            if address is None or address.is_loopback or row["received_by"] not in receivers:
                continue
            is_outside = is_relayed or (is_public(address) and address not in (self._own_addresses or ()))
            if is_outside and not is_test_message(row["protocol"], row["rfc_message_id"]):
                found: Micros = row["received_at"]
                return found
        return None

    async def _is_relayed(self, actor: Actor) -> bool:
        row = await self._database.fetch_one("reachability_is_relayed", workspace_id=actor.workspace_id)
        return row is not None and row["relayed"] == 1

    async def _is_operator(self, actor: Actor) -> bool:
        """With several workspaces, an admin may be a customer, who must not see paths and addresses of the host."""
        if actor.role != "admin":
            return False
        row = await self._database.fetch_one("workspace_count")
        return row is not None and row["workspaces"] == 1


def _find_gateway(rows: Sequence[Mapping[str, Any]]) -> str:
    newest = next((row for row in rows if not is_test_message(row["protocol"], row["rfc_message_id"])), None)
    address = None if newest is None else parse_address(newest["peer"])
    is_private = address is not None and (non_public_reason(address) or "").startswith("private")
    return str(address) if is_private else ""
