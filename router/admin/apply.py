"""Makes a workspace like a `Blueprint`: first the plan, in words for people, then the changes, by the use cases.

`Apply.plan` decides everything and changes nothing; it refuses what could not be done (an alias of no domain, a new
integration whose secret cannot be had). `perform` then makes the changes in an order in which each is possible. Each
is a transaction of its own: one that is refused ends it there, and applying again goes on. Applying twice changes
nothing the second time. What is in the workspace and not in the file is removed only when `prune` says so.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from router.admin.blueprint import AliasEntry, Blueprint, IntegrationEntry, NotABlueprint, UserEntry
from router.admin.domain_names import domain_name
from router.admin.entries import Refs, alias_key, blocked_form, formed, judged, matched, new_alias, unique
from router.admin.export import Parts, Snapshot
from router.admin.users import sign_in_address
from router.channels.contract import Channel
from router.errors import Refused
from router.model import Actor, Alias, Domain, Integration, User
from router.secrets import SecretBox, Unsealable

# The text a reference stands for; None: it stands for nothing here.
Resolve = Callable[[str], str | None]
Kind = Literal["workspace", "user", "domain", "integration", "alias", "blocked_sender"]
Differences = dict[str, tuple[object, object]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. detail: what becomes what, without secrets."""

    action: Literal["add", "change", "remove"]
    kind: Kind
    name: str
    detail: str = ""


@dataclass(slots=True)
class Plan:
    """What would be done, in order. kept: what only `prune` would remove. notes: what could not be compared."""

    changes: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: list[Callable[[], Awaitable[object]]] = field(default_factory=list)


async def perform(plan: Plan) -> None:
    """Makes the changes; one that is refused ends it there."""
    for step in plan.steps:
        await step()


class Apply:
    """resolve: reads a reference, at the edge. allow_private: `[delivery] allow_private_networks`."""

    def __init__(
        self,
        parts: Parts,
        channels: Mapping[str, Channel[Any]],
        box: SecretBox,
        resolve: Resolve,
        *,
        allow_private: bool,
    ) -> None:
        self._parts = parts
        self._channels = channels
        self._box = box
        self._resolve = resolve
        self._allow_private = allow_private

    def plan(self, actor: Actor, wanted: Blueprint, now: Snapshot, *, prune: bool) -> Plan:
        """Raises `NotABlueprint` for a file that contradicts itself, `Refused` for what cannot be had."""
        return _Planner(self._parts, actor, wanted, now, self._settings, prune=prune).plan()

    def _settings(self, entry: IntegrationEntry, current: Integration | None, place: str) -> _Secret:
        """What an entry's reference says, and whether that is what the integration has."""
        channel = self._channels.get(entry.type)
        if channel is None:
            raise NotABlueprint(f"{place}.type must be one of: {', '.join(sorted(self._channels))}")
        url = self._resolve(entry.webhook_url)
        if url is None:
            return _Secret(None, same=False)
        settings = {"webhookUrl": url}
        try:
            wanted = channel.dump_settings(channel.parse_settings(settings, allow_private=self._allow_private))
        except Refused as refused:
            raise Refused(refused.code, f"{place}.webhook_url ({entry.webhook_url}): {refused.message}") from None
        if current is None:
            return _Secret(settings, same=False)
        try:
            return _Secret(settings, same=json.loads(self._box.open(current.sealed_settings)) == wanted)
        except (Unsealable, ValueError):
            return _Secret(settings, same=False)


@dataclass(frozen=True, slots=True)
class _Secret:
    settings: dict[str, str] | None = field(repr=False)
    same: bool


class _Planner:
    """One comparison. Later steps (`_late`) are those that others make possible: removals, and admins who cease."""

    def __init__(
        self,
        parts: Parts,
        actor: Actor,
        wanted: Blueprint,
        now: Snapshot,
        secret: Callable[[IntegrationEntry, Integration | None, str], _Secret],
        *,
        prune: bool,
    ) -> None:
        self._parts = parts
        self._actor = actor
        names = {now.workspace.name, *(user.name for user in now.users)}
        names |= {known for each in now.integrations for known in (each.id, each.name)}
        self._wanted = formed(wanted, names)
        self._now = now
        self._secret = secret
        self._prune = prune
        self._plan = Plan()
        self._late: list[tuple[Change, Callable[[], Awaitable[object]]]] = []
        self._refs = Refs(now.integrations)
        self._domain_ids = {domain.name: domain.id for domain in now.domains}

    def plan(self) -> Plan:
        self._users()
        self._integrations()
        # A domain can be removed when its aliases are gone, an integration too: removals stand in this order.
        removed_integrations, self._late = self._late, []
        self._aliases_and_domains()
        self._blocked_senders()
        self._workspace()
        for change, step in (*self._late, *removed_integrations):
            self._do(change, step)
        return self._plan

    def _users(self) -> None:
        known = {user.email: user for user in self._now.users}
        typed = enumerate(self._wanted.users or (), start=1)
        keyed = ((judged(sign_in_address, each.email, f"users[{n}].email"), each) for n, each in typed)
        entries = unique("users", "email", keyed)
        for email, entry in entries.items():
            user = known.get(email)
            if user is None:
                self._do(Change("add", "user", email, entry.role), partial(self._add_user, entry))
                continue
            differs = _differing(
                name=(user.name, entry.name),
                role=(user.role, entry.role),
                disabled=(user.disabled_at is not None, entry.disabled),
            )
            if differs:
                change = Change("change", "user", email, _becomes(differs))
                step = partial(self._change_user, user, entry)
                # Who becomes admin does so before another one ceases to be the last.
                if entry.role == "admin" and not entry.disabled:
                    self._do(change, step)
                else:
                    self._late.append((change, step))
        if self._wanted.users is not None:
            for user in self._now.users:
                if user.email not in entries:
                    self._remove("user", user.email, partial(self._parts.users.delete, self._actor, user.id))

    def _integrations(self) -> None:
        pairs = matched(self._wanted.integrations or (), self._now.integrations)
        for n, (entry, current) in enumerate(pairs, start=1):
            place = f"integrations[{n}]"
            if current is not None and entry.type != current.type:
                raise NotABlueprint(f"{place}.type: {current.name!r} is {current.type} and cannot be {entry.type}")
            secret = self._secret(entry, current, place)
            self._refs.expect(entry, current, place)
            if current is None:
                if secret.settings is None:
                    raise Refused(
                        "invalid_integration",
                        f"{place}.webhook_url: {entry.webhook_url} is not set here, and {entry.name!r} is new",
                    )
                change = Change("add", "integration", entry.name, entry.type)
                self._do(change, partial(self._add_integration, entry, secret.settings))
                continue
            settings = None if secret.same else secret.settings
            if secret.settings is None:
                self._plan.notes.append(
                    f"integration {entry.name}: {entry.webhook_url} is not set here, its URL stays as it is"
                )
            differs = _differing(name=(current.name, entry.name))
            if settings is not None:
                differs["webhook_url"] = (current.hint, entry.webhook_url)
            if differs:
                step = partial(
                    self._parts.integrations.change, self._actor, current.id, name=entry.name, settings=settings
                )
                self._do(Change("change", "integration", current.name, _becomes(differs)), step)
        if self._wanted.integrations is not None:
            taken = {current.id for _, current in pairs if current is not None}
            for integration in self._now.integrations:
                if integration.id not in taken:
                    removal = partial(self._parts.integrations.delete, self._actor, integration.id)
                    self._remove("integration", integration.name, removal)

    def _aliases_and_domains(self) -> None:
        known = {domain.name: domain for domain in self._now.domains}
        # A name that is there already is compared, not judged: it may be older than today's rules.
        typed = enumerate(self._wanted.domains or (), start=1)
        keyed = ((text if text in known else judged(domain_name, text, f"domains[{n}]"), text) for n, text in typed)
        domains = unique("domains", "", keyed)
        for name in domains:
            if name not in known:
                change = Change("add", "domain", name, "its DNS records are to be set, then verified")
                self._do(change, partial(self._add_domain, name))
        leaving = set(known) - set(domains) if self._prune and self._wanted.domains is not None else set()
        self._mx_managed({*known, *domains} - leaving, known)
        self._aliases({*known, *domains})
        if self._wanted.domains is not None:
            for name, domain in known.items():
                if name not in domains:
                    self._remove("domain", name, partial(self._parts.domains.delete, self._actor, domain.id))

    def _mx_managed(self, domains: set[str], known: Mapping[str, Domain]) -> None:
        if self._wanted.mx_managed_upstream is None:
            return
        part = "mx_managed_upstream"
        typed = enumerate(self._wanted.mx_managed_upstream, start=1)
        keyed = ((text if text in known else judged(domain_name, text, f"{part}[{n}]"), n) for n, text in typed)
        upstream = unique(part, "", keyed)
        for name, n in upstream.items():
            if name not in domains:
                raise NotABlueprint(f"{part}[{n}]: {name} is no domain of this workspace or file")
        for name in sorted(domains):
            was = name in known and known[name].mx_managed == "upstream"
            differs = _differing(mx_managed_upstream=(was, name in upstream))
            if differs:
                self._do(Change("change", "domain", name, _becomes(differs)), partial(self._set_mx, name, not was))

    def _aliases(self, domains: set[str]) -> None:
        known = {(alias.domain, alias.local_key): alias for alias in self._now.aliases}
        wanted = self._wanted.aliases or ()
        keyed = ((alias_key(entry.address, f"aliases[{n}]"), entry) for n, entry in enumerate(wanted, start=1))
        entries = unique("aliases", "address", keyed)
        for n, (key, entry) in enumerate(entries.items(), start=1):
            if entry.integration is not None:
                self._refs.check(entry.integration, f"aliases[{n}].integration")
            alias = known.get(key)
            if alias is not None:
                self._compare_alias(entry, alias)
            elif key[0] not in domains:
                raise NotABlueprint(f"aliases[{n}].address: {key[0]} is no domain of this workspace or file")
            elif entry.integration is None:
                raise NotABlueprint(f"aliases[{n}].integration is missing, and {entry.address} is new")
            else:
                local_part = new_alias(entry.address, key[0], f"aliases[{n}]")
                status = f", {entry.status}" if entry.status == "disabled" else ""
                change = Change("add", "alias", entry.address, f"to {entry.integration}{status}")
                self._do(change, partial(self._add_alias, entry, key[0], local_part))
        if self._wanted.aliases is not None:
            for key, alias in known.items():
                if key not in entries:
                    self._remove("alias", alias.email, partial(self._parts.aliases.delete, self._actor, alias.id))

    def _compare_alias(self, entry: AliasEntry, alias: Alias) -> None:
        differs = _differing(status=(alias.status, entry.status))
        if entry.integration is not None and self._refs.id_of(entry.integration) != alias.integration_id:
            differs["integration"] = (self._refs.name_of(alias.integration_id), entry.integration)
        if differs:
            step = partial(self._change_alias, alias, entry)
            self._do(Change("change", "alias", alias.email, _becomes(differs)), step)

    def _blocked_senders(self) -> None:
        known = set(self._now.blocked_senders)
        forms = ((text if text in known else blocked_form(text), text) for text in self._wanted.blocked_senders or ())
        wanted = unique("blocked_senders", "", forms)
        for sender in wanted:
            if sender not in known:
                step = partial(self._parts.blocked_senders.create, self._actor, sender)
                self._do(Change("add", "blocked_sender", sender), step)
        if self._wanted.blocked_senders is not None:
            for sender in self._now.blocked_senders:
                if sender not in wanted:
                    removal = partial(self._parts.blocked_senders.delete, self._actor, sender)
                    self._remove("blocked_sender", sender, removal)

    def _workspace(self) -> None:
        now, wanted = self._now.workspace, self._wanted.workspace
        differs: Differences = {} if wanted.name is None else _differing(name=(now.name, wanted.name))
        ref = wanted.default_integration
        if ref:
            self._refs.check(ref, "workspace.default_integration")
        if ref is not None:
            wanted_id = self._refs.id_of(ref) if ref else None
            if wanted_id != now.default_integration_id or (ref and wanted_id is None):
                differs["default_integration"] = (self._refs.name_of(now.default_integration_id), ref)
        if differs:
            step = partial(self._change_workspace, wanted.name, wanted.default_integration)
            self._do(Change("change", "workspace", now.name, _becomes(differs)), step)

    # --- collecting

    def _do(self, change: Change, step: Callable[[], Awaitable[object]]) -> None:
        self._plan.changes.append(change)
        self._plan.steps.append(step)

    def _remove(self, kind: Kind, name: str, step: Callable[[], Awaitable[object]]) -> None:
        if not self._prune:
            self._plan.kept.append(f"{kind} {name}")
        elif kind == "alias":  # first of all removals: the others wait for it
            self._do(Change("remove", kind, name), step)
        else:
            self._late.append((Change("remove", kind, name), step))

    # --- steps of more than one call, or with ids that are known only then

    async def _add_user(self, entry: UserEntry) -> None:
        made = await self._parts.users.create(self._actor, email=entry.email, name=entry.name, role=entry.role)
        if entry.disabled:
            await self._parts.users.change(self._actor, made.id, disabled=True)

    async def _change_user(self, user: User, entry: UserEntry) -> None:
        await self._parts.users.change(self._actor, user.id, name=entry.name, role=entry.role, disabled=entry.disabled)

    async def _add_integration(self, entry: IntegrationEntry, settings: Mapping[str, str]) -> None:
        made = await self._parts.integrations.create(self._actor, type=entry.type, name=entry.name, settings=settings)
        self._refs.made(entry, made)

    async def _add_domain(self, name: str) -> None:
        self._domain_ids[name] = (await self._parts.domains.create(self._actor, name)).domain.id

    async def _set_mx(self, name: str, upstream: bool) -> None:
        await self._parts.domains.set_mx_upstream(self._actor, self._domain_ids[name], upstream)

    async def _add_alias(self, entry: AliasEntry, domain: str, local_part: str) -> None:
        made = await self._parts.aliases.create(
            self._actor,
            domain_id=self._domain_ids[domain],
            local_part=local_part,
            integration_id=self._refs.id_of(entry.integration or "") or "",
        )
        if entry.status != made.status:
            await self._parts.aliases.change(self._actor, made.id, status=entry.status)

    async def _change_alias(self, alias: Alias, entry: AliasEntry) -> None:
        integration_id = None if entry.integration is None else self._refs.id_of(entry.integration)
        if integration_id == alias.integration_id:
            integration_id = None
        await self._parts.aliases.change(self._actor, alias.id, integration_id=integration_id, status=entry.status)

    async def _change_workspace(self, name: str | None, default: str | None) -> None:
        await self._parts.workspaces.change(
            self._actor,
            name=name,
            default_integration_id=self._refs.id_of(default) if default else None,
            without_default=default == "",
        )


def _differing(**pairs: tuple[object, object]) -> Differences:
    return {name: (was, becomes) for name, (was, becomes) in pairs.items() if was != becomes}


def _becomes(differences: Differences) -> str:
    return ", ".join(f"{name}: {_said(was)} -> {_said(new)}" for name, (was, new) in differences.items())


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "none"
