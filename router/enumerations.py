"""The enumerations of the data model: their values, and how users and programs name them."""

from __future__ import annotations

from typing import Any, Literal, get_args

from router.choice import Choice

# The prefixes of ids (`router.ids`).
IdPrefix = Literal[
    "ws", "user", "key", "dom", "int", "alias", "msg", "ticket", "evt", "dlv", "tag", "rpl", "tpl", "can", "upl"
]
Role = Literal["admin", "agent", "viewer"]
DomainStatus = Literal["pending_verification", "active"]
MxManaged = Literal["here", "upstream"]
IntegrationStatus = Literal["active", "failing"]
AliasStatus = Literal["active", "disabled"]
UserStatus = Literal["active", "invited", "disabled"]
KeyStatus = Literal["active", "expired", "revoked"]
TicketStatus = Literal["open", "in_progress", "waiting", "resolved"]
TicketPriority = Literal["urgent", "high", "normal", "low"]
TicketSort = Literal["newest", "oldest", "waiting", "priority"]
AutomaticMail = Literal["only", "exclude"]
DeliveryState = Literal["pending", "delivered", "dead", "spam"]
DeliveryTarget = Literal["integration", "webhook", "smarthost"]
# What a pending delivery waits for.
Awaiting = Literal["checks", "rules"]
# What happens to a message that fails a check, and to mail of a blocked sender.
CheckAction = Literal["show", "flag", "quarantine"]
BlockAction = Literal["refuse", "spam"]
# Which tickets a list contains; without it, those that are not spam.
SpamTickets = Literal["true", "false", "all"]
# What is blocked of the sender of a ticket that is marked as spam.
SpamBlock = Literal["address", "domain"]
# `reply` is sent to a smarthost; the two after it tell an integration that a reply was not sent, or not delivered.
DeliveryEvent = Literal["opened", "replied", "updated", "reply", "reply_failed", "reply_bounced"]
MessageDirection = Literal["inbound", "outbound"]
MessageKind = Literal["mail", "note", "bounce", "form"]
ReplyKind = Literal["reply", "acknowledgement"]
ReplyState = Literal["queued", "sending", "sent", "retrying", "failed", "delayed", "bounced", "canceled"]
RecipientField = Literal["to", "cc", "bcc"]
SmarthostStatus = Literal["active", "failing"]
# Whether a domain sends replies: `pending` until its DNS records are correct.
SendingStatus = Literal["off", "pending", "active", "failing"]
TemplateMode = Literal["text", "editable_html", "static_html"]
DkimAlgorithm = Literal["rsa", "ed25519"]
TicketEventType = Literal[
    "ticket.created",
    "ticket.message_received",
    "ticket.claimed",
    "ticket.unclaimed",
    "ticket.assigned",
    "ticket.status_changed",
    "ticket.priority_changed",
    "ticket.resolved",
    "ticket.reopened",
    "ticket.note_added",
    "ticket.note_changed",
    "ticket.note_removed",
    "ticket.tags_changed",
    "ticket.spam_changed",
    "ticket.replied",
    "reply.canceled",
    "reply.failed",
    "reply.delayed",
    "reply.bounced",
    "reply.delivery_report",
]
DraftKind = Literal["note", "reply"]
AuditAction = Literal[
    "alias.change",
    "alias.create",
    "alias.delete",
    "alias.test",
    "allowed_sender.change",
    "allowed_sender.create",
    "allowed_sender.delete",
    "blocked_sender.change",
    "blocked_sender.create",
    "blocked_sender.delete",
    "canned_response.change",
    "canned_response.create",
    "canned_response.delete",
    "delivery.replay",
    "domain.change",
    "domain.create",
    "domain.delete",
    "domain.lose",
    "domain.test",
    "domain.unverify",
    "domain.verify",
    "integration.change",
    "integration.create",
    "integration.delete",
    "integration.test",
    "key.create",
    "key.revoke",
    "secret_key.rotate",
    "signing_key.create",
    "tag.change",
    "tag.create",
    "tag.delete",
    "tag.merge",
    "template.change",
    "template.create",
    "template.delete",
    "ticket.delete",
    "user.change",
    "user.create",
    "user.delete",
    "user.password_link",
    "user.sign_in",
    "user.sign_in_failed",
    "user.sign_in_limited",
    "workspace.change",
    "workspace.create",
    "workspace.delete",
]
AUDIT_ACTIONS: tuple[AuditAction, ...] = get_args(AuditAction)
AuditGroup = Literal["sign_in", "create", "change", "delete", "run"]
ActorType = Literal["user", "mail", "rule", "slack", "key", "system"]

ROLE: Choice[Role] = Choice("role", get_args(Role))  # the role with the most permissions first
DOMAIN_STATUS: Choice[DomainStatus] = Choice(
    "status",
    get_args(DomainStatus),
    code="invalid_status",
    labels={"pending_verification": "Unverified", "active": "Verified"},
)
INTEGRATION_STATUS: Choice[IntegrationStatus] = Choice("status", get_args(IntegrationStatus), code="invalid_status")
USER_STATUS: Choice[UserStatus] = Choice("status", get_args(UserStatus), code="invalid_status")
KEY_STATUS: Choice[KeyStatus] = Choice("status", get_args(KeyStatus), code="invalid_status")
ALIAS_STATUS: Choice[AliasStatus] = Choice("status", get_args(AliasStatus), code="invalid_status")
TICKET_STATUS: Choice[TicketStatus] = Choice("status", get_args(TicketStatus), code="invalid_status")
TICKET_PRIORITY: Choice[TicketPriority] = Choice(
    "priority", get_args(TicketPriority), synonyms={"moderate": "normal", "not-urgent": "low"}, default="normal"
)
UNRESOLVED_STATUS: Choice[TicketStatus] = Choice("status", ("open", "in_progress", "waiting"), code="invalid_status")
TICKET_SORT: Choice[TicketSort] = Choice(
    "sort",
    get_args(TicketSort),
    labels={"newest": "Newest first", "oldest": "Oldest first", "waiting": "Longest waiting"},
    default="newest",
)
AUTOMATIC_MAIL: Choice[AutomaticMail] = Choice(
    "automatic", get_args(AutomaticMail), labels={"only": "Only automatic mail", "exclude": "Without automatic mail"}
)
DELIVERY_STATE: Choice[DeliveryState] = Choice(
    "state", get_args(DeliveryState), labels={"pending": "Queued", "dead": "Failed", "spam": "Held as spam"}
)
DELIVERY_TARGET: Choice[DeliveryTarget] = Choice(
    "target",
    get_args(DeliveryTarget),
    labels={"integration": "Posts", "webhook": "Webhook events", "smarthost": "Replies"},
)
CHECK_ACTION: Choice[CheckAction] = Choice(
    "action", get_args(CheckAction), labels={"flag": "Warn", "quarantine": "Hold as spam"}
)
BLOCK_ACTION: Choice[BlockAction] = Choice(
    "action", get_args(BlockAction), labels={"refuse": "Reject", "spam": "Hold as spam"}, default="refuse"
)
SPAM_TICKETS: Choice[SpamTickets] = Choice(
    "spam", get_args(SpamTickets), labels={"true": "Only spam", "false": "Without spam", "all": "With spam"}
)
SPAM_BLOCK: Choice[SpamBlock] = Choice("block", get_args(SpamBlock))
REPLY_STATE: Choice[ReplyState] = Choice(
    "state", get_args(ReplyState), labels={"sent": "Handed over", "sending": "Sending", "retrying": "Retrying"}
)
TEMPLATE_MODE: Choice[TemplateMode] = Choice(
    "mode",
    get_args(TemplateMode),
    labels={"text": "Plain text", "editable_html": "Editable HTML", "static_html": "Static HTML"},
    default="text",
)
REPLAYABLE_STATE: Choice[DeliveryState] = Choice(
    "state", ("dead", "pending"), labels={"pending": "Queued", "dead": "Failed"}
)
DRAFT_KIND: Choice[DraftKind] = Choice("kind", get_args(DraftKind))

# The nouns of the audited actions, and groups of their verbs.
AUDIT_KIND: Choice[str] = Choice(
    "kind", tuple(dict.fromkeys(action.partition(".")[0] for action in AUDIT_ACTIONS)), labels={"key": "API key"}
)
AUDIT_GROUP: Choice[AuditGroup] = Choice(
    "group",
    get_args(AuditGroup),
    labels={
        "sign_in": "Sign-ins",
        "create": "Added",
        "change": "Changed",
        "delete": "Removed",
        "run": "Tests and retries",
    },
)

# The fields of a ticket that agents set to one of several values. Each has a REST call, a command and a form.
TICKET_CHOICES: tuple[Choice[Any], ...] = (TICKET_STATUS, TICKET_PRIORITY)
