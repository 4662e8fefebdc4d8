"""The smarthost of a domain as it is stored: encrypted, with a hint that can be shown."""

from __future__ import annotations

import json
from dataclasses import replace

from config import smarthost_url
from config.secret import Secret
from config.smarthost_url import SmarthostUrl
from router.secrets import SMARTHOST_PURPOSE, SecretBox

_SHOWN_CHARACTERS = 2  # of a user name: at some providers it is an access key


def seal(box: SecretBox, url: SmarthostUrl, password: Secret | None) -> str:
    """Returns the value of `domains.encrypted_smarthost`."""
    data = {"url": str(url), "password": password.reveal() if password else None}
    return box.encrypt(json.dumps(data), SMARTHOST_PURPOSE)


def unseal(box: SecretBox, encrypted: str) -> tuple[SmarthostUrl, Secret | None]:
    """Returns the URL and the password. Raises `DecryptionError`."""
    data = json.loads(box.decrypt(encrypted, SMARTHOST_PURPOSE))
    return smarthost_url.parse(data["url"]), Secret(data["password"]) if data["password"] else None


def mask(url: SmarthostUrl) -> str:
    """Returns the URL with the first characters of its user, such as `smtps://AK…@smtp.example.net:465`."""
    if not url.user:
        return str(url)
    shown = url.user[:_SHOWN_CHARACTERS] if len(url.user) > 2 * _SHOWN_CHARACTERS else ""
    host = str(replace(url, user="")).partition("://")[2]
    return f"{url.scheme}://{shown}\u2026@{host}"
