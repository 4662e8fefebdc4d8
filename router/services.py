"""The services of the core in one object, for the API and the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from router.admin.access.authentication import AuthenticationService
from router.admin.access.keys import KeyService
from router.admin.access.password_links import PasswordLinkService
from router.admin.access.sessions import SessionService
from router.admin.access.setup_link import SetupLinkService
from router.admin.access.users import UserService
from router.admin.audit import AuditService
from router.admin.display_names import DisplayNameService
from router.admin.domains.domains import DomainService
from router.admin.domains.sending import SendingService
from router.admin.idempotency import IdempotencyService
from router.admin.installation.attention import AttentionService
from router.admin.installation.health import HealthService
from router.admin.installation.overview import OverviewService
from router.admin.installation.reachability import ReachabilityService
from router.admin.installation.workspaces import WorkspaceService
from router.admin.replies.replies import ReplyService
from router.admin.replies.uploads import UploadService
from router.admin.routes.aliases import AliasService
from router.admin.routes.allowed_senders import AllowedSenderService
from router.admin.routes.blocked_senders import BlockedSenderService
from router.admin.routes.check_previews import CheckPreviewService
from router.admin.routes.deliveries import DeliveryService
from router.admin.routes.explain import ExplanationService
from router.admin.routes.integrations import IntegrationService
from router.admin.templates.canned_responses import CannedResponseService
from router.admin.templates.templates import TemplateService
from router.admin.tickets.messages import MessageService
from router.admin.tickets.sender_checks import SenderCheckService
from router.admin.tickets.senders import SenderService
from router.admin.tickets.spam import SpamService
from router.admin.tickets.tickets import TicketService
from router.clock import Clock
from router.ratelimit.request_limiter import RateLimiter


@dataclass(frozen=True, slots=True)
class Services:
    """The services, and `ready`, which raises `Unavailable` or `SchemaMismatch` if requests would fail."""

    clock: Clock
    authentication: AuthenticationService
    sessions: SessionService
    setup_link: SetupLinkService
    password_links: PasswordLinkService
    rate_limits: RateLimiter
    idempotency: IdempotencyService
    workspaces: WorkspaceService
    users: UserService
    keys: KeyService
    domains: DomainService
    sending: SendingService
    integrations: IntegrationService
    aliases: AliasService
    tickets: TicketService
    replies: ReplyService
    uploads: UploadService
    messages: MessageService
    sender_checks: SenderCheckService
    senders: SenderService
    spam: SpamService
    deliveries: DeliveryService
    display_names: DisplayNameService
    allowed_senders: AllowedSenderService
    blocked_senders: BlockedSenderService
    check_previews: CheckPreviewService
    templates: TemplateService
    canned_responses: CannedResponseService
    explanations: ExplanationService
    audit: AuditService
    overview: OverviewService
    health: HealthService
    attention: AttentionService
    reachability: ReachabilityService
    ready: Callable[[], Awaitable[None]]
