"""Domains, aliases and integrations: where mail comes in, and where its tickets go."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from router.enumerations import (
    AliasStatus,
    BlockAction,
    DkimAlgorithm,
    DomainStatus,
    IntegrationStatus,
    MxManaged,
    SendingStatus,
)
from router.model.time import Micros


@dataclass(frozen=True, slots=True)
class Domain:
    """A mail domain of a workspace.

    Attributes:
        name, records: The A-label form in lower case, and the result of the last check as JSON.
        mx_managed: `upstream` if another relay receives the mail, so that only the TXT record verifies the domain.
        misses: The number of rechecks that found no correct record, since the last check that found one.
        alert: The text of the pending alert to the domain's integrations.
        sending: Whether replies can be sent from the domain. `sending_records`: the last check of its records.
        encrypted_smarthost: The URL and the password of a smarthost of its own; `smarthost_hint` is its URL.
    """

    id: str
    workspace_id: str
    name: str
    status: DomainStatus
    token: str
    records: str
    created_at: Micros
    verified_at: Micros | None
    checked_at: Micros | None
    mx_managed: MxManaged = "here"
    misses: int = 0
    missing_since: Micros | None = None
    next_check_at: Micros = 0
    alert: str = ""
    alert_at: Micros | None = None
    sending: SendingStatus = "off"
    sending_records: str = "[]"
    sending_checked_at: Micros | None = None
    encrypted_smarthost: str = ""
    smarthost_hint: str = ""

    @property
    def verified(self) -> bool:
        return self.status == "active"

    @property
    def mx_managed_upstream(self) -> bool:
        return self.mx_managed == "upstream"


@dataclass(frozen=True, slots=True)
class Integration:
    """A target that tickets are posted to. `public_settings` is a JSON object with null for each secret that is set.

    Attributes:
        hint: The target, masked for display.
        probe_at: When the next parked delivery of a failing integration is tried, `probe_interval` after the last one.
        paced_at: See `router.dispatch.pacing`.
        updates_after: When the service accepts changes of messages again.
        last_test_at: When the last test with the current settings was sent; `last_test_error` is "" if it arrived.
    """

    id: str
    workspace_id: str
    type: str
    name: str
    created_at: Micros
    encrypted_settings: str
    hint: str
    public_settings: str = "{}"
    status: IntegrationStatus = "active"
    last_error: str = ""
    failing_since: Micros | None = None
    probe_at: Micros | None = None
    probe_interval: int = 0
    paced_at: Micros = 0
    lease_until: Micros = 0
    updates_after: Micros = 0
    last_test_at: Micros | None = None
    last_test_error: str = ""

    @property
    def is_tested(self) -> bool:
        return self.last_test_at is not None and not self.last_test_error

    @property
    def settings(self) -> dict[str, str]:
        """The settings that are not secret."""
        return {name: value for name, value in json.loads(self.public_settings).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Alias:
    """An address at a domain, and the integration that receives the tickets of this address.

    Attributes:
        local_part, local_key: As entered, `*` for the catch-all, and normalised for matching.
        forwarded_from: The address elsewhere that forwards to this alias, as a note; it proves nothing.
        check_policy: What differs from the workspace (`router/checks/policy.py`), as JSON.
        sender_name: The pattern of the name in From of replies; `""` for the default.
        reply_to_token: 1 if Reply-To of replies has the token of the ticket.
    """

    id: str
    workspace_id: str
    domain_id: str
    domain: str = field(metadata={"joined": True})  # the name in the table `domains`
    local_part: str
    local_key: str
    integration_id: str | None
    status: AliasStatus
    created_at: Micros
    forwarded_from: str | None = None
    check_policy: str = "{}"
    sender_name: str = ""
    signature: str = ""
    reply_to_token: int = 0
    acknowledge_template_id: str | None = None

    @property
    def email(self) -> str:
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True)
class DomainKey:
    """A key that signs the mail of a domain. `public_key` is the value of `p=` in its record.

    The newest key with `active_at` signs, because DNS has shown its record. `retired_at`: a newer key signs since then.
    """

    domain_id: str
    selector: str
    algorithm: DkimAlgorithm
    encrypted_private_key: str
    public_key: str
    created_at: Micros
    active_at: Micros | None = None
    retired_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class AllowedSender:
    """A sender whose mail is neither refused nor spam: an address, `@domain`, `.domain` or a network.

    Attributes:
        require_auth: 1 if a message must be authenticated. 0 for a network.
        hits: The number of messages that the entry decided about.
    """

    workspace_id: str
    sender: str
    created_at: Micros
    require_auth: int = 1
    note: str = ""
    hits: int = 0
    last_hit_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class BlockedSender:
    """A sender whose mail is refused or spam: an address, `@domain`, `.domain` or a network.

    Attributes:
        hits: The number of refused recipients, and of messages that are spam because of the entry.
    """

    workspace_id: str
    sender: str
    created_at: Micros
    action: BlockAction = "refuse"
    note: str = ""
    hits: int = 0
    last_hit_at: Micros | None = None
