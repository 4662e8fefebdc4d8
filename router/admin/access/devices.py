"""Known devices: a cookie proves that a user has signed in on the device before (OWASP, "Device Cookies").

Failures on a known device are counted separately, so the user can sign in during an attack on the account. The cookie
is encrypted and bound to the user and the password. A cookie never authenticates a user.
"""

from __future__ import annotations

import json
import secrets as random
from dataclasses import dataclass

from router import secrets
from router.clock import SECOND, Clock
from router.model import Micros, User
from router.secrets import DecryptionError, SecretBox

COOKIE_LIFETIME: Micros = 180 * 86400 * SECOND  # renewed by each sign-in
_PURPOSE = "device"
_MAX_COOKIE_LENGTH = 1000  # characters; a valid cookie has about 250


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """The contents of a device cookie. `id` is the key of the device's failure counter."""

    id: str
    user_id: str
    password_fingerprint: str

    def belongs_to(self, user: User | None) -> bool:
        """Returns whether this user has signed in on the device with the current password."""
        return user is not None and user.id == self.user_id and _password_fingerprint(user) == self.password_fingerprint


class DeviceCookies:
    def __init__(self, box: SecretBox, clock: Clock) -> None:
        self._box = box
        self._clock = clock

    def issue(self, user: User) -> str:
        expires_at = self._clock.now() + COOKIE_LIFETIME
        payload = json.dumps([random.token_hex(16), user.id, _password_fingerprint(user), expires_at])
        return self._box.encrypt(payload, _PURPOSE).rstrip("=")  # http.cookies quotes values with `=`

    def read(self, cookie: str) -> KnownDevice | None:
        """Returns the device of a cookie; None if the cookie is invalid or expired."""
        if len(cookie) > _MAX_COOKIE_LENGTH:
            return None
        try:
            device_id, user_id, fingerprint, expires_at = json.loads(
                self._box.decrypt(cookie + "=" * (-len(cookie) % 4), _PURPOSE)
            )
        except (DecryptionError, ValueError):  # forged, or encrypted with another key or by another version
            return None
        return KnownDevice(device_id, user_id, fingerprint) if expires_at > self._clock.now() else None


def _password_fingerprint(user: User) -> str:
    """The password hash is salted, so the fingerprint reveals nothing about the password."""
    return secrets.hash_api_key(user.password_hash or "")[:32]
