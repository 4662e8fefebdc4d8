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
    blocked_form,
    formed,
    judged,
    matched,
    new_alias,
    unique,
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
    same: bool


ReadSettings = Callable[[IntegrationEntry, Integration | None, str], ReferencedSettings]
"""Reads an entry's reference; the text is the place in the file, for errors."""


def plan_changes(wanted: WorkspaceDocument, now: Snapshot, read_secret: ReadSettings, *, prune: bool) -> Plan:
    """The plan that makes the workspace like the file. Raises `InvalidDocument`, and what `read_secret` raises."""
    return _Planner(wanted, now, read_secret, prune=prune).plan()


class _Planner:
    """One comparison. `_late` holds steps that others make possible: removals, and admins who lose the role."""

    def __init__(self, wanted: WorkspaceDocument, now: Snapshot, read_secret: ReadSettings, *, prune: bool) -> None:
        names = {now.workspace.name, *(user.name for user in now.users)}
        names |= {known for each in now.integrations for known in (each.id, each.name)}
        self._wanted = formed(wanted, names)
        self._now = now
        self._read_secret = read_secret
        self._prune = prune
        self._plan = Plan(IntegrationReferences(now.integrations), {domain.name: domain.id for domain in now.domains})
        self._late: list[tuple[Change, PlanStep]] = []

    def plan(self) -> Plan:
        self._users()
        self._integrations()
        # A domain can be removed when its aliases are gone, an integration too: removals stand in this order.
        after_domains, self._late = self._late, []
        self._aliases_and_domains()
        self._blocked_senders()
        self._workspace()
        for change, step in (*self._late, *after_domains):
            self._add(change, step)
        return self._plan

    def _users(self) -> None:
        known = {user.email: user for user in self._now.users}
        typed = enumerate(self._wanted.users or (), start=1)
        keyed = ((judged(normalize_email, each.email, f"users[{n}].email"), each) for n, each in typed)
        entries = unique("users", "email", keyed)
        for email, entry in entries.items():
            user = known.get(email)
            if user is None:
                self._add(Change("add", "user", email, entry.role), AddUser(entry))
                continue
            differs = _differing(
                name=(user.name, entry.name),
                role=(user.role, entry.role),
                disabled=(user.disabled_at is not None, entry.disabled),
            )
            if entry.timezone is not None:
                differs |= _differing(timezone=(user.timezone or "", entry.timezone))
            if differs:
                change = Change("change", "user", email, _becomes(differs))
                step = ChangeUser(user, entry)
                # Who becomes admin does so before another one ceases to be the last.
                if entry.role == "admin" and not entry.disabled:
                    self._add(change, step)
                else:
                    self._late.append((change, step))
        if self._wanted.users is not None:
            for user in self._now.users:
                if user.email not in entries:
                    self._remove(user.email, Remove("user", user.id))

    def _integrations(self) -> None:
        pairs = matched(self._wanted.integrations or (), self._now.integrations)
        for n, (entry, current) in enumerate(pairs, start=1):
            place = f"integrations[{n}]"
            if current is not None and entry.type != current.type:
                raise InvalidDocument(
                    f"{place}.type: {current.name!r} has type {current.type}, which cannot be changed to {entry.type}"
                )
            secret = self._read_secret(entry, current, place)
            self._plan.refs.expect(entry, current, place)
            if current is None:
                if secret.settings is None:
                    raise Refused(
                        "invalid_integration",
                        f"{place}.webhook_url: {entry.webhook_url} is not set, but required to add {entry.name!r}",
                    )
                change = Change("add", "integration", entry.name, entry.type)
                self._add(change, AddIntegration(entry, secret.settings))
                continue
            settings = None if secret.same else secret.settings
            if secret.settings is None:
                self._plan.notes.append(
                    f"integration {entry.name}: {entry.webhook_url} is not set, so its webhook URL stays unchanged"
                )
            differs = _differing(name=(current.name, entry.name))
            if settings is not None:
                differs["webhook_url"] = (current.hint, entry.webhook_url)
            if differs:
                step = ChangeIntegration(current, entry, settings)
                self._add(Change("change", "integration", current.name, _becomes(differs)), step)
        if self._wanted.integrations is not None:
            taken = {current.id for _, current in pairs if current is not None}
            for integration in self._now.integrations:
                if integration.id not in taken:
                    self._remove(integration.name, Remove("integration", integration.id))

    def _aliases_and_domains(self) -> None:
        known = {domain.name: domain for domain in self._now.domains}
        # A name that is there already is compared, not judged: it may be older than today's rules.
        typed = enumerate(self._wanted.domains or (), start=1)
        keyed = (
            (text if text in known else judged(normalize_domain_name, text, f"domains[{n}]"), text) for n, text in typed
        )
        domains = unique("domains", "", keyed)
        for name in domains:
            if name not in known:
                change = Change("add", "domain", name, "publish its DNS records, then verify it")
                self._add(change, AddDomain(name))
        leaving = set(known) - set(domains) if self._prune and self._wanted.domains is not None else set()
        self._mx_managed({*known, *domains} - leaving, known)
        self._aliases({*known, *domains})
        if self._wanted.domains is not None:
            for name, domain in known.items():
                if name not in domains:
                    self._remove(name, Remove("domain", domain.id))

    def _mx_managed(self, domains: set[str], known: Mapping[str, Domain]) -> None:
        if self._wanted.mx_managed_upstream is None:
            return
        part = "mx_managed_upstream"
        typed = enumerate(self._wanted.mx_managed_upstream, start=1)
        keyed = (
            (text if text in known else judged(normalize_domain_name, text, f"{part}[{n}]"), n) for n, text in typed
        )
        upstream = unique(part, "", keyed)
        for name, n in upstream.items():
            if name not in domains:
                raise InvalidDocument(f"{part}[{n}]: {name} is not a domain of this workspace or file")
        for name in sorted(domains):
            was = name in known and known[name].mx_managed == "upstream"
            differs = _differing(mx_managed_upstream=(was, name in upstream))
            if differs:
                self._add(Change("change", "domain", name, _becomes(differs)), SetMxUpstream(name, not was))

    def _aliases(self, domains: set[str]) -> None:
        known = {(alias.domain, alias.local_key): alias for alias in self._now.aliases}
        wanted = self._wanted.aliases or ()
        keyed = ((alias_key(entry.address, f"aliases[{n}]"), entry) for n, entry in enumerate(wanted, start=1))
        entries = unique("aliases", "address", keyed)
        for n, (key, entry) in enumerate(entries.items(), start=1):
            if entry.integration is not None:
                self._plan.refs.check(entry.integration, f"aliases[{n}].integration")
            alias = known.get(key)
            if alias is not None:
                self._compare_alias(entry, alias)
            elif key[0] not in domains:
                raise InvalidDocument(f"aliases[{n}].address: {key[0]} is not a domain of this workspace or file")
            elif entry.integration is None:
                raise InvalidDocument(f"aliases[{n}].integration is missing: {entry.address} is a new alias")
            else:
                local_part = new_alias(entry.address, key[0], f"aliases[{n}]")
                status = f", {entry.status}" if entry.status == "disabled" else ""
                change = Change("add", "alias", entry.address, f"to {entry.integration}{status}")
                self._add(change, AddAlias(entry, key[0], local_part))
        if self._wanted.aliases is not None:
            for key, alias in known.items():
                if key not in entries:
                    self._remove(alias.email, Remove("alias", alias.id))

    def _compare_alias(self, entry: AliasEntry, alias: Alias) -> None:
        differs = _differing(status=(alias.status, entry.status))
        if entry.integration is not None and self._plan.refs.id_of(entry.integration) != alias.integration_id:
            differs["integration"] = (self._plan.refs.name_of(alias.integration_id), entry.integration)
        if differs:
            self._add(Change("change", "alias", alias.email, _becomes(differs)), ChangeAlias(alias, entry))

    def _blocked_senders(self) -> None:
        known = set(self._now.blocked_senders)
        forms = ((text if text in known else blocked_form(text), text) for text in self._wanted.blocked_senders or ())
        wanted = unique("blocked_senders", "", forms)
        for sender in wanted:
            if sender not in known:
                self._add(Change("add", "blocked_sender", sender), AddBlockedSender(sender))
        if self._wanted.blocked_senders is not None:
            for sender in self._now.blocked_senders:
                if sender not in wanted:
                    self._remove(sender, Remove("blocked_sender", sender))

    def _workspace(self) -> None:
        now, wanted = self._now.workspace, self._wanted.workspace
        settings = ("name", "timezone", "locale")
        differs = _differing(
            **{name: (getattr(now, name), getattr(wanted, name) or getattr(now, name)) for name in settings}
        )
        ref = wanted.default_integration
        if ref:
            self._plan.refs.check(ref, "workspace.default_integration")
        if ref is not None:
            wanted_id = self._plan.refs.id_of(ref) if ref else None
            if wanted_id != now.default_integration_id or (ref and wanted_id is None):
                differs["default_integration"] = (self._plan.refs.name_of(now.default_integration_id), ref)
        if differs:
            self._add(Change("change", "workspace", now.name, _becomes(differs)), ChangeWorkspace(wanted))

    def _add(self, change: Change, step: PlanStep) -> None:
        self._plan.changes.append(change)
        self._plan.steps.append(step)

    def _remove(self, name: str, step: Remove) -> None:
        if not self._prune:
            self._plan.kept.append(f"{step.kind} {name}")
        elif step.kind == "alias":  # first of all removals: the others wait for it
            self._add(Change("remove", step.kind, name), step)
        else:
            self._late.append((Change("remove", step.kind, name), step))


def _differing(**pairs: tuple[object, object]) -> Differences:
    return {name: (was, becomes) for name, (was, becomes) in pairs.items() if was != becomes}


def _becomes(differences: Differences) -> str:
    return ", ".join(f"{name}: {_said(was)} -> {_said(new)}" for name, (was, new) in differences.items())


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "none"
