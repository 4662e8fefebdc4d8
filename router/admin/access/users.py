"""The users of a workspace and their roles. The last active admin cannot be deleted, demoted or disabled."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from router import ids
from router.admin import audit, ticket_events, validation
from router.admin.access import password_links
from router.admin.access.link_mail import LinkKind, LinkMailer
from router.admin.access.password_links import PasswordLink
from router.admin.access.password_policy import hash_valid_password
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.enumerations import ROLE
from router.errors import Refused
from router.filters import UserFilter
from router.mail.address import AddressError, parse_mailbox
from router.model import Actor, Micros, User, Workspace
from router.store import batches
from router.store.database import Database, QueryExecutor, fetch_model, retry_on_conflict
from router.store.fragments import model_values

_ALL_USERS = UserFilter()
BATCH_TICKETS = 500  # unassigned by one transaction, because accepting a message must not wait for long


def normalize_email(email: str) -> str:
    """Normalises an email address for comparison. Raises `Refused`."""
    try:
        mailbox = parse_mailbox(validation.validate_line(email, "email", max_length=254))
        if not mailbox.domain or mailbox.domain.startswith("["):
            raise AddressError("the address has no domain")
        return f"{mailbox.local_key}@{mailbox.domain_key}"
    except AddressError as error:
        raise Refused("invalid_request", f"email is not a valid email address: {error}", "email") from None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invited user, and the link with which the user sets a password."""

    user: User
    link: PasswordLink


class UserService:
    """Manages the users of the actor's workspace.

    Args:
        base_url: The address of the dashboard in password links.
        mailer: Mails password links to their users; None returns all links.
    """

    def __init__(self, database: Database, clock: Clock, *, base_url: str, mailer: LinkMailer | None = None) -> None:
        self._database = database
        self._clock = clock
        self._base_url = base_url
        self._mailer = mailer

    async def list(
        self,
        actor: Actor,
        user_filter: UserFilter = _ALL_USERS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[User]:
        return await fetch_page(
            self._database, actor, User, "user_page", limit=limit, cursor=cursor, **user_filter.parameters()
        )

    async def get(self, actor: Actor, user_id: str) -> User:
        return await fetch_by_id(self._database, actor, User, "user_by_id", user_id)

    async def create(
        self,
        actor: Actor,
        *,
        email: str,
        name: str = "",
        role: str = "agent",
        password: str | None = None,
        timezone: str | None = None,
    ) -> User:
        """Creates a user. Without a password, the user can use API keys but cannot sign in."""
        user = self._new_user(actor, email, name, role, timezone)
        if password is not None:
            user = replace(user, password_hash=await hash_valid_password(password, user.email))
        async with self._database.transaction() as transaction:
            await insert_user(transaction, user)
            await audit.record(
                transaction, actor, user.created_at, "user.create", user.id, email=user.email, role=user.role
            )
        return user

    async def invite(
        self,
        actor: Actor,
        *,
        email: str,
        name: str = "",
        role: str = "agent",
        timezone: str | None = None,
        mail: bool = True,
    ) -> Invitation:
        """Creates a user without a password, and a link with which the user sets one.

        The link is mailed to the user if there is a smarthost, unless `mail` is false.
        """
        user = self._new_user(actor, email, name, role, timezone)
        async with self._database.transaction() as transaction:
            await insert_user(transaction, user)
            link = await password_links.create_link(
                transaction,
                user,
                user.created_at,
                lifetime=password_links.INVITATION_LIFETIME,
                base_url=self._base_url,
            )
            await audit.record(
                transaction,
                actor,
                user.created_at,
                "user.create",
                user.id,
                email=user.email,
                role=user.role,
                invited=True,
            )
        return Invitation(user, await self._mail(user, link, "invitation", mail=mail))

    async def password_link(self, actor: Actor, user_id: str, *, mail: bool = True) -> PasswordLink:
        """Creates a link with which the user sets a new password, in place of an earlier link.

        The current password and sessions of the user remain valid until the link is used. The link is mailed to the
        user if there is a smarthost, unless `mail` is false.
        """
        async with self._database.transaction() as transaction:
            user = await fetch_by_id(transaction, actor, User, "user_lock_to_change", user_id)
            if user.disabled_at is not None:
                raise Refused("conflict", "This user is disabled: enable the user first")
            now = self._clock.now()
            link = await password_links.create_link(
                transaction, user, now, lifetime=password_links.RESET_LIFETIME, base_url=self._base_url
            )
            await audit.record(transaction, actor, now, "user.password_link", user.id, email=user.email)
        return await self._mail(user, link, "reset", mail=mail)

    async def change(
        self,
        actor: Actor,
        user_id: str,
        *,
        name: str | None = None,
        role: str | None = None,
        password: str | None = None,
        disabled: bool | None = None,
        timezone: str | None = None,
        clear_timezone: bool = False,
    ) -> User:
        """Changes the given fields. Raises `Refused`.

        A new password ends the user's sessions. Disabling ends the sessions and revokes the API keys of the user, and
        enabling does not restore them. With `clear_timezone`, the time zone of the workspace applies to the user.
        """
        new_role = None if role is None else ROLE.parse(role)
        new_timezone = None if timezone is None else validation.validate_timezone(timezone)
        email = (await self.get(actor, user_id)).email
        password_hash = None if password is None else await hash_valid_password(password, email)
        async with self._database.transaction() as transaction:
            user = await fetch_by_id(transaction, actor, User, "user_lock_to_change", user_id)
            now = self._clock.now()
            if disabled or new_role not in (None, "admin"):
                await _require_another_admin(transaction, actor, user)
            changed = replace(
                user,
                name=user.name if name is None else (validation.validate_line(name, "name") if name else ""),
                role=new_role or user.role,
                password_hash=password_hash or user.password_hash,
                timezone=None if clear_timezone else new_timezone or user.timezone,
                disabled_at=user.disabled_at if disabled is None else (user.disabled_at or now) if disabled else None,
            )
            await transaction.execute("user_update", **model_values(changed))
            if password_hash or disabled:
                await password_links.revoke_sign_in(transaction, user.id)
            revoked = await _revoke_keys(transaction, user, now) if disabled else 0
            details: dict[str, object] = {
                "name": name,
                "role": new_role,
                "password": "changed" if password_hash else None,
                "disabled": disabled,
                "timezone": timezone,
                "withoutTimezone": clear_timezone or None,
                "keysRevoked": revoked or None,
            }
            before = {each: getattr(user, each) for each in ("name", "role", "timezone") if details[each] is not None}
            await audit.record(transaction, actor, now, "user.change", user.id, before=before or None, **details)
            return changed

    async def delete(self, actor: Actor, user_id: str) -> None:
        """Deletes a user with their keys and sessions. Their unresolved tickets become unassigned.

        A user with many tickets is disabled in the first of several transactions and deleted in the last one. If the
        deletion is interrupted, the same request does the rest.
        """
        validation.validate_id(user_id, "user", "User")
        after = await self._delete_batch(actor, user_id, "")
        while after is not None:
            await batches.pause()
            after = await self._delete_batch(actor, user_id, after)

    async def _mail(self, user: User, link: PasswordLink, kind: LinkKind, *, mail: bool) -> PasswordLink:
        return link if self._mailer is None or not mail else await self._mailer.send(user, link, kind)

    def _new_user(self, actor: Actor, email: str, name: str, role: str, timezone: str | None) -> User:
        return User(
            id=ids.new_id("user"),
            workspace_id=actor.workspace_id,
            email=normalize_email(email),
            name=validation.validate_line(name, "name") if name else "",
            role=ROLE.parse(role),
            password_hash=None,
            created_at=self._clock.now(),
            disabled_at=None,
            timezone=None if timezone is None else validation.validate_timezone(timezone),
        )

    @retry_on_conflict
    async def _delete_batch(self, actor: Actor, user_id: str, after: str) -> str | None:
        """Unassigns the first tickets after an id. Returns the id for the next batch; without one, deletes the user."""
        async with self._database.transaction() as transaction:
            user = await fetch_by_id(transaction, actor, User, "user_lock_to_change", user_id)
            now = self._clock.now()
            if user.disabled_at is None:
                after = ""  # a user who was enabled during the deletion can have new tickets
            key = {"workspace_id": actor.workspace_id, "user_id": user.id}
            rows = await transaction.fetch_all("user_tickets", **key, after=after, limit=BATCH_TICKETS)
            if (
                after and len(rows) < BATCH_TICKETS
            ):  # the last ones: replies may have reopened earlier tickets meanwhile
                rows = await transaction.fetch_all("user_tickets", **key, after="", limit=BATCH_TICKETS)
            if rows:
                ticket_ids = [row["id"] for row in rows]
                await transaction.execute("user_unassign_tickets", ids=json.dumps(ticket_ids), now=now)
                detail = {"from": user.id}
                await ticket_events.record_for_all(transaction, actor, ticket_ids, now, "ticket.unclaimed", **detail)
            await _require_another_admin(transaction, actor, user)
            if len(rows) == BATCH_TICKETS:
                if user.disabled_at is None:
                    await _disable(transaction, actor, user, now)
                return str(rows[-1]["id"])
            await transaction.execute("user_delete", id=user.id, workspace_id=actor.workspace_id)
            await audit.record(transaction, actor, now, "user.delete", user.id, email=user.email)
        return None


async def insert_user(transaction: QueryExecutor, user: User) -> None:
    """Raises `Refused("conflict")` if a user of any workspace has the email address."""
    added = await transaction.execute("user_insert", **model_values(user))
    if not added:
        raise email_in_use()


def email_in_use() -> Refused:
    return Refused("conflict", "This email address is already in use", "email")


async def _disable(transaction: QueryExecutor, actor: Actor, user: User, now: Micros) -> None:
    await transaction.execute("user_update", **model_values(replace(user, disabled_at=now)))
    await password_links.revoke_sign_in(transaction, user.id)
    revoked = await _revoke_keys(transaction, user, now)
    await audit.record(transaction, actor, now, "user.change", user.id, disabled=True, keysRevoked=revoked or None)


async def _revoke_keys(transaction: QueryExecutor, user: User, now: Micros) -> int:
    return await transaction.execute("key_revoke_by_user", user_id=user.id, workspace_id=user.workspace_id, now=now)


async def _require_another_admin(transaction: QueryExecutor, actor: Actor, user: User) -> None:
    """Raises `Refused` if the user is the last active admin.

    Locks the workspace, so that two admins cannot demote each other at the same time.
    """
    if user.role != "admin":
        return
    await fetch_model(transaction, Workspace, "workspace_lock", id=actor.workspace_id)
    row = await transaction.fetch_one("user_other_admins", workspace_id=actor.workspace_id, id=user.id)
    if row is None or not row["admins"]:
        raise Refused("conflict", "This user is the last admin of the workspace: make another user an admin first")
