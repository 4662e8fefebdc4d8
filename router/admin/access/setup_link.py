"""The setup link: lets the first admin of an installation choose an email address and a password.

Only the hash of its token is stored. The link works once, expires, and becomes invalid when the initial password
changes. Opening the page does not invalidate the link, because link previews open the page too. Completing the setup
also revokes the API key in the first-login file, and deletes the file if it is on this host.
"""

from __future__ import annotations

import asyncio
import json
import secrets as random
from pathlib import Path

import structlog

from router import secrets
from router.admin import audit, validation
from router.admin.access import password_links
from router.admin.access.password_policy import hash_valid_password
from router.admin.access.users import email_in_use, normalize_email
from router.clock import SECOND, Clock
from router.errors import Refused
from router.model import Actor, Micros, User
from router.network import address_key
from router.ratelimit.failure_throttle import FailureThrottle
from router.ratelimit.sliding_window import RateLimit
from router.store.database import Database, QueryExecutor, fetch_model

# Names in the table `installation`. The values are the `link_record`, and the id of the API key in the first-login
# file.
LINK_FACT = "first_link"
FILE_KEY_FACT = "first_login_file_key"
FIRST_LOGIN_FILE = "first-login"  # file name in data_dir
FIRST_KEY_NAME = "first key"
LINK_LIFETIME: Micros = 7 * 86400 * SECOND
FAILURE_LIMIT = RateLimit(requests=100, seconds=900)

log = structlog.get_logger()


def new_token() -> str:
    return random.token_urlsafe(32)


def link_record(token: str, user_id: str, password_hash: str, now: Micros) -> str:
    record = {
        "hash": secrets.hash_api_key(token),
        "userId": user_id,
        "password": secrets.hash_api_key(password_hash),
        "until": now + LINK_LIFETIME,
    }
    return json.dumps(record)


class SetupLinkService:
    """Validates setup links and completes the setup. Counts failures in memory, so use one instance per process.

    `file` is the path of the first-login file, which may exist only on another host.
    """

    def __init__(self, database: Database, clock: Clock, file: Path) -> None:
        self._database = database
        self._file = file
        self._clock = clock
        self._failures = FailureThrottle(clock, FAILURE_LIMIT)

    async def find_user(self, token: str, *, address: str) -> User:
        """Returns the user of a link. Raises `Refused` for an invalid link, or `RateLimited` after too many."""
        link = await _find_link(self._database, token, self._clock.now())
        if link is None:
            # Only invalid tokens are limited, so that others with the same address cannot block a valid link.
            origin = address_key(address)
            self._failures.check(origin)
            self._failures.record_failure(origin)
            log.warning("sign_in.failed", account="", address=address)
            raise Refused("not_found", "This setup link was used or has expired: sign in with your email and password")
        return link[0]

    async def complete(self, token: str, *, email: str, name: str, password: str, address: str) -> User:
        """Sets email address, name and password of the first admin, and ends the admin's sessions.

        Raises `Refused` for an invalid link or value, and `RateLimited`.
        """
        await self.find_user(token, address=address)
        new_email = normalize_email(email)
        new_name = validation.validate_line(name, "name") if name else ""
        password_hash = await hash_valid_password(password, new_email)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            link = await _find_link(transaction, token, now)
            if link is None or not await transaction.execute("installation_delete", name=LINK_FACT, value=link[1]):
                raise Refused("not_found", "This setup link has just been used")
            user, _ = link
            if not await transaction.execute(
                "user_complete_setup", id=user.id, email=new_email, name=new_name, password_hash=password_hash
            ):
                raise email_in_use()
            await password_links.revoke_sign_in(transaction, user.id)
            actor = Actor(user.workspace_id, user.role, user_id=user.id, address=address)
            await audit.record(transaction, actor, now, "user.change", user.id, email=new_email, password="changed")  # noqa: S106 - not a password
            await _revoke_file_key(transaction, actor, now)
            changed = await fetch_model(transaction, User, "user_by_email", email=new_email)
        if changed is None:
            raise RuntimeError("the updated user was not found")
        await asyncio.to_thread(self._delete_file)
        return changed

    def _delete_file(self) -> None:
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:  # `emailrouter check` warns about the remaining file
            log.warning("first_login.not_deleted", path=str(self._file), error=error.strerror or str(error))


async def _revoke_file_key(transaction: QueryExecutor, actor: Actor, now: Micros) -> None:
    row = await transaction.fetch_one("installation_value", name=FILE_KEY_FACT)
    if row is None:
        return
    key_id: str = row["value"]
    await transaction.execute("installation_delete", name=FILE_KEY_FACT, value=key_id)
    if await transaction.execute("key_revoke", id=key_id, workspace_id=actor.workspace_id, now=now):
        await audit.record(transaction, actor, now, "key.revoke", key_id, name=FIRST_KEY_NAME)


async def _find_link(transaction: QueryExecutor, token: str, now: Micros) -> tuple[User, str] | None:
    row = await transaction.fetch_one("installation_value", name=LINK_FACT)
    if row is None:
        return None
    value: str = row["value"]
    record = json.loads(value)
    if record["hash"] != secrets.hash_api_key(token) or record["until"] <= now:
        return None
    user = await fetch_model(transaction, User, "user_by_setup_link", id=record["userId"])
    if user is None or user.password_hash is None or user.disabled_at is not None:
        return None
    return (user, value) if secrets.hash_api_key(user.password_hash) == record["password"] else None
