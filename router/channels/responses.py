"""Classification of the responses that services of every type give in the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from router.channels.contract import FailureKind, SendFailure, SendOutcome, SendRetry, SendSuccess
from router.outbound.client import HttpResponse

MAX_RETRY_AFTER_SECONDS = 3600.0
# The statuses of a removed or forbidden webhook, if the error code says nothing else.
PERMANENT_STATUSES = frozenset({403, 404, 410})


@dataclass(frozen=True, slots=True)
class KnownError:
    """What an error code of a service means. `meaning` is shown to users, without the code."""

    kind: FailureKind | Literal["retry"]
    meaning: str


def classify(
    response: HttpResponse,
    *,
    service: str,
    code: str,
    known: KnownError | None,
    retry_after: float | None,
    permanent_statuses: frozenset[int] = PERMANENT_STATUSES,
    ref: str = "",
    pause: float = 0.0,
) -> SendOutcome:
    """Classifies a response by its status and error code.

    Args:
        service: The name of the service for users.
        code: The error code in the response, or "".
        known: The entry of `code` in the error table of the channel.
        ref: The reference of the remote message, if the response is a success.
        pause: For how many seconds the service accepts no further message after a success.
    """
    status, excerpt, latency = response.status, response.excerpt, response.latency_us
    if 200 <= status < 300:
        return SendSuccess(status, excerpt, latency, ref, pause)
    summary = f"{service} returned {status} {code}".rstrip()
    kind: FailureKind | Literal["retry", ""] = "" if known is None else known.kind
    meaning = "" if known is None else f": {known.meaning}"
    if kind == "retry":
        return SendRetry(retry_after, summary + meaning, status, excerpt, latency)
    if status == 429:
        return SendRetry(retry_after, f"{summary}: rate limit exceeded", status, excerpt, latency)
    if status >= 500 or status < 200:  # below 200: a protocol error
        return SendRetry(retry_after, summary, status, excerpt, latency)
    if 300 <= status < 400:
        return SendFailure("rejected", f"{summary}: redirects are not followed", status, excerpt, latency)
    if kind:
        return SendFailure(kind, summary + meaning, status, excerpt, latency)
    if status in permanent_statuses:
        reason = f"{summary}: the webhook does not exist or access is denied"
        return SendFailure("permanent", reason, status, excerpt, latency)
    return SendFailure("rejected", summary, status, excerpt, latency)


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Returns Retry-After (RFC 9110 section 10.2.3) in seconds, at most `MAX_RETRY_AFTER_SECONDS`.

    A date is compared with `now`, an aware `datetime`. Returns None if the field is missing or invalid.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])
    else:
        try:
            seconds = (parsedate_to_datetime(value).replace(tzinfo=UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def json_object(text: str | bytes) -> dict[str, Any]:
    """Returns the JSON object of a response body; {} for anything else."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):  # truncated, not JSON, or nested too deeply
        return {}
    return decoded if isinstance(decoded, dict) else {}
