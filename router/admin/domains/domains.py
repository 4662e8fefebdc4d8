"""The mail domains of a workspace: creation, verification, deletion.

A domain becomes active when a check finds its required records. A single failed check does not stop mail
(`router.dns.verification_state`). Several workspaces can add the same name, but it is active in at most one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from router import ids
from router.admin import audit, validation
from router.admin.domains.domain_checks import DomainCheckService, domain_taken_message, new_token
from router.admin.domains.domain_names import is_mail_domain, normalize_domain_name
from router.admin.domains.domain_preview import DomainPreview, build_preview
from router.admin.domains.domain_view import DomainView, DomainViews, count_aliases
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import SECOND, Clock
from router.enumerations import MxManaged
from router.errors import Refused, not_found_error
from router.expiring_cache import ExpiringCache
from router.filters import DomainFilter
from router.model import Actor, Domain
from router.replies.smarthosts import remove_smarthost
from router.store.database import Database, run_statements
from router.store.fragments import model_values

# The minimum time between two checks of a domain whose page is open.
RECHECK_SECONDS = 15
PARENT_CACHE_SECONDS = 300.0
MAX_CACHED = 1000
_ALL_DOMAINS = DomainFilter()


class DomainService:
    """Manages domains. `on_routing_change` is called after the commit of a change that affects routing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        checks: DomainCheckService,
        *,
        mx_hosts: Sequence[tuple[str, int]],
        on_routing_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._checks = checks
        self._on_routing_change = on_routing_change
        self.mx_hosts = tuple(mx_hosts)
        self._views = DomainViews(checks, self.mx_hosts)
        self._parents: ExpiringCache[tuple[str, str], DomainPreview] = ExpiringCache(clock, MAX_CACHED)
        self._rechecked: ExpiringCache[str, bool] = ExpiringCache(clock, MAX_CACHED)

    async def list(
        self,
        actor: Actor,
        domain_filter: DomainFilter = _ALL_DOMAINS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Domain]:
        return await fetch_page(
            self._database, actor, Domain, "domain_page", limit=limit, cursor=cursor, **domain_filter.parameters()
        )

    async def get(self, actor: Actor, domain_id: str) -> DomainView:
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        return await self._views.build(self._database, domain)

    async def preview(self, actor: Actor, text: str) -> DomainPreview:
        """Finds out who receives the mail of a domain now, within seconds. Stores nothing.

        Raises `Refused("invalid_domain")`.
        """
        name = normalize_domain_name(text)
        row = await self._database.fetch_one("operator_domain", workspace_id=actor.workspace_id, name=name)
        preview = build_preview(name, await self._checks.query_mx(name), self.mx_hosts)
        return preview if row is None else replace(preview, domain_id=row["id"])

    async def preview_parent(self, actor: Actor, name: str) -> DomainPreview | None:
        """Returns the preview of the domain above a subdomain, whose addresses can be forwarded to the subdomain.

        None for a name directly below a public suffix. Pages ask for it often, so previews are cached.
        """
        parent = name.partition(".")[2]
        if not is_mail_domain(parent):
            return None
        key = (actor.workspace_id, parent)
        preview = self._parents.get(key)
        if preview is None:
            preview = await self.preview(actor, parent)
            self._parents.store(key, preview, PARENT_CACHE_SECONDS)
        return preview

    async def create(self, actor: Actor, name: str) -> DomainView:
        """Adds an unverified domain. The name may be active in another workspace.

        Raises `Refused("domain_taken")` if the workspace already has the domain.
        """
        domain = Domain(
            id=ids.new_id("dom"),
            workspace_id=actor.workspace_id,
            name=normalize_domain_name(name),
            status="pending_verification",
            token=new_token(),
            records="[]",
            created_at=self._clock.now(),
            verified_at=None,
            checked_at=None,
        )
        async with self._database.transaction() as transaction:
            added = await transaction.execute("domain_insert", **model_values(domain))
            if not added:
                raise Refused("domain_taken", f"{domain.name} is already a domain of this workspace", "domain")
            await transaction.execute("routing_increment_version")
            await audit.record(transaction, actor, domain.created_at, "domain.create", domain.id, domain=domain.name)
            view = await self._views.build(transaction, domain)
        self._on_routing_change()
        return view

    async def verify(self, actor: Actor, domain_id: str) -> DomainView:
        """Checks a domain now.

        Raises `Refused("domain_taken")` if the records are correct but the name stays active in another workspace.
        """
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        checked = await self._checks.check(domain, actor)
        if checked.is_taken:
            raise Refused("domain_taken", domain_taken_message(domain.name), "domain")
        if checked.domain is None:
            raise not_found_error("Domain")
        return await self._views.build(self._database, checked.domain)

    async def verify_if_stale(self, actor: Actor, domain_id: str) -> None:
        """Does the same as `verify` for an unverified domain that was not checked within `RECHECK_SECONDS`.

        An open page calls this, so it limits the DNS queries of each process.
        """
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        checked_at, age = domain.checked_at, RECHECK_SECONDS * SECOND
        is_fresh = checked_at is not None and 0 <= self._clock.now() - checked_at < age
        if domain.status == "active" or is_fresh or self._rechecked.get(domain.id):
            return
        self._rechecked.store(domain.id, True, RECHECK_SECONDS)
        await self.verify(actor, domain.id)

    async def set_mx_upstream(self, actor: Actor, domain_id: str, upstream: bool) -> DomainView:
        """Sets whether the MX records point to an upstream relay, so that only the TXT record is required."""
        validation.validate_id(domain_id, "dom", "Domain")
        async with self._database.transaction() as transaction:
            domain = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            if (domain.mx_managed == "upstream") != upstream:
                managed: MxManaged = "upstream" if upstream else "here"
                domain = replace(domain, mx_managed=managed, records="[]", checked_at=None, next_check_at=0)
                await transaction.execute("domain_set_mx_managed", id=domain.id, mx_managed=domain.mx_managed)
                await audit.record(
                    transaction,
                    actor,
                    self._clock.now(),
                    "domain.change",
                    domain.id,
                    domain=domain.name,
                    mxManagedUpstream=upstream,
                )
            return await self._views.build(transaction, domain)

    async def delete(self, actor: Actor, domain_id: str, *, force: bool = False) -> None:
        """Deletes a domain; with `force`, also its aliases. Its tickets stay.

        Raises `Refused("in_use")` if the domain has aliases, unless `force` is set.
        """
        validation.validate_id(domain_id, "dom", "Domain")
        async with self._database.transaction() as transaction:
            domain = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            aliases = await count_aliases(transaction, domain)
            if aliases and not force:
                raise Refused("in_use", f"{domain.name} has aliases ({aliases}): delete them first, or use force=true")
            await transaction.execute("domain_delete", id=domain.id, workspace_id=actor.workspace_id)
            await run_statements(transaction, remove_smarthost(domain.id, self._clock.now()))
            await transaction.execute("routing_increment_version")
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "domain.delete",
                domain.id,
                domain=domain.name,
                aliases=aliases or None,
            )
        self._on_routing_change()
