"""Password links: an invited user, or one who forgot the password, sets a new password and is signed in.

Only the hash of a token is stored. A link works once and expires. A new link of the user, a password that is set in
another way, and disabling or deleting the user invalidate it. Opening the page does not, because mail scanners and link
previews open links too. Every invalid link gets the same answer.
"""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, replace

import structlog

from router import secrets
from router.admin import audit
from router.admin.access.password_policy import hash_valid_password
from router.clock import SECOND, Clock
from router.errors import Refused
from router.model import Actor, Micros, User
from router.network import address_key
from router.ratelimit.failure_throttle import FailureThrottle
from router.ratelimit.sliding_window import RateLimit
from router.store.database import Database, QueryExecutor, fetch_model
from router.store.fragments import model_values

PATH = "/set-password"
INVITATION_LIFETIME: Micros = 7 * 86400 * SECOND
RESET_LIFETIME: Micros = 86400 * SECOND
FAILURE_LIMIT = RateLimit(requests=100, seconds=900)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """A new link.

    Attributes:
        url: Contains the secret token and is returned only here; None if it was mailed.
        mailed_to: The address to which the link was mailed.
        mail_error: Why it was not mailed, although there is a smarthost.
    """

    url: str | None
    expires_at: Micros
    mailed_to: str | None = None
    mail_error: str | None = None


async def create_link(
    transaction: QueryExecutor, user: User, now: Micros, *, lifetime: Micros, base_url: str
) -> PasswordLink:
    """Creates a link in place of the user's earlier one. The user must be locked or new."""
    token = random.token_urlsafe(32)
    expires_at = now + lifetime
    await transaction.execute(
        "password_link_replace", user_id=user.id, hash=secrets.hash_api_key(token), expires_at=expires_at
    )
    return PasswordLink(f"{base_url.rstrip('/')}{PATH}?token={token}", expires_at)


async def revoke_sign_in(transaction: QueryExecutor, user_id: str) -> None:
    """Ends all sessions of a user and invalidates the password link."""
    await transaction.execute("session_delete_by_user", user_id=user_id)
    await transaction.execute("password_link_delete", user_id=user_id)


class PasswordLinkService:
    """Validates and uses password links. Counts failures in memory, so use one instance per process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._failures = FailureThrottle(clock, FAILURE_LIMIT)

    async def find_user(self, token: str, *, address: str) -> User:
        """Returns the user of a link. Raises `Refused` for an invalid link, or `RateLimited` after too many."""
        user = await fetch_model(
            self._database, User, "password_link_user", hash=secrets.hash_api_key(token), now=self._clock.now()
        )
        if user is None:
            # Only invalid tokens are limited, so that others with the same address cannot block a valid link.
            origin = address_key(address)
            self._failures.check(origin)
            self._failures.record_failure(origin)
            log.warning("sign_in.failed", account="", address=address)
            raise _invalid_link()
        return user

    async def set_password(self, token: str, password: str, *, address: str) -> User:
        """Sets the password of the link's user, ends all sessions of the user and invalidates the link.

        Raises `Refused` for an invalid link or password, and `RateLimited`.
        """
        found = await self.find_user(token, address=address)
        password_hash = await hash_valid_password(password, found.email)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            user = await fetch_model(
                transaction, User, "user_lock_to_change", id=found.id, workspace_id=found.workspace_id
            )
            used = await transaction.execute(
                "password_link_use", user_id=found.id, hash=secrets.hash_api_key(token), now=now
            )
            if user is None or not used or user.disabled_at is not None:
                raise _invalid_link()
            changed = replace(user, password_hash=password_hash)
            await transaction.execute("user_update", **model_values(changed))
            await revoke_sign_in(transaction, user.id)
            actor = Actor(user.workspace_id, user.role, user_id=user.id, address=address)
            await audit.record(transaction, actor, now, "user.change", user.id, password="changed", via="password link")  # noqa: S106 - not a password
        return changed


def _invalid_link() -> Refused:
    return Refused(
        "not_found",
        "This link has expired, was already used or is incomplete. If you have set your password, sign in. "
        "Otherwise, ask an admin of your workspace for a new link",
    )
