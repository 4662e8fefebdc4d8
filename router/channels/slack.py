"""The Slack channel: incoming webhooks, and the meaning of Slack's error codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from router.channels import slack_message
from router.channels.channel import Channel
from router.channels.contract import DigestEntry, OperatorAlert, Payload, Remedy, TestMessage, TicketNotification
from router.channels.responses import KnownError, json_object
from router.channels.settings import WEBHOOK_URL
from router.outbound.client import HttpResponse

_ERROR_CODE = re.compile(r"[a-z][a-z_]{2,60}")

# Errors that a retry cannot fix, with their meaning for users.
_PERMANENT_ERRORS = {
    "no_service": "the webhook was removed or disabled in Slack",
    "no_service_id": "the webhook URL is incomplete",
    "no_active_hooks": "the webhook was disabled in Slack",
    "no_team": "the Slack workspace of the webhook does not exist",
    "team_disabled": "the Slack workspace is disabled",
    "invalid_token": "the webhook URL is invalid or was revoked",
    "token_revoked": "the webhook was revoked",
    "account_inactive": "the app or user that owns the webhook was removed",
    "channel_not_found": "the Slack channel no longer exists",
    "channel_is_archived": "the Slack channel is archived",
    "is_archived": "the Slack channel is archived",
    "user_not_found": "the Slack user that the webhook posts to does not exist",
    "action_prohibited": "a Slack workspace administrator has disabled posting by webhooks",
    "posting_to_general_channel_denied": "a Slack workspace administrator has restricted posting to #general",
    "restricted_action": "a Slack workspace administrator has restricted posting",
}
_ADD_WEBHOOK = Remedy("Add a webhook in Slack, and change the webhook URL.")
_ASK_ADMINISTRATOR = Remedy("Ask an administrator of the Slack workspace to allow posting by webhooks.")
_UNARCHIVE = Remedy("Unarchive the channel in Slack, or post its tickets elsewhere.", moves_tickets=True)
_REMEDIES = {
    "no_service": _ADD_WEBHOOK,
    "no_service_id": _ADD_WEBHOOK,
    "no_active_hooks": _ADD_WEBHOOK,
    "invalid_token": _ADD_WEBHOOK,
    "token_revoked": _ADD_WEBHOOK,
    "account_inactive": _ADD_WEBHOOK,
    "channel_not_found": Remedy("Add a webhook for another channel in Slack, and change the webhook URL."),
    "channel_is_archived": _UNARCHIVE,
    "is_archived": _UNARCHIVE,
    "action_prohibited": _ASK_ADMINISTRATOR,
    "posting_to_general_channel_denied": _ASK_ADMINISTRATOR,
    "restricted_action": _ASK_ADMINISTRATOR,
}
# Errors that the message causes. Slack may still accept it as plain text.
_PAYLOAD_ERRORS = (
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "missing_text_or_fallback_or_attachments",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
)
_RATE_LIMIT_ERRORS = ("rate_limited", "ratelimited")


class SlackChannel(Channel):
    """Posts to the channel of an incoming webhook."""

    kind = "slack"
    label = "Slack"
    # Other services, such as Mattermost, accept messages in the format of Slack, so any URL is allowed.
    fields = (replace(WEBHOOK_URL, own_urls=r"https://hooks\.slack(-gov)?\.com/.+"),)
    setup_steps = (
        "Open <https://api.slack.com/apps?new_app=1>, choose **Create New App**, then **From scratch**.",
        "Activate **Incoming Webhooks**, then choose **Add New Webhook**.",
        "Choose the channel and copy the URL that starts with `https://hooks.slack.com/services/`.",
    )
    digest_limit = slack_message.MAX_DIGEST_ENTRIES
    errors = MappingProxyType(
        {code: KnownError("permanent", meaning) for code, meaning in _PERMANENT_ERRORS.items()}
        | {code: KnownError("payload", "the message format was rejected") for code in _PAYLOAD_ERRORS}
        | {code: KnownError("retry", "rate limit exceeded") for code in _RATE_LIMIT_ERRORS}
    )
    remedies = MappingProxyType(_REMEDIES)

    def render(self, notification: TicketNotification) -> Payload:
        return slack_message.render_ticket(notification)

    def render_plain(self, notification: TicketNotification) -> Payload:
        return slack_message.render_plain_ticket(notification)

    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        return slack_message.render_digest(entries)

    def render_test(self, message: TestMessage) -> Payload:
        return slack_message.render_test(message)

    def render_alert(self, alert: OperatorAlert) -> Payload:
        return slack_message.render_alert(alert)

    def error_code(self, response: HttpResponse) -> str:
        """Returns Slack's error code, or "". The body is the code alone or `{"error": "<code>"}`."""
        text = response.excerpt
        code = json_object(text).get("error") if text.startswith("{") else text.strip()
        return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


CHANNEL = SlackChannel()
