"""Matches a `WorkspaceDocument` with a workspace: what would be added, changed and removed, as a `Plan`.

Decides everything and changes nothing. Refuses what could not be done: an alias of no domain, a new integration whose
secret is not set. The steps are in an order in which each is possible. What is in the workspace and not in the file is
removed only with `prune`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from router.admin.access.users import normalize_email
from router.admin.domains.domain_names import normalize_domain_name
from router.errors import Refused
from router.model import Alias, Domain, Integration
from router.provisioning.document import AliasEntry, IntegrationEntry, InvalidDocument, WorkspaceDocument
from router.provisioning.entries import (
    IntegrationReferences,
    alias_key,
    index_unique,
    match_integrations,
    new_local_part,
    normalize,
    normalize_blocked_sender,
    normalize_document,
)
from router.provisioning.export import Snapshot
from router.provisioning.plan import (
    AddAlias,
    AddBlockedSender,
    AddDomain,
    AddIntegration,
    AddUser,
    Change,
    ChangeAlias,
    ChangeIntegration,
    ChangeUser,
    ChangeWorkspace,
    Plan,
    PlanStep,
    Remove,
    SetMxUpstream,
)

Differences = dict[str, tuple[object, object]]


@dataclass(frozen=True, slots=True)
class ReferencedSettings:
    """The settings that an entry refers to, None where the reference is not set; whether the integration has them."""

    settings: dict[str, str] | None = field(repr=False)
    is_current: bool


ReadSettings = Callable[[IntegrationEntry, Integration | None, str], ReferencedSettings]
"""Reads an entry's reference; the text is the place in the file, for errors."""


def plan_changes(document: WorkspaceDocument, current: Snapshot, read_settings: ReadSettings, *, prune: bool) -> Plan:
    """The plan that makes the workspace like the file. Raises `InvalidDocument`, and what `read_secret` raises."""
    return _Planner(document, current, read_settings, prune=prune).build()


class _Planner:
    """One comparison. `_late` holds steps that others make possible: removals, and admins who lose the role."""

    def __init__(self, wanted: WorkspaceDocument, now: Snapshot, read_secret: ReadSettings, *, prune: bool) -> None:
        names = {now.workspace.name, *(user.name for user in now.users)}
        names |= {known for each in now.integrations for known in (each.id, each.name)}
        self._document = normalize_document(wanted, names)
        self._current = now
        self._read_settings = read_secret
        self._prune = prune
        self._plan = Plan(IntegrationReferences(now.integrations), {domain.name: domain.id for domain in now.domains})
        self._late_steps: list[tuple[Change, PlanStep]] = []

    def build(self) -> Plan:
        self._plan_users()
        self._plan_integrations()
        # A domain can be removed when its aliases are gone, an integration too: removals stand in this order.
        after_domains, self._late_steps = self._late_steps, []
        self._plan_domains()
        self._plan_blocked_senders()
        self._plan_workspace()
        for change, step in (*self._late_steps, *after_domains):
            self._add_change(change, step)
        return self._plan

    def _plan_users(self) -> None:
        known = {user.email: user for user in self._current.users}
        typed = enumerate(self._document.users or (), start=1)
        keyed = ((normalize(normalize_email, each.email, f"users[{n}].email"), each) for n, each in typed)
        entries = index_unique("users", "email", keyed)
        for email, entry in entries.items():
            user = known.get(email)
            if user is None:
                self._add_change(Change("add", "user", email, entry.role), AddUser(entry))
                continue
            differs = _differences(
                name=(user.name, entry.name),
                role=(user.role, entry.role),
                disabled=(user.disabled_at is not None, entry.disabled),
            )
            if entry.timezone is not None:
                differs |= _differences(timezone=(user.timezone or "", entry.timezone))
            if differs:
                change = Change("change", "user", email, _format_differences(differs))
                step = ChangeUser(user, entry)
                # Who becomes admin does so before another one ceases to be the last.
                if entry.role == "admin" and not entry.disabled:
                    self._add_change(change, step)
                else:
                    self._late_steps.append((change, step))
        if self._document.users is not None:
            for user in self._current.users:
                if user.email not in entries:
                    self._plan_removal(user.email, Remove("user", user.id))

    def _plan_integrations(self) -> None:
        pairs = match_integrations(self._document.integrations or (), self._current.integrations)
        for n, (entry, current) in enumerate(pairs, start=1):
            place = f"integrations[{n}]"
            if current is not None and entry.type != current.type:
                raise InvalidDocument(
                    f"{place}.type: {current.name!r} has type {current.type}, which cannot be changed to {entry.type}"
                )
            secret = self._read_settings(entry, current, place)
            self._plan.integration_refs.add_entry(entry, current, place)
            if current is None:
                if secret.settings is None:
                    raise Refused(
                        "invalid_integration",
                        f"{place}.webhook_url: {entry.webhook_url} is not set, but required to add {entry.name!r}",
                    )
                change = Change("add", "integration", entry.name, entry.type)
                self._add_change(change, AddIntegration(entry, secret.settings))
                continue
            settings = None if secret.is_current else secret.settings
            if secret.settings is None:
                self._plan.notes.append(
                    f"integration {entry.name}: {entry.webhook_url} is not set, so its webhook URL stays unchanged"
                )
            differs = _differences(name=(current.name, entry.name))
            if settings is not None:
                differs["webhook_url"] = (current.hint, entry.webhook_url)
            if differs:
                step = ChangeIntegration(current, entry, settings)
                self._add_change(Change("change", "integration", current.name, _format_differences(differs)), step)
        if self._document.integrations is not None:
            taken = {current.id for _, current in pairs if current is not None}
            for integration in self._current.integrations:
                if integration.id not in taken:
                    self._plan_removal(integration.name, Remove("integration", integration.id))

    def _plan_domains(self) -> None:
        known = {domain.name: domain for domain in self._current.domains}
        # A name that is there already is compared, not judged: it may be older than today's rules.
        typed = enumerate(self._document.domains or (), start=1)
        keyed = (
            (text if text in known else normalize(normalize_domain_name, text, f"domains[{n}]"), text)
            for n, text in typed
        )
        domains = index_unique("domains", "", keyed)
        for name in domains:
            if name not in known:
                change = Change("add", "domain", name, "publish its DNS records, then verify it")
                self._add_change(change, AddDomain(name))
        leaving = set(known) - set(domains) if self._prune and self._document.domains is not None else set()
        self._plan_mx_upstream({*known, *domains} - leaving, known)
        self._plan_aliases({*known, *domains})
        if self._document.domains is not None:
            for name, domain in known.items():
                if name not in domains:
                    self._plan_removal(name, Remove("domain", domain.id))

    def _plan_mx_upstream(self, domains: set[str], known: Mapping[str, Domain]) -> None:
        if self._document.mx_managed_upstream is None:
            return
        part = "mx_managed_upstream"
        typed = enumerate(self._document.mx_managed_upstream, start=1)
        keyed = (
            (text if text in known else normalize(normalize_domain_name, text, f"{part}[{n}]"), n) for n, text in typed
        )
        upstream = index_unique(part, "", keyed)
        for name, n in upstream.items():
            if name not in domains:
                raise InvalidDocument(f"{part}[{n}]: {name} is not a domain of this workspace or file")
        for name in sorted(domains):
            was = name in known and known[name].mx_managed == "upstream"
            differs = _differences(mx_managed_upstream=(was, name in upstream))
            if differs:
                self._add_change(
                    Change("change", "domain", name, _format_differences(differs)), SetMxUpstream(name, not was)
                )

    def _plan_aliases(self, domains: set[str]) -> None:
        known = {(alias.domain, alias.local_key): alias for alias in self._current.aliases}
        wanted = self._document.aliases or ()
        keyed = ((alias_key(entry.address, f"aliases[{n}]"), entry) for n, entry in enumerate(wanted, start=1))
        entries = index_unique("aliases", "address", keyed)
        for n, (key, entry) in enumerate(entries.items(), start=1):
            if entry.integration is not None:
                self._plan.integration_refs.require(entry.integration, f"aliases[{n}].integration")
            alias = known.get(key)
            if alias is not None:
                self._compare_alias(entry, alias)
            elif key[0] not in domains:
                raise InvalidDocument(f"aliases[{n}].address: {key[0]} is not a domain of this workspace or file")
            elif entry.integration is None:
                raise InvalidDocument(f"aliases[{n}].integration is missing: {entry.address} is a new alias")
            else:
                local_part = new_local_part(entry.address, key[0], f"aliases[{n}]")
                status = f", {entry.status}" if entry.status == "disabled" else ""
                change = Change("add", "alias", entry.address, f"to {entry.integration}{status}")
                self._add_change(change, AddAlias(entry, key[0], local_part))
        if self._document.aliases is not None:
            for key, alias in known.items():
                if key not in entries:
                    self._plan_removal(alias.email, Remove("alias", alias.id))

    def _compare_alias(self, entry: AliasEntry, alias: Alias) -> None:
        differs = _differences(status=(alias.status, entry.status))
        if (
            entry.integration is not None
            and self._plan.integration_refs.find_id(entry.integration) != alias.integration_id
        ):
            differs["integration"] = (self._plan.integration_refs.find_name(alias.integration_id), entry.integration)
        if differs:
            self._add_change(
                Change("change", "alias", alias.email, _format_differences(differs)), ChangeAlias(alias, entry)
            )

    def _plan_blocked_senders(self) -> None:
        known = set(self._current.blocked_senders)
        forms = (
            (text if text in known else normalize_blocked_sender(text), text)
            for text in self._document.blocked_senders or ()
        )
        wanted = index_unique("blocked_senders", "", forms)
        for sender in wanted:
            if sender not in known:
                self._add_change(Change("add", "blocked_sender", sender), AddBlockedSender(sender))
        if self._document.blocked_senders is not None:
            for sender in self._current.blocked_senders:
                if sender not in wanted:
                    self._plan_removal(sender, Remove("blocked_sender", sender))

    def _plan_workspace(self) -> None:
        now, wanted = self._current.workspace, self._document.workspace
        settings = ("name", "timezone", "locale")
        differs = _differences(
            **{name: (getattr(now, name), getattr(wanted, name) or getattr(now, name)) for name in settings}
        )
        ref = wanted.default_integration
        if ref:
            self._plan.integration_refs.require(ref, "workspace.default_integration")
        if ref is not None:
            wanted_id = self._plan.integration_refs.find_id(ref) if ref else None
            if wanted_id != now.default_integration_id or (ref and wanted_id is None):
                differs["default_integration"] = (
                    self._plan.integration_refs.find_name(now.default_integration_id),
                    ref,
                )
        if differs:
            self._add_change(
                Change("change", "workspace", now.name, _format_differences(differs)), ChangeWorkspace(wanted)
            )

    def _add_change(self, change: Change, step: PlanStep) -> None:
        self._plan.changes.append(change)
        self._plan.steps.append(step)

    def _plan_removal(self, name: str, step: Remove) -> None:
        if not self._prune:
            self._plan.unmanaged.append(f"{step.kind} {name}")
        elif step.kind == "alias":  # first of all removals: the others wait for it
            self._add_change(Change("remove", step.kind, name), step)
        else:
            self._late_steps.append((Change("remove", step.kind, name), step))


def _differences(**pairs: tuple[object, object]) -> Differences:
    return {name: (was, becomes) for name, (was, becomes) in pairs.items() if was != becomes}


def _format_differences(differences: Differences) -> str:
    return ", ".join(
        f"{name}: {_format_value(was)} -> {_format_value(new)}" for name, (was, new) in differences.items()
    )


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "none"
