"""Resolves recipients to targets for the SMTP server, with a cache.

The cache is invalidated when the version number of the routes in the database changes. Refusals and catch-all matches
are never cached, so a new alias for such an address works immediately on every host. Nor are the tokens of our replies,
whose bounces are counted.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from router.clock import Clock
from router.mail.address import POSTMASTER, Mailbox
from router.model import Workspace
from router.recent_cache import RecentCache
from router.routing.facts import read_active_domains, read_domain_facts
from router.routing.route import CATCH_ALL, Refusal, Target, host_postmaster_target, route_recipient
from router.routing.sender_hits import SenderHit, SenderHits
from router.routing.sender_list_cache import SenderListCache
from router.routing.sender_lists import SenderLists
from router.store.database import Database, fetch_model

# Seconds between version checks. A change must take effect within one second, even if the query is slow.
CHECK_INTERVAL = 0.5
# Workspaces whose domains are cached.
MAX_WORKSPACES = 1000
MAX_LABELS = 127  # a domain name has no more


class RoutingCache:
    """Resolves recipients. Use one instance per process.

    Mail to the postmaster of a host in `hosts` goes to the first workspace, unless the host name is a verified domain.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hits: SenderHits,
        *,
        size: int,
        hosts: Iterable[str],
        has_checks: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._hits = hits
        self._size = size
        self._has_checks = has_checks
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._targets: OrderedDict[tuple[str, str], Target] = OrderedDict()
        self._sender_lists = SenderListCache(database)
        self._domains: RecentCache[str, frozenset[str]] = RecentCache(MAX_WORKSPACES)
        self._pending_queries: dict[tuple[str, str], asyncio.Task[Target | Refusal]] = {}
        self._version = -1
        self._checked_at = float("-inf")
        self._version_query: asyncio.Task[None] | None = None
        self._generation = 0

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target | Refusal:
        await self._refresh()
        target = await self._find_target(mailbox)
        # A blocked sender may well report that our mail to it failed.
        if isinstance(target, Target) and target.ticket is None and (reverse_path or peer):
            lists = await self._sender_lists.get(target.workspace_id)
            decision = lists.decide_recipient(reverse_path, peer, has_checks=self._has_checks)
            if decision.blocked is not None and decision.is_refused:
                self._hits.add(SenderHit("blocked", target.workspace_id, decision.blocked.sender))
                return Refusal("blocked")
        return target

    async def get_sender_lists(self, workspace_id: str) -> SenderLists:
        """Returns the allowed and the blocked senders of a workspace."""
        await self._refresh()
        return await self._sender_lists.get(workspace_id)

    async def find_own_domain(self, workspace_id: str, domains: Sequence[str]) -> str:
        """Returns the first of the domains that is an active domain of the workspace or below one, or ""."""
        await self._refresh()
        active = self._domains.get(workspace_id)
        if active is None:
            generation = self._generation
            active = await read_active_domains(self._database, workspace_id)
            if generation == self._generation:
                self._domains.store(workspace_id, active)
        return next((domain for domain in domains if _is_within(domain, active)), "")

    async def _find_target(self, mailbox: Mailbox) -> Target | Refusal:
        key = (mailbox.local_part, mailbox.domain_key)
        cached = self._targets.get(key)
        if cached is not None:
            self._targets.move_to_end(key)
            return cached
        query = self._pending_queries.get(key)
        if query is None:
            query = asyncio.get_running_loop().create_task(self._query_target(mailbox, key))
            self._pending_queries[key] = query
            query.add_done_callback(lambda task: self._remove_pending(key, task))
        # Shielded: a cancelled session must not cancel the query for other sessions.
        return await asyncio.shield(query)

    def _remove_pending(self, key: tuple[str, str], task: asyncio.Task[Target | Refusal]) -> None:
        if self._pending_queries.get(key) is task:
            del self._pending_queries[key]

    def invalidate(self) -> None:
        self._targets.clear()
        self._sender_lists.invalidate()
        self._domains = RecentCache(MAX_WORKSPACES)
        self._pending_queries.clear()  # their results may predate the change
        self._generation += 1

    async def _refresh(self) -> None:
        if self._clock.monotonic() - self._checked_at < CHECK_INTERVAL:
            return
        if self._version_query is None or self._version_query.done():
            self._version_query = asyncio.get_running_loop().create_task(self._check_version())
        await asyncio.shield(self._version_query)

    async def _check_version(self) -> None:
        started_at = self._clock.monotonic()
        row = await self._database.fetch_one("routing_version")
        version = row["version"] if row else 0
        if version != self._version:
            self.invalidate()
            self._version = version
        self._checked_at = started_at

    async def _query_target(self, mailbox: Mailbox, key: tuple[str, str]) -> Target | Refusal:
        generation = self._generation
        if mailbox.local_key == POSTMASTER and (not mailbox.domain or mailbox.domain_key in self._hosts):
            postmaster = await self._find_host_postmaster(mailbox)
            if postmaster is not None:
                return postmaster
        target = route_recipient(mailbox, await read_domain_facts(self._database, mailbox))
        if isinstance(target, Target) and _is_cacheable(target) and generation == self._generation:
            self._targets[key] = target
            while len(self._targets) > self._size:
                self._targets.popitem(last=False)
        return target

    async def _find_host_postmaster(self, mailbox: Mailbox) -> Target | None:
        """Returns the target in the first workspace; None if there is no workspace or the host is a verified domain."""
        if mailbox.domain:
            facts = await read_domain_facts(self._database, mailbox)
            if facts.is_active:
                return None
        workspace = await fetch_model(self._database, Workspace, "routing_first_workspace")
        return None if workspace is None else host_postmaster_target(mailbox, workspace)


def _is_cacheable(target: Target) -> bool:
    return bool(target.alias_id) and target.ticket is None and not target.address.startswith(f"{CATCH_ALL}@")


def _is_within(domain: str, active: frozenset[str]) -> bool:
    labels = domain.split(".")[-MAX_LABELS:]
    return any(".".join(labels[n:]) in active for n in range(len(labels)))
