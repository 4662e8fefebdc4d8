"""The enumerations of the OpenAPI document by name.

Each is one schema that all fields and parameters refer to, so that generated clients have one class for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from router.checks.results import CheckState
from router.enumerations import (
    ALIAS_STATUS,
    AUDIT_GROUP,
    AUDIT_KIND,
    AUTOMATIC_MAIL,
    BLOCK_ACTION,
    CHECK_ACTION,
    DELIVERY_STATE,
    DELIVERY_TARGET,
    DRAFT_KIND,
    KEY_STATUS,
    REPLAYABLE_STATE,
    REPLY_STATE,
    ROLE,
    SPAM_BLOCK,
    SPAM_TICKETS,
    TEMPLATE_MODE,
    TICKET_PRIORITY,
    TICKET_SORT,
    TICKET_STATUS,
    USER_STATUS,
    ActorType,
    Awaiting,
    DkimAlgorithm,
    DomainStatus,
    IntegrationStatus,
    MessageDirection,
    MessageKind,
    RecipientField,
    ReplyKind,
    SendingStatus,
    TicketEventType,
)
from router.errors import ErrorCode
from router.local_time import LOCALE
from router.mail.auth_results import AuthMethod, AuthWord

RecordType = Literal["MX", "TXT"]
RecordStatus = Literal["ok", "missing", "wrong", "error"]
RecordPurpose = Literal["mx", "verification", "dkim", "spf", "dmarc"]
SigningKeyState = Literal["waiting", "active", "retired"]
SmarthostStage = Literal["connect", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "final"]
DomainProof = Literal["mx", "txt", "mx+txt"]
AuthenticationMethod = Literal["key", "session"]

_VALUES: dict[str, tuple[tuple[str, ...], str]] = {
    "Role": (
        ROLE.values,
        "What a user or API key may do: `viewer` reads, `agent` also works on tickets, `admin` does everything.",
    ),
    "DomainStatus": (get_args(DomainStatus), "Whether the domain is verified and receives mail (`active`)."),
    "DomainProof": (get_args(DomainProof), "The DNS records that verify a domain: either, or one of both types."),
    "SendingStatus": (
        get_args(SendingStatus),
        "Whether replies can be sent from the domain: `off`, `pending` until its DKIM record is correct, `active`, or "
        "`failing` if that record was lost.",
    ),
    "DkimAlgorithm": (get_args(DkimAlgorithm), "Algorithm of a DKIM key."),
    "SigningKeyState": (
        get_args(SigningKeyState),
        "`waiting` until DNS shows the record of the key, `active` while it signs, then `retired`.",
    ),
    "SmarthostStage": (get_args(SmarthostStage), "Step of a connection to a smarthost."),
    "RecordPurpose": (
        get_args(RecordPurpose),
        "What a DNS record is for: `mx` and `verification` to receive mail, `dkim`, `spf` and `dmarc` to send it.",
    ),
    "RecordType": (get_args(RecordType), "Type of a DNS record."),
    "RecordStatus": (get_args(RecordStatus), "Result of the check of a DNS record; `error` if DNS did not answer."),
    "IntegrationStatus": (get_args(IntegrationStatus), "Whether posts to the integration succeed (`active`)."),
    "AliasStatus": (ALIAS_STATUS.values, "Whether mail to the alias is accepted (`active`) or rejected (`disabled`)."),
    "UserStatus": (
        USER_STATUS.values,
        "`active`, `invited` (has no password yet) or `disabled`. An invited user can use API keys.",
    ),
    "KeyStatus": (KEY_STATUS.values, "`active`, `expired` or `revoked`."),
    "SpamBlock": (SPAM_BLOCK.values, "What is blocked of the sender of a ticket that is marked as spam."),
    "SpamTickets": (
        SPAM_TICKETS.values,
        "Which tickets a list contains: those held as spam (`true`), the others (`false`) or both (`all`).",
    ),
    "TicketStatus": (
        TICKET_STATUS.values,
        "`open`, `in_progress` (assigned), `waiting` (for the customer) or `resolved`.",
    ),
    "TicketPriority": (TICKET_PRIORITY.values, "Priority of a ticket; `normal` for a new one."),
    "TicketPriorityInput": (
        TICKET_PRIORITY.accepted,
        "Priority of a ticket in requests: `moderate` is another word for `normal`, `not-urgent` for `low`.",
    ),
    "TicketSort": (TICKET_SORT.values, "Order of a list of tickets."),
    "AutomaticMail": (
        AUTOMATIC_MAIL.values,
        "Whether to list `only` the tickets that contain nothing but automatic mail, or to `exclude` these.",
    ),
    "CheckAction": (
        CHECK_ACTION.values,
        "What happens to a message that fails a check: `show` adds a line to its post, `flag` also warns at the top of "
        "the post, `quarantine` holds its ticket as spam.",
    ),
    "TicketEventType": (get_args(TicketEventType), "What happened to a ticket."),
    "DraftKind": (DRAFT_KIND.values, "What a draft becomes."),
    "ActorType": (get_args(ActorType), "Kind of the author of an event. `rule` and chat services are reserved."),
    "BlockAction": (
        BLOCK_ACTION.values,
        "What happens to mail of a blocked sender: `refuse` rejects it, `spam` holds its tickets as spam.",
    ),
    "DeliveryState": (
        DELIVERY_STATE.values,
        "`pending`, `delivered`, `dead` after it failed permanently, or `spam` while its ticket is held as spam.",
    ),
    "MessageDirection": (
        get_args(MessageDirection),
        "Whether a message was received (`inbound`) or sent (`outbound`).",
    ),
    "MessageKind": (
        get_args(MessageKind),
        "What a message is: `mail`, or a `bounce` of a reply. `note` and `form` are reserved.",
    ),
    "ReplyState": (
        REPLY_STATE.values,
        "`queued` until it is sent, `sending`, `sent` (the smarthost has accepted it), `retrying`, `failed`, `delayed` "
        "or `bounced` afterwards, or `canceled`.",
    ),
    "ReplyKind": (get_args(ReplyKind), "A `reply` of a person, or the automatic `acknowledgement` of a new ticket."),
    "RecipientField": (get_args(RecipientField), "Field of a mail that names a recipient."),
    "DeliveryTarget": (
        DELIVERY_TARGET.values,
        "What a delivery is sent to: `integration` is a post, `smarthost` a reply; `webhook` is not in use.",
    ),
    "Awaiting": (get_args(Awaiting), "What a delivery waits for: the checks of the sender. `rules` is reserved."),
    "TemplateMode": (
        TEMPLATE_MODE.values,
        "What the body of a template is: plain `text`, HTML with one element that the author of a reply fills "
        "(`editable_html`), or HTML that is sent as it is (`static_html`).",
    ),
    "CheckState": (
        get_args(CheckState),
        "`pending` until the first results, `done`, or `skipped` if the sender was not checked.",
    ),
    "AuthMethod": (get_args(AuthMethod), "Method of sender authentication (RFC 8601)."),
    "AuthWord": (get_args(AuthWord), "Result of a method of sender authentication (RFC 8601)."),
    "ReplayableState": (REPLAYABLE_STATE.values, "State of deliveries that can be retried."),
    "AuditKind": (AUDIT_KIND.values, "Kind of the object of an audited action."),
    "AuditGroup": (
        AUDIT_GROUP.values,
        "Group of audited actions: sign-ins, objects added, changed or removed, and tests and retries (`run`).",
    ),
    "AuthenticationMethod": (get_args(AuthenticationMethod), "How a request was authenticated."),
    "Locale": (LOCALE.values, "Language tag that selects the format of dates. All texts are in English."),
    "ErrorCode": (get_args(ErrorCode), "What is wrong, for programs."),
}
_NAMES: Mapping[tuple[str, ...], str] = {values: name for name, (values, _) in _VALUES.items()}


def refer_to_enumerations(document: dict[str, Any]) -> None:
    """Replaces the listed values in an OpenAPI document by references to named schemas, which are added."""
    used: set[str] = set()
    for part in ("paths", "components"):
        document[part] = _with_references(document[part], used)
    document["components"]["schemas"] |= {
        name: {"type": "string", "title": name, "description": description, "enum": list(values)}
        for name, (values, description) in _VALUES.items()
        if name in used
    }


def _with_references(value: Any, used: set[str]) -> Any:
    if isinstance(value, list):
        return [_with_references(item, used) for item in value]
    if not isinstance(value, dict):
        return value
    name = _NAMES.get(tuple(value["enum"])) if isinstance(value.get("enum"), list) else None
    if name is None:
        return {key: _with_references(item, used) for key, item in value.items()}
    used.add(name)
    kept = {key: item for key, item in value.items() if key in ("description", "default")}
    return {"$ref": f"#/components/schemas/{name}"} | kept
