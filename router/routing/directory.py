"""What is known of domains and aliases, remembered: the `Recipients` of the SMTP door.

A bounded cache of targets, emptied when the database's count of changes moves. The count is read at most every
`CHECK_INTERVAL` and only while mail comes in: a change holds within that time on every host and at once in the
process that made it (`forget`). Refusals and catch-all hits are never answered from the cache: they are confirmed
in the database, one question at a time for each address, so a new alias works at once from everywhere. While the
database is away every answer is `Unavailable`, the remembered ones too: nothing could be accepted anyway.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from router.clock import Clock
from router.mail.address import MAX_MAILBOX_BYTES, POSTMASTER, Mailbox, parse_mailbox
from router.model import Workspace
from router.routing.facts import read_blocked, read_domain_facts
from router.routing.route import CATCH_ALL, Refusal, Target, decide, to_host_postmaster
from router.routing.senders import Blocked
from router.store.database import Database, fetch_model

# Half of the second that SPEC.md section 5 allows, so that a slow answer still fits.
CHECK_INTERVAL = 0.5


class Directory:
    """One for each process. `hosts` are our own names: mail to their postmaster goes to the first workspace."""

    def __init__(self, database: Database, clock: Clock, *, size: int, hosts: Iterable[str]) -> None:
        self._database = database
        self._clock = clock
        self._size = size
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._targets: OrderedDict[tuple[str, str], Target] = OrderedDict()
        self._blocked: dict[str, Blocked] = {}  # by workspace; there are few, and each has a bound
        self._asking: dict[tuple[str, str], asyncio.Task[Target | Refusal]] = {}
        self._version = -1
        self._checked_at = float("-inf")
        self._checking: asyncio.Task[None] | None = None
        self._generation = 0

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target | Refusal:
        """See `router.ports.Recipients.resolve`."""
        await self._hear_of_changes()
        found = await self._target(mailbox)
        if isinstance(found, Target) and (reverse_path or peer):
            blocked = await self._blocked_senders(found.workspace_id)
            sender = parse_mailbox(reverse_path, local_part_limit=MAX_MAILBOX_BYTES) if reverse_path else None
            if blocked.entry_for(sender, peer) is not None:
                return Refusal("blocked")
        return found

    async def _target(self, mailbox: Mailbox) -> Target | Refusal:
        key = (mailbox.local_part, mailbox.domain_key)
        known = self._targets.get(key)
        if known is not None:
            self._targets.move_to_end(key)
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.get_running_loop().create_task(self._ask(mailbox, key))
            self._asking[key] = asking
            asking.add_done_callback(lambda task: self._forget_question(key, task))
        # Shielded: others may wait for the same answer, whatever becomes of this session.
        return await asyncio.shield(asking)

    def _forget_question(self, key: tuple[str, str], task: asyncio.Task[Target | Refusal]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]

    def forget(self) -> None:
        """Called in the process that changed a domain or an alias, after its commit."""
        self._targets.clear()
        self._blocked.clear()
        self._asking.clear()  # whoever comes now must not share an answer from before the change
        self._generation += 1

    async def _hear_of_changes(self) -> None:
        if self._clock.monotonic() - self._checked_at < CHECK_INTERVAL:
            return
        if self._checking is None or self._checking.done():
            self._checking = asyncio.get_running_loop().create_task(self._check())
        await asyncio.shield(self._checking)

    async def _check(self) -> None:
        asked_at = self._clock.monotonic()
        row = await self._database.fetch_one("routing_version")
        version = row["version"] if row else 0
        if version != self._version:
            self.forget()
            self._version = version
        self._checked_at = asked_at

    async def _ask(self, mailbox: Mailbox, key: tuple[str, str]) -> Target | Refusal:
        generation = self._generation
        if mailbox.local_key == POSTMASTER and (not mailbox.domain or mailbox.domain_key in self._hosts):
            found = await self._host_postmaster(mailbox)
            if found is not None:
                return found
        result = decide(mailbox, await read_domain_facts(self._database, mailbox))
        catch_all = isinstance(result, Target) and result.address.startswith(f"{CATCH_ALL}@")
        if isinstance(result, Target) and result.alias_id and not catch_all and generation == self._generation:
            self._targets[key] = result
            while len(self._targets) > self._size:
                self._targets.popitem(last=False)
        return result

    async def _blocked_senders(self, workspace_id: str) -> Blocked:
        known = self._blocked.get(workspace_id)
        if known is None:
            generation = self._generation
            known = await read_blocked(self._database, workspace_id)
            if generation == self._generation:
                self._blocked[workspace_id] = known
        return known

    async def _host_postmaster(self, mailbox: Mailbox) -> Target | None:
        """The first workspace's, unless our host's name is itself a verified domain: then that domain's aliases say."""
        if mailbox.domain:
            facts = await read_domain_facts(self._database, mailbox)
            if facts.active:
                return None
        workspace = await fetch_model(self._database, Workspace, "routing_first_workspace")
        return None if workspace is None else to_host_postmaster(mailbox, workspace)
