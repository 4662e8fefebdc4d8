"""Validation of the smarthost of a domain. Errors never contain the password."""

from __future__ import annotations

from dataclasses import dataclass, field

from config import smarthost_url
from config.secret import Secret
from config.smarthost_url import SmarthostUrl
from router.dns.receivers import is_public_name
from router.errors import Refused
from router.outbound.addresses import non_public_reason

MAX_URL_LENGTH = 500
MAX_PASSWORD_LENGTH = 1000
_ALLOWED = (
    'The URL of a smarthost must be "smtps://user@host:465" or "smtp://user@host:587" (STARTTLS), without the password'
)
_URL_FIELD, _PASSWORD_FIELD = "smarthost.url", "smarthost.password"


@dataclass(frozen=True, slots=True)
class SmarthostSetting:
    """What a user enters. Without a password, that of the current smarthost with the same user and host stays."""

    url: str
    password: str | None = field(default=None, repr=False)


def read_setting(
    setting: SmarthostSetting, current: SmarthostSetting | None, *, allow_private: bool
) -> tuple[SmarthostUrl, Secret | None]:
    """Returns the URL and the password. Raises `Refused("invalid_request")`."""
    url = _read_url(setting.url, allow_private=allow_private)
    if not setting.password:
        if not url.user:
            return url, None
        known = smarthost_url.parse(current.url) if current is not None else None
        # The password must not reach another server than the one that it was entered for.
        if current is None or known is None or (known.user, known.host) != (url.user, url.host) or not current.password:
            raise Refused("invalid_request", "Enter the password of the user in the URL", _PASSWORD_FIELD)
        return url, Secret(current.password)
    if not url.user:
        raise Refused(
            "invalid_request", 'A password needs a user in the URL, like "smtps://user@smtp.example.net"', _URL_FIELD
        )
    if len(setting.password) > MAX_PASSWORD_LENGTH:
        raise Refused(
            "invalid_request", f"The password must have at most {MAX_PASSWORD_LENGTH} characters", _PASSWORD_FIELD
        )
    try:
        return url, Secret.parse_password(setting.password)
    except ValueError as error:
        raise Refused("invalid_request", f"The password {error}", _PASSWORD_FIELD) from None


def _read_url(text: str, *, allow_private: bool) -> SmarthostUrl:
    try:
        url = smarthost_url.parse(text.strip()[: MAX_URL_LENGTH + 1])
    except ValueError:
        raise Refused("invalid_request", _ALLOWED, _URL_FIELD) from None
    if len(str(url)) > MAX_URL_LENGTH:
        raise Refused("invalid_request", f"The URL must have at most {MAX_URL_LENGTH} characters", _URL_FIELD)
    if url.is_opportunistic:
        raise Refused(
            "invalid_request",
            "The smarthost of a domain needs TLS with a valid certificate: remove ?tls=opportunistic",
            _URL_FIELD,
        )
    if not allow_private and (reason := _private_reason(url.host)):
        raise Refused(
            "invalid_request", f"The smarthost {url.host} {reason}; only public hosts are allowed", _URL_FIELD
        )
    return url


def _private_reason(host: str) -> str:
    """Returns why a host is not public, or `""`. The addresses of a name are checked when it is connected to."""
    try:
        reason = non_public_reason(host)
    except ValueError:
        return "" if is_public_name(host) else "is not a public host name"
    return f"is {reason}" if reason else ""
