"""The first page of an installation: behind a link that `serve` prints once, the first admin chooses a password.

The link is a token of 256 bits, kept as its hash among the facts of the installation. It works once, for
`LIFETIME`, and only while the password it was made with holds: whoever finds it in an old terminal finds nothing.
Looking at the page does not use it up, as programs that preview links look too.

Where the first login was written to a file, using the link deletes the file of this host and revokes the API key that
is written in it: by then both are copies of secrets that only an intruder looks for.
"""

from __future__ import annotations

import asyncio
import json
import secrets as random
from pathlib import Path

import structlog

from router import secrets
from router.admin import audit, validation
from router.admin.access.users import email_in_use, hash_valid_password, normalize_email
from router.clock import SECOND, Clock
from router.errors import Refused
from router.model import Actor, Micros, User
from router.network import address_key
from router.ratelimit.failure_throttle import Attempts
from router.ratelimit.sliding_window import Limit
from router.store.database import Database, QueryExecutor, fetch_model

LINK_FACT = "first_link"
# The id of the API key that was written to the file.
FILE_KEY_FACT = "first_login_file_key"
FIRST_LOGIN_FILE = "first-login"  # in data_dir
FIRST_KEY_NAME = "first key"
LINK_LIFETIME: Micros = 7 * 86400 * SECOND
FAILURE_LIMIT = Limit(requests=100, seconds=900)

log = structlog.get_logger()


def new_token() -> str:
    """A new link's token."""
    return random.token_urlsafe(32)


def link_record(token: str, user_id: str, password_hash: str, now: Micros) -> str:
    """What is kept of a link."""
    kept = {
        "hash": secrets.hash_api_key(token),
        "userId": user_id,
        "password": secrets.hash_api_key(password_hash),
        "until": now + LINK_LIFETIME,
    }
    return json.dumps(kept)


class SetupLinkService:
    """One for each process: it remembers the failures.

    file: where the first login is on this host, if it was written there.
    """

    def __init__(self, database: Database, clock: Clock, file: Path) -> None:
        self._database = database
        self._file = file
        self._clock = clock
        self._failures = Attempts(clock, FAILURE_LIMIT)

    async def find_user(self, token: str, *, address: str) -> User:
        """Whom the link is for. Raises `Refused("not_found")`: no link, used or over; `Throttled` for guessers."""
        place = address_key(address)
        self._failures.check(place)
        found = await _find_link(self._database, token, self._clock.now())
        if found is None:
            self._failures.failed(place)
            log.warning("sign_in.failed", account="", address=address)
            raise Refused("not_found", "This setup link was used or has expired: sign in with your email and password")
        return found[0]

    async def complete(self, token: str, *, email: str, name: str, password: str, address: str) -> User:
        """Gives the first admin an address, a name and a password, uses the link up, and deletes the file."""
        await self.find_user(token, address=address)
        kept_email = normalize_email(email)
        kept_name = validation.validate_line(name, "name") if name else ""
        password_hash = await hash_valid_password(password, kept_email)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            found = await _find_link(transaction, token, now)
            if found is None or not await transaction.execute("installation_delete", name=LINK_FACT, value=found[1]):
                raise Refused("not_found", "This setup link has just been used")
            user, _ = found
            if not await transaction.execute(
                "user_complete_setup", id=user.id, email=kept_email, name=kept_name, password_hash=password_hash
            ):
                raise email_in_use()
            await transaction.execute("session_delete_by_user", user_id=user.id)
            actor = Actor(user.workspace_id, user.role, user_id=user.id, address=address)
            await audit.record(transaction, actor, now, "user.change", user.id, email=kept_email, password="changed")  # noqa: S106 - a word for the audit
            await _revoke_file_key(transaction, actor, now)
            changed = await fetch_model(transaction, User, "user_by_email", email=kept_email)
        if changed is None:
            raise RuntimeError("the updated user was not found")
        await asyncio.to_thread(self._delete_file)
        return changed

    def _delete_file(self) -> None:
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:  # the link is used all the same; `emailrouter check` warns while the file is there
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
    kept = json.loads(value)
    if kept["hash"] != secrets.hash_api_key(token) or kept["until"] <= now:
        return None
    user = await fetch_model(transaction, User, "user_by_setup_link", id=kept["userId"])
    if user is None or user.password_hash is None or user.disabled_at is not None:
        return None
    return (user, value) if secrets.hash_api_key(user.password_hash) == kept["password"] else None
