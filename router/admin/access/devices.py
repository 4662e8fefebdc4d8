"""Known devices: whose cookie proves that its user signed in on them before (OWASP, "Device Cookies").

While others guess at an account, its owner still gets in from a known device, whose failures are counted by
themselves. The cookie is sealed with the secret key, so nobody can make one, and it is bound to the user and to the
password that opened the account: a new password ends it on every device. It signs nobody in.
"""

from __future__ import annotations

import json
import secrets as random
from dataclasses import dataclass

from router import secrets
from router.clock import SECOND, Clock
from router.model import Micros, User
from router.secrets import SecretBox, Unsealable

COOKIE_LIFETIME: Micros = 180 * 86400 * SECOND  # each sign-in begins it again
_PURPOSE = "device"
_MAX_COOKIE_LENGTH = 1000  # characters; ours have some 300


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """What a cookie of ours says. id: random; its failures are counted under it."""

    id: str
    user_id: str
    password_fingerprint: str

    def belongs_to(self, user: User | None) -> bool:
        """Whether this user signed in on it, with the password they have now."""
        return user is not None and user.id == self.user_id and _password_fingerprint(user) == self.password_fingerprint


class DeviceCookies:
    """Issues and reads the cookies."""

    def __init__(self, box: SecretBox, clock: Clock) -> None:
        self._box = box
        self._clock = clock

    def issue(self, user: User) -> str:
        """The cookie for a device on which this user has just signed in."""
        until = self._clock.now() + COOKIE_LIFETIME
        said = json.dumps([random.token_hex(16), user.id, _password_fingerprint(user), until])
        return self._box.seal(said, _PURPOSE).rstrip("=")  # a cookie with `=` in it would need quotes

    def read(self, cookie: str) -> KnownDevice | None:
        """None for what is none of ours, or too old."""
        if len(cookie) > _MAX_COOKIE_LENGTH:
            return None
        try:
            device_id, user_id, password, until = json.loads(
                self._box.open(cookie + "=" * (-len(cookie) % 4), _PURPOSE)
            )
        except (Unsealable, ValueError):  # none of ours, or another version's
            return None
        return KnownDevice(device_id, user_id, password) if until > self._clock.now() else None


def _password_fingerprint(user: User) -> str:
    """Which password it is; the stored hash has a salt, so this says nothing about the password."""
    return secrets.hash_api_key(user.password_hash or "")[:32]
