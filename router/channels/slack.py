"""The Slack channel: incoming webhook settings, sending, and classification of Slack's responses.

The webhook URL is a secret: anyone who has it can post. Hints and reasons never contain the complete URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna

from router.channels import slack_message
from router.channels.contract import (
    DigestEntry,
    HttpClient,
    OperatorAlert,
    Payload,
    SendFailure,
    SendOutcome,
    SendRetry,
    SendSuccess,
    TestMessage,
    TicketNotification,
)
from router.errors import Refused
from router.outbound.addresses import non_public_reason
from router.outbound.client import ForbiddenAddressError, HttpResponse, OutboundError
from router.unicode_text import has_long_marks

MAX_URL_LENGTH = 1000
MAX_RETRY_AFTER_SECONDS = 3600.0
_WHITESPACE = re.compile(r"[\s\x00-\x20\x7f-\xa0]")
_URL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
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
# Errors that the message causes. Slack may still accept it as plain text.
_PAYLOAD_ERRORS = frozenset(
    {
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_payload",
        "missing_text_or_fallback_or_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
_RATE_LIMIT_ERRORS = frozenset({"rate_limited", "ratelimited"})


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """The validated webhook URL, in ASCII."""

    webhook_url: str = field(repr=False)


class SlackChannel:
    """Implements `router.channels.contract.Channel` for Slack."""

    kind = "slack"
    digest_limit = slack_message.MAX_DIGEST_ENTRIES

    def parse_settings(self, values: Mapping[str, Any], *, allow_private: bool = False) -> SlackSettings:
        """Validates `{"webhookUrl": ...}`; `allow_private` also allows `http://` and non-public addresses.

        Host names are not resolved here: the HTTP client checks each address when it connects.

        Raises:
            Refused: The URL is invalid.
        """
        return SlackSettings(_parse_webhook_url(values.get("webhookUrl"), allow_private=allow_private))

    def dump_settings(self, settings: SlackSettings) -> dict[str, str]:
        return {"webhookUrl": settings.webhook_url}

    def hint(self, settings: SlackSettings) -> str:
        """Returns the host and up to four final characters of the secret, as in `https://hooks.slack.com/…/abcd`."""
        parts = urlsplit(settings.webhook_url)
        secret = settings.webhook_url.rpartition("/")[2]
        return f"{parts.scheme}://{parts.netloc}/\u2026/{secret[-min(4, len(secret) // 2) :] if secret[1:] else ''}"

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

    async def send(self, client: HttpClient, settings: SlackSettings, payload: Payload, timeout: float) -> SendOutcome:
        try:
            response = await client.post_json(settings.webhook_url, payload, timeout)
        except ForbiddenAddressError as error:
            return SendFailure("permanent", error.reason)
        except OutboundError as error:
            return SendRetry(None, error.reason)
        return classify_response(response, datetime.now(UTC))


CHANNEL = SlackChannel()


def classify_response(response: HttpResponse, now: datetime) -> SendOutcome:
    """Classifies a response of Slack.

    For most 4xx statuses, Slack's error code determines the outcome, because one status covers different errors. A date
    in `Retry-After` is compared with `now`, an aware `datetime`.
    """
    status, excerpt, latency = response.status, response.excerpt, response.latency_us
    if 200 <= status < 300:
        return SendSuccess(status, excerpt, latency)
    code = _error_code(excerpt)
    summary = f"Slack returned {status} {code}".rstrip()
    if status == 429 or code in _RATE_LIMIT_ERRORS:
        return SendRetry(_retry_after(response, now), f"{summary}: rate limit exceeded", status, excerpt, latency)
    if status >= 500 or status < 200:  # below 200: a protocol error
        return SendRetry(_retry_after(response, now), summary, status, excerpt, latency)
    if 300 <= status < 400:
        return SendFailure("rejected", f"{summary}: redirects are not followed", status, excerpt, latency)
    if code in _PERMANENT_ERRORS:
        return SendFailure("permanent", f"{summary}: {_PERMANENT_ERRORS[code]}", status, excerpt, latency)
    if code in _PAYLOAD_ERRORS:
        return SendFailure("payload", f"{summary}: the message format was rejected", status, excerpt, latency)
    if status in (403, 404, 410):
        return SendFailure(
            "permanent", f"{summary}: the webhook does not exist or access is denied", status, excerpt, latency
        )
    return SendFailure("rejected", summary, status, excerpt, latency)


def _error_code(excerpt: str) -> str:
    """Returns Slack's error code, or "". The body is the code alone or `{"error": "<code>"}`."""
    code: object = excerpt.strip()
    if excerpt.startswith("{"):
        try:
            decoded = json.loads(excerpt)
        except (ValueError, RecursionError):  # truncated, not JSON, or nested too deeply
            return ""
        code = decoded.get("error") if isinstance(decoded, dict) else ""
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def _retry_after(response: HttpResponse, now: datetime) -> float | None:
    """Returns Retry-After (RFC 9110 section 10.2.3) in seconds, at most `MAX_RETRY_AFTER_SECONDS`.

    Returns None if the field is missing or invalid.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])
    else:
        try:
            seconds = (parsedate_to_datetime(value).replace(tzinfo=UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _invalid_url(reason: str) -> Refused:
    return Refused("invalid_webhook_url", f"Invalid webhook URL: {reason}", field="webhookUrl")


def _parse_webhook_url(value: object, *, allow_private: bool) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused("invalid_webhook_url", "Webhook URL is required", field="webhookUrl")
    text = value.strip()
    if len(text) > MAX_URL_LENGTH:
        raise _invalid_url(f"it must have at most {MAX_URL_LENGTH} characters")
    if _WHITESPACE.search(text):  # `urlsplit` removes some of these characters silently
        raise _invalid_url("it must not contain spaces or control characters")
    try:
        parts = _split_url(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _invalid_url("the host or port is not valid") from None
    if parts.scheme not in ("https", "http"):
        raise _invalid_url("it must start with https://")
    if parts.scheme == "http" and not allow_private:
        raise _invalid_url("it must start with https:// (http:// requires [delivery] allow_private_networks)")
    if "@" in parts.netloc:
        raise _invalid_url("it must not contain a user name or password")
    if "#" in text:
        raise _invalid_url("it must not contain a fragment (#...)")
    if port == 0:
        raise _invalid_url("the host or port is not valid")
    netloc = _normalize_host(host, allow_private=allow_private)
    path = text.partition("://")[2][len(parts.netloc) :]
    if path in ("", "/"):
        raise _invalid_url("it has no path; copy the complete URL from Slack")
    if not _URL_CHARACTERS.fullmatch(path) or set(path) & set('"<>\\^`{|}'):
        raise _invalid_url("the path may contain only ASCII URL characters; percent-encode all other characters")
    url = f"{parts.scheme}://{netloc}{'' if port is None else f':{port}'}{path}"
    if len(url) > MAX_URL_LENGTH:  # A-labels can be longer than the original host name
        raise _invalid_url(f"it must have at most {MAX_URL_LENGTH} characters")
    return url


def _split_url(text: str) -> SplitResult:
    if has_long_marks(text):  # Unicode normalisation takes quadratic time for long sequences of marks
        raise _invalid_url("the host name is not valid")
    return urlsplit(text)


def _normalize_host(host: str, *, allow_private: bool) -> str:
    """Returns the host in ASCII, IPv6 addresses in brackets."""
    if not host:
        raise _invalid_url("it has no host name")
    try:
        non_public = non_public_reason(host)
    except ValueError:
        non_public = None
    else:
        if non_public is not None and not allow_private:
            raise _invalid_url(f"the address {host} is {non_public}; only public addresses are allowed")
        return f"[{host}]" if ":" in host else host
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise _invalid_url("the host name is not valid") from None
    if not _HOST_NAME.fullmatch(host) or len(host) > 253 or ".." in host:
        raise _invalid_url("the host name is not valid")
    return host
