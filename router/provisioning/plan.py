"""The changes that bring a workspace to the state of a `WorkspaceDocument`, for display and for execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from router.channels.poster import SettingChanges
from router.model import Alias, Integration, User
from router.provisioning.document import AliasDefinition, IntegrationDefinition, UserDefinition, WorkspaceDefinition
from router.provisioning.entries import IntegrationReferences
from router.provisioning.section import SectionChange
from router.provisioning.sending_entries import SetSending

Removable = Literal["user", "domain", "integration", "alias"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change for display; it never contains a secret."""

    action: Literal["add", "change", "remove"]
    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AddUser:
    entry: UserDefinition


@dataclass(frozen=True, slots=True)
class ChangeUser:
    user: User
    entry: UserDefinition


@dataclass(frozen=True, slots=True)
class AddIntegration:
    entry: IntegrationDefinition
    type: str
    settings: SettingChanges = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangeIntegration:
    """Changes an integration. If `settings` is None, the current settings are kept."""

    integration: Integration
    entry: IntegrationDefinition
    settings: SettingChanges | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AddDomain:
    name: str


@dataclass(frozen=True, slots=True)
class SetMxUpstream:
    domain: str
    upstream: bool


@dataclass(frozen=True, slots=True)
class AddAlias:
    entry: AliasDefinition
    domain: str
    local_part: str


@dataclass(frozen=True, slots=True)
class ChangeAlias:
    alias: Alias
    entry: AliasDefinition


@dataclass(frozen=True, slots=True)
class ChangeWorkspace:
    entry: WorkspaceDefinition


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes an object. `key` is its id."""

    kind: Removable
    key: str


PlanStep = (
    AddUser
    | ChangeUser
    | AddIntegration
    | ChangeIntegration
    | AddDomain
    | SetMxUpstream
    | SetSending
    | AddAlias
    | ChangeAlias
    | ChangeWorkspace
    | Remove
    | SectionChange
)


@dataclass(slots=True)
class Plan:
    """The changes in order of execution, for display (`changes`) and for execution (`steps`).

    Attributes:
        integration_refs: Execution adds the integrations that it creates.
        domain_ids: The ids of domains by name; execution adds the domains that it creates.
        unmanaged: Objects that would be deleted with `prune`.
        notes: Hints about references that are not set.
    """

    integration_refs: IntegrationReferences
    domain_ids: dict[str, str]
    changes: list[Change] = field(default_factory=list)
    steps: list[PlanStep] = field(default_factory=list)
    unmanaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
