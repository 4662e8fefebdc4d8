"""The mail domains of a workspace: added, proved by DNS, checked again, removed.

A domain is `pending_verification` until its records are right, then `active` for good: a later check that finds them
wrong says so in `records`, but never turns mail away, for the DNS of others is not always right. A name is active in
one workspace at most; others may prepare it, and are told so when they try to prove it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from router import ids
from router.admin import audit, paging, words
from router.admin.domain_names import domain_name
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.dns.resolver import Resolver
from router.dns.verification import Mode, Record, Verdict, check, dump_records, expected_records, load_records
from router.errors import Refused, not_found
from router.model import Actor, Domain, Micros
from router.store.database import Database, Session, fetch, fetch_one

_TOKEN_OCTETS = 20  # 160 bits: nobody guesses what another workspace has to publish


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain with what was expected and found; before its first check the records are what is to be added."""

    domain: Domain
    alias_count: int
    records: tuple[Record, ...]


class Domains:
    """mx_hosts: (host, priority) pairs of `[server] mx_hosts`. verification: `[dns] verification`. changed: called
    after the commit of what changes how mail is routed (`Directory.forget`).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        resolver: Resolver,
        *,
        mx_hosts: Sequence[tuple[str, int]],
        verification: Literal["auto", "mx", "txt", "mx+txt"],
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._resolver = resolver
        self._verification = verification
        self._changed = changed
        self.mx_hosts = tuple(mx_hosts)

    async def list(self, actor: Actor, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[Domain]:
        """Newest first."""
        window = paging.window("dom", limit, cursor)
        rows = await fetch(
            self._database,
            Domain,
            "domain_page",
            workspace_id=actor.workspace_id,
            before=window.before,
            most=window.most,
        )
        return window.page(rows, lambda domain: domain.id)

    async def get(self, actor: Actor, domain_id: str) -> DomainView:
        """One domain with its records as the last check left them."""
        return await self._view(self._database, await _found(self._database, actor, domain_id))

    async def create(self, actor: Actor, name: str) -> DomainView:
        """A new domain, waiting for its proof. `domain_taken`: the workspace has it, or another one gets its mail."""
        domain = Domain(
            id=ids.new("dom"),
            workspace_id=actor.workspace_id,
            name=domain_name(name),
            status="pending_verification",
            token=secrets.token_hex(_TOKEN_OCTETS),
            records="[]",
            created_at=self._clock.now(),
            verified_at=None,
            checked_at=None,
        )
        async with self._database.transaction() as session:
            if await session.one("domain_active_elsewhere", name=domain.name, workspace_id=actor.workspace_id):
                raise _taken(domain.name)
            added = await session.run(
                "domain_insert",
                id=domain.id,
                workspace_id=domain.workspace_id,
                name=domain.name,
                token=domain.token,
                created_at=domain.created_at,
            )
            if not added:
                raise Refused("domain_taken", f"{domain.name} is a domain of this workspace already", "domain")
            await session.run("routing_changed")
            await audit.record(session, actor, domain.created_at, "domain.create", domain.id, domain=domain.name)
            view = await self._view(session, domain)
        self._changed()
        return view

    async def verify(self, actor: Actor, domain_id: str) -> DomainView:
        """Asks the DNS now. `domain_taken` when the proof is there, but another workspace was first."""
        domain = await _found(self._database, actor, domain_id)
        updated, taken = await self._check(domain, actor)
        if taken:
            raise _taken(domain.name)
        if updated is None:
            raise not_found("Domain")
        return await self._view(self._database, updated)

    async def recheck(self, older_than: Micros, *, most: int = 20) -> int:
        """For the janitor: looks again at domains of all workspaces last checked before then; returns how many."""
        domains = await fetch(self._database, Domain, "domain_to_check", horizon=older_than, most=most)
        for domain in domains:
            await self._check(domain, None)
        return len(domains)

    async def delete(self, actor: Actor, domain_id: str, *, force: bool = False) -> None:
        """Removes a domain; `in_use` while it has aliases, which go with it when forced. Its tickets stay."""
        words.known_id(domain_id, "dom", "Domain")
        async with self._database.transaction() as session:
            domain = await fetch_one(session, Domain, "domain_lock", id=domain_id, workspace_id=actor.workspace_id)
            if domain is None:
                raise not_found("Domain")
            aliases = await _alias_count(session, domain)
            if aliases and not force:
                raise Refused("in_use", f"{domain.name} has {aliases} aliases: remove them first, or use force=true")
            await session.run("domain_delete", id=domain.id, workspace_id=actor.workspace_id)
            await session.run("routing_changed")
            await audit.record(
                session,
                actor,
                self._clock.now(),
                "domain.delete",
                domain.id,
                domain=domain.name,
                aliases=aliases or None,
            )
        self._changed()

    async def _check(self, domain: Domain, actor: Actor | None) -> tuple[Domain | None, bool]:
        """The domain as the check left it (None: gone meanwhile), and whether its proof came too late."""
        verdict = await check(
            domain.name,
            domain.token,
            self.mx_hosts,
            await self._mode(),
            resolver=self._resolver,
            now=self._clock.now(),
        )
        async with self._database.transaction() as session:
            rows = await fetch(session, Domain, "domain_lock_name", name=domain.name)
            current = next((row for row in rows if row.id == domain.id), None)
            if current is None:
                return None, False
            taken = verdict.verified and any(row.status == "active" and row.id != domain.id for row in rows)
            updated = self._judged(current, verdict, taken=taken)
            await session.run(
                "domain_checked",
                id=updated.id,
                records=updated.records,
                checked_at=updated.checked_at,
                status=updated.status,
                verified_at=updated.verified_at,
            )
            activated = updated.status != current.status
            if activated:
                await session.run("routing_changed")
                if actor is not None:
                    await audit.record(
                        session, actor, self._clock.now(), "domain.verify", domain.id, domain=domain.name
                    )
        if activated:
            self._changed()
        return updated, taken

    def _judged(self, domain: Domain, verdict: Verdict, *, taken: bool) -> Domain:
        now = self._clock.now()
        proved = verdict.verified and not taken
        return replace(
            domain,
            records=dump_records(verdict.records),
            checked_at=now,
            status="active" if proved else domain.status,
            verified_at=domain.verified_at or now if proved else domain.verified_at,
        )

    async def _mode(self) -> Mode:
        """`auto`: with several workspaces the MX records prove nothing about which of them owns the domain."""
        if self._verification != "auto":
            return self._verification
        row = await self._database.one("workspace_count")
        return "mx" if row is None or row["workspaces"] <= 1 else "mx+txt"

    async def _view(self, session: Session, domain: Domain) -> DomainView:
        records = load_records(domain.records) or expected_records(domain.name, domain.token, self.mx_hosts)
        return DomainView(domain, await _alias_count(session, domain), records)


async def _found(session: Session, actor: Actor, domain_id: str) -> Domain:
    words.known_id(domain_id, "dom", "Domain")
    domain = await fetch_one(session, Domain, "domain_by_id", id=domain_id, workspace_id=actor.workspace_id)
    if domain is None:
        raise not_found("Domain")
    return domain


async def _alias_count(session: Session, domain: Domain) -> int:
    row = await session.one("domain_aliases", id=domain.id)
    return row["aliases"] if row else 0


def _taken(name: str) -> Refused:
    return Refused("domain_taken", f"{name} is in use by another workspace", "domain")
