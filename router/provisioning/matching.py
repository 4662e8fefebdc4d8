"""Compares a `WorkspaceDocument` with a workspace and builds a `Plan`.

Rejects impossible changes. Each step comes after the steps that it depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from router.admin.access.users import normalize_email
from router.admin.domains.domain_names import normalize_domain_name
from router.checks import policy
from router.model import Alias, Domain, Integration
from router.provisioning.document import AliasDefinition, IntegrationDefinition, WorkspaceDocument
from router.provisioning.entries import (
    IntegrationReferences,
    alias_key,
    match_integrations,
    new_local_part,
    normalize_document,
)
from router.provisioning.entry import (
    Differences,
    InvalidDocument,
    differences,
    format_differences,
    index_unique,
    normalize,
)
from router.provisioning.export import Snapshot
from router.provisioning.plan import (
    AddAlias,
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
from router.provisioning.reply_settings import compare_reply_settings, require_template, template_names
from router.provisioning.sections import SECTIONS
from router.provisioning.sending_entries import SendingPlanner, SetSending


@dataclass(frozen=True, slots=True)
class PlannedSettings:
    """The settings of an entry that differ from those of its integration.

    Attributes:
        type: The type of the integration.
        changes: The changed settings by name; None removes one.
        differences: The old and the new value of each change for display, by key. Secret values are masked.
        notes: Which references are not set.
    """

    type: str
    changes: dict[str, str | None] = field(repr=False)
    differences: Differences
    notes: list[str]


ReadSettings = Callable[[IntegrationDefinition, Integration | None, str], PlannedSettings]
"""Resolves and compares the settings of an entry. The `str` is the location of the entry, for errors."""


def plan_changes(
    document: WorkspaceDocument,
    current: Snapshot,
    read_settings: ReadSettings,
    sending: SendingPlanner,
    *,
    prune: bool,
) -> Plan:
    """Builds the plan.

    Raises:
        InvalidDocument: The document is invalid or does not fit the workspace.
        Refused: A secret is missing or invalid.
    """
    return _Planner(document, current, read_settings, sending, prune=prune).build()


class _Planner:
    """Builds one plan. The steps in `_late_steps`, for example the removal of a domain, come after the other steps."""

    def __init__(
        self,
        document: WorkspaceDocument,
        current: Snapshot,
        read_settings: ReadSettings,
        sending: SendingPlanner,
        *,
        prune: bool,
    ) -> None:
        names = {current.workspace.name, *(user.name for user in current.users)}
        names |= {name for each in current.integrations for name in (each.id, each.name)}
        self._document = normalize_document(document, names)
        self._current = current
        self._read_settings = read_settings
        self._sending = sending
        self._prune = prune
        self._template_names = template_names(self._document, current.sections.get("templates", ()))
        domain_ids = {domain.name: domain.id for domain in current.domains}
        self._plan = Plan(IntegrationReferences(current.integrations), domain_ids)
        self._late_steps: list[tuple[Change, PlanStep]] = []

    def build(self) -> Plan:
        self._plan_users()
        self._plan_integrations()
        self._plan_sections(used_by_aliases=True)
        # A domain, an integration or a template can be removed only after the aliases that use it.
        after_domains, self._late_steps = self._late_steps, []
        self._plan_domains()
        self._plan_sections(used_by_aliases=False)
        self._plan_workspace()
        for change, step in (*self._late_steps, *after_domains):
            self._add_change(change, step)
        return self._plan

    def _plan_users(self) -> None:
        existing = {user.email: user for user in self._current.users}
        numbered = enumerate(self._document.users or (), start=1)
        keyed = ((normalize(normalize_email, each.email, f"users[{n}].email"), each) for n, each in numbered)
        entries = index_unique("users", "email", keyed)
        for email, entry in entries.items():
            user = existing.get(email)
            if user is None:
                self._add_change(Change("add", "user", email, entry.role), AddUser(entry))
                continue
            changed = differences(
                name=(user.name, entry.name),
                role=(user.role, entry.role),
                disabled=(user.disabled_at is not None, entry.disabled),
            )
            if entry.timezone is not None:
                changed |= differences(timezone=(user.timezone or "", entry.timezone))
            if changed:
                change = Change("change", "user", email, format_differences(changed))
                step = ChangeUser(user, entry)
                # New admins precede other changes, because the last admin cannot lose the role.
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
            location = f"integrations[{n}]"
            if current is not None and entry.type not in (None, current.type):
                raise InvalidDocument(
                    f"{location}.type: {current.name!r} has type {current.type}, which cannot change to {entry.type}"
                )
            planned = self._read_settings(entry, current, location)
            self._plan.notes += planned.notes
            self._plan.integration_refs.add_entry(entry, current, location)
            if current is None:
                change = Change("add", "integration", entry.name, planned.type)
                self._add_change(change, AddIntegration(entry, planned.type, planned.changes))
                continue
            changed = differences(name=(current.name, entry.name)) | planned.differences
            if changed:
                step = ChangeIntegration(current, entry, planned.changes or None)
                self._add_change(Change("change", "integration", current.name, format_differences(changed)), step)
        if self._document.integrations is not None:
            matched_ids = {current.id for _, current in pairs if current is not None}
            for integration in self._current.integrations:
                if integration.id not in matched_ids:
                    self._plan_removal(integration.name, Remove("integration", integration.id))

    def _plan_domains(self) -> None:
        existing = {domain.name: domain for domain in self._current.domains}
        # Existing names may predate the current rules.
        numbered = enumerate(self._document.domains or (), start=1)
        keyed = (
            (text if text in existing else normalize(normalize_domain_name, text, f"domains[{n}]"), text)
            for n, text in numbered
        )
        domains = index_unique("domains", "", keyed)
        for name in domains:
            if name not in existing:
                change = Change("add", "domain", name, "publish its DNS records, then verify it")
                self._add_change(change, AddDomain(name))
        removed = set(existing) - set(domains) if self._prune and self._document.domains is not None else set()
        self._plan_mx_upstream({*existing, *domains} - removed, existing)
        self._plan_sending({*existing, *domains} - removed, existing)
        self._plan_aliases({*existing, *domains})
        if self._document.domains is not None:
            for name, domain in existing.items():
                if name not in domains:
                    self._plan_removal(name, Remove("domain", domain.id))

    def _plan_mx_upstream(self, domains: set[str], existing: Mapping[str, Domain]) -> None:
        if self._document.mx_managed_upstream is None:
            return
        section = "mx_managed_upstream"
        numbered = enumerate(self._document.mx_managed_upstream, start=1)
        keyed = (
            (text if text in existing else normalize(normalize_domain_name, text, f"{section}[{n}]"), n)
            for n, text in numbered
        )
        upstream = index_unique(section, "", keyed)
        for name, n in upstream.items():
            if name not in domains:
                raise InvalidDocument(f"{section}[{n}]: {name} is not a domain of this workspace or file")
        for name in sorted(domains):
            was_upstream = name in existing and existing[name].mx_managed == "upstream"
            changed = differences(mx_managed_upstream=(was_upstream, name in upstream))
            if changed:
                self._add_change(
                    Change("change", "domain", name, format_differences(changed)),
                    SetMxUpstream(name, not was_upstream),
                )

    def _plan_sending(self, domains: set[str], existing: Mapping[str, Domain]) -> None:
        if self._document.sending is None:
            return
        entries = self._document.sending
        listed = set()
        for planned in self._sending.plan(entries, existing, domains):
            listed.add(planned.domain)
            if planned.note:
                self._plan.notes.append(planned.note)
            if planned.step is not None:
                self._add_change(Change("change", "domain", planned.domain, planned.detail), planned.step)
        for name in sorted(domains - listed):
            domain = existing.get(name)
            if domain is None or (domain.sending == "off" and not domain.smarthost_hint):
                continue
            if self._prune:
                step = SetSending(name, False, keeps_smarthost=not domain.smarthost_hint)
                self._add_change(Change("remove", "sending", name), step)
            else:
                self._plan.unmanaged.append(f"sending {name}")

    def _plan_aliases(self, domains: set[str]) -> None:
        existing = {(alias.domain, alias.local_key): alias for alias in self._current.aliases}
        numbered = enumerate(self._document.aliases or (), start=1)
        keyed = ((alias_key(entry.address, f"aliases[{n}]"), entry) for n, entry in numbered)
        entries = index_unique("aliases", "address", keyed)
        for n, (key, entry) in enumerate(entries.items(), start=1):
            if entry.integration is not None:
                self._plan.integration_refs.require(entry.integration, f"aliases[{n}].integration")
            require_template(entry.acknowledge, self._template_names, f"aliases[{n}].acknowledge")
            alias = existing.get(key)
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
            for key, alias in existing.items():
                if key not in entries:
                    self._plan_removal(alias.email, Remove("alias", alias.id))

    def _compare_alias(self, entry: AliasDefinition, alias: Alias) -> None:
        changed = differences(status=(alias.status, entry.status))
        if entry.forwarded_from is not None:
            changed |= differences(forwarded_from=(alias.forwarded_from or "", entry.forwarded_from))
        if entry.sender_checks is not None:
            changed |= _compare_checks(policy.read_overrides(alias.check_policy), entry.sender_checks.model_dump())
        changed |= compare_reply_settings(entry, alias, self._current.sections.get("templates", ()))
        if (
            entry.integration is not None
            and self._plan.integration_refs.find_id(entry.integration) != alias.integration_id
        ):
            changed["integration"] = (
                self._plan.integration_refs.find_name(alias.integration_id),
                entry.integration,
            )
        if changed:
            self._add_change(
                Change("change", "alias", alias.email, format_differences(changed)), ChangeAlias(alias, entry)
            )

    def _plan_sections(self, *, used_by_aliases: bool) -> None:
        for section in SECTIONS:
            entries = getattr(self._document, section.key)
            if entries is None or section.is_used_by_aliases != used_by_aliases:
                continue
            for planned in section.plan(entries, self._current.sections.get(section.key, ())):
                change = Change(planned.action, section.kind, planned.name, planned.detail)
                if planned.action == "remove" and not self._prune:
                    self._plan.unmanaged.append(f"{section.kind} {planned.name}")
                elif planned.action == "remove" and used_by_aliases:
                    self._late_steps.append((change, planned))
                else:
                    self._add_change(change, planned)

    def _plan_workspace(self) -> None:
        current, entry = self._current.workspace, self._document.workspace
        settings = ("name", "timezone", "locale")
        changed = differences(
            **{name: (getattr(current, name), getattr(entry, name) or getattr(current, name)) for name in settings}
        )
        if entry.sender_checks is not None:
            new = policy.effective_values(policy.change_overrides("{}", entry.sender_checks.model_dump()))
            changed |= _compare_checks(policy.effective_values(current.check_policy), new)
        ref = entry.default_integration
        if ref:
            self._plan.integration_refs.require(ref, "workspace.default_integration")
        if ref is not None:
            new_id = self._plan.integration_refs.find_id(ref) if ref else None
            if new_id != current.default_integration_id or (ref and new_id is None):
                changed["default_integration"] = (
                    self._plan.integration_refs.find_name(current.default_integration_id),
                    ref,
                )
        if changed:
            self._add_change(
                Change("change", "workspace", current.name, format_differences(changed)), ChangeWorkspace(entry)
            )

    def _add_change(self, change: Change, step: PlanStep) -> None:
        self._plan.changes.append(change)
        self._plan.steps.append(step)

    def _plan_removal(self, name: str, step: Remove) -> None:
        if not self._prune:
            self._plan.unmanaged.append(f"{step.kind} {name}")
        elif step.kind == "alias":  # removed before its domain and its integration
            self._add_change(Change("remove", step.kind, name), step)
        else:
            self._late_steps.append((Change("remove", step.kind, name), step))


def _compare_checks(old: Mapping[str, object], new: Mapping[str, object]) -> Differences:
    return differences(**{name: (old.get(name), new[name]) for name in policy.PUBLIC_NAMES})
