"""The integrations of a workspace: the endpoints that tickets are posted to.

Settings are stored encrypted, and secret ones such as a webhook URL are never returned. New settings or a successful
test reactivate a failing integration, and its parked deliveries become due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from router import ids
from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.channels.channel import Channel, find_channel
from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess, TestMessage
from router.channels.poster import Poster, SettingChanges
from router.clock import Clock
from router.dispatch.outbox import end_removed_deliveries, reactivate_integration
from router.dispatch.outcome_statements import PARK_STEP
from router.errors import Refused
from router.filters import IntegrationFilter
from router.local_time import DEFAULT_TIMEZONE
from router.model import Actor, Integration, Micros, Workspace
from router.ports import Waker
from router.store import batches
from router.store.database import Database, QueryExecutor, fetch_model, retry_on_conflict
from router.store.fragments import model_values

_ALL_INTEGRATIONS = IntegrationFilter()
_DELETION = "This integration is being deleted: delete it again if the deletion was interrupted"

IntegrationType = Channel
"""A channel, of which the servers read only the declaration: kind, label, fields and setup steps."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The result of a test message. `status` is the HTTP status of the response, if any."""

    __test__ = False  # not a test class of pytest

    ok: bool
    status: int | None
    response: str
    reason: str
    latency: Micros


class IntegrationService:
    """Manages and tests the integrations of the actor's workspace."""

    def __init__(self, database: Database, clock: Clock, poster: Poster, wake: Waker) -> None:
        self._database = database
        self._clock = clock
        self._poster = poster
        self._wake = wake

    @property
    def types(self) -> Mapping[str, IntegrationType]:
        """The integration types by `type`, the default type first."""
        return self._poster.channels

    async def list(
        self,
        actor: Actor,
        integration_filter: IntegrationFilter = _ALL_INTEGRATIONS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Integration]:
        return await fetch_page(
            self._database,
            actor,
            Integration,
            "integration_page",
            limit=limit,
            cursor=cursor,
            **integration_filter.parameters(),
        )

    async def get(self, actor: Actor, integration_id: str) -> Integration:
        return await _fetch_integration(self._database, actor, integration_id)

    def find_foreign_host(self, type: str, settings: SettingChanges) -> str | None:  # noqa: A002 - see `create`
        """Returns the host of the first given URL that is not one of the service itself, such as `chat.example.com`.

        Returns None if all are, if the service has no URLs of its own, and for invalid settings, which `create` and
        `change` refuse. Raises `invalid_integration` for an unknown type.
        """
        return find_channel(self._poster.channels, type).find_foreign_host(settings)

    async def create(self, actor: Actor, *, type: str, name: str, settings: SettingChanges) -> Integration:  # noqa: A002 - named as in the API and the table
        """Raises `InvalidSetting` for an invalid setting."""
        channel = find_channel(self._poster.channels, type)
        valid_name = validation.validate_line(name, "name")
        parsed = self._poster.parse_settings(channel, settings)
        stored = self._poster.encrypt_settings(channel, parsed)
        integration = Integration(
            id=ids.new_id("int"),
            workspace_id=actor.workspace_id,
            type=type,
            name=valid_name,
            created_at=self._clock.now(),
            **asdict(stored),
        )
        async with self._database.transaction() as transaction:
            await transaction.execute("integration_insert", **model_values(integration))
            await audit.record(
                transaction,
                actor,
                integration.created_at,
                "integration.create",
                integration.id,
                type=type,
                name=valid_name,
                hint=stored.hint,
                settings=channel.public_settings(parsed) or None,
            )
        return integration

    @retry_on_conflict
    async def change(
        self,
        actor: Actor,
        integration_id: str,
        *,
        name: str | None = None,
        settings: SettingChanges | None = None,
    ) -> Integration:
        """Changes the name and the given settings; a setting that is None is removed.

        Settings reactivate a failing integration, also if they equal the current ones.
        Raises `InvalidSetting` for an invalid setting.
        """
        validation.validate_id(integration_id, "int", "Integration")
        async with self._database.transaction() as transaction:
            # Locked, because settings that are not given are kept.
            integration = await _fetch_integration(transaction, actor, integration_id, "integration_lock_to_change")
            _require_kept(integration)
            changed = integration if name is None else replace(integration, name=validation.validate_line(name, "name"))
            details: dict[str, object] = {}
            if changed != integration:
                details |= {"name": changed.name, "before": {"name": integration.name}}
            if settings is not None:
                channel = self._poster.channels.get(integration.type)
                if channel is None:
                    raise Refused("conflict", f"Integration type {integration.type} is not supported by this version")
                merged = self._poster.merge_settings(channel, integration, settings)
                stored = asdict(self._poster.encrypt_settings(channel, merged))
                changed = replace(changed, **stored, last_test_at=None, last_test_error="")
                details["hint"] = changed.hint
                details |= _describe_changes(channel, integration, settings, channel.public_settings(merged))
            if not details:
                return integration
            now = self._clock.now()
            await transaction.execute("integration_update", **model_values(changed))
            if settings is not None:
                await reactivate_integration(transaction, integration.id, now)
            await audit.record(transaction, actor, now, "integration.change", integration.id, **details)
            changed = await _fetch_integration(transaction, actor, integration_id)
        if settings is not None:
            self._wake.wake([integration_id])
        return changed

    async def delete(self, actor: Actor, integration_id: str) -> None:
        """Deletes an integration. Its pending deliveries fail permanently. Raises `in_use` if aliases use it.

        If it has many deliveries or posts, the first of several transactions erases its settings and records the
        deletion, and the last one deletes it. If the deletion is interrupted, the same request does the rest.
        """
        validation.validate_id(integration_id, "int", "Integration")
        while not await self._delete_batch(actor, integration_id):
            await batches.pause()

    @retry_on_conflict
    async def _delete_batch(self, actor: Actor, integration_id: str) -> bool:
        """Ends the first deliveries of an integration, then deletes its first posts. Returns whether all is deleted."""
        async with self._database.transaction() as transaction:
            integration = await _fetch_integration(transaction, actor, integration_id, "integration_lock_to_delete")
            if not _is_being_deleted(integration):
                await self._begin_deletion(transaction, actor, integration)
            if not await end_removed_deliveries(transaction, integration.id):
                return False
            posts = await transaction.execute(
                "post_delete_by_integration", integration_id=integration.id, limit=PARK_STEP
            )
            if posts == PARK_STEP:
                return False
            await transaction.execute("integration_delete", id=integration.id, workspace_id=actor.workspace_id)
        return True

    async def _begin_deletion(self, transaction: QueryExecutor, actor: Actor, integration: Integration) -> None:
        """Erases the settings: nothing more is sent to the integration, and no alias can use it."""
        row = await transaction.fetch_one("integration_alias_count", id=integration.id)
        if row is not None and row["aliases"]:
            raise Refused(
                "in_use", f"This integration is used by aliases ({row['aliases']}): change their integration first"
            )
        now = self._clock.now()
        await transaction.execute("workspace_clear_default", id=actor.workspace_id, integration_id=integration.id)
        await transaction.execute("integration_begin_deletion", id=integration.id, reason=_DELETION, now=now)
        await audit.record(transaction, actor, now, "integration.delete", integration.id, name=integration.name)

    async def test(self, actor: Actor, integration_id: str) -> TestResult:
        """Sends a test message immediately, without queueing.

        A success reactivates a failing integration. A failure is saved as the last error of the integration. Either is
        saved as the result of the last test (`Integration.is_tested`).
        """
        integration = await _fetch_integration(self._database, actor, integration_id)
        _require_kept(integration)
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        outcome = await self._send_test(integration, workspace)
        result = _test_result(outcome)
        async with self._database.transaction() as transaction:
            now = self._clock.now()
            if result.ok:
                await reactivate_integration(transaction, integration.id, now)
            else:
                await transaction.execute("dispatch_set_last_error", id=integration.id, reason=result.reason)
            await transaction.execute(
                "integration_record_test",
                id=integration.id,
                encrypted_settings=integration.encrypted_settings,
                now=now,
                error=result.reason,
            )
            await audit.record(
                transaction,
                actor,
                now,
                "integration.test",
                integration.id,
                ok=result.ok,
                status=result.status,
            )
        if result.ok:
            self._wake.wake([integration.id])
        return result

    async def _send_test(self, integration: Integration, workspace: Workspace | None) -> SendOutcome:
        prepared = self._poster.prepare(integration)
        if isinstance(prepared, SendFailure):
            return prepared
        name, timezone = (workspace.name, workspace.timezone) if workspace else ("", DEFAULT_TIMEZONE)
        message = TestMessage(name, integration.name, self._clock.now(), timezone)
        return await prepared.send(prepared.channel.render_test(message))


async def _fetch_integration(
    transaction: QueryExecutor, actor: Actor, integration_id: str, query: str = "integration_by_id"
) -> Integration:
    return await fetch_by_id(transaction, actor, Integration, query, integration_id)


def _is_being_deleted(integration: Integration) -> bool:
    """Whether the first transaction of a deletion has erased the settings (`is_kept` in the queries)."""
    return not integration.encrypted_settings


def _require_kept(integration: Integration) -> None:
    if _is_being_deleted(integration):
        raise Refused("conflict", _DELETION)


def _describe_changes(
    channel: Channel, integration: Integration, given: SettingChanges, new: Mapping[str, str]
) -> dict[str, object]:
    """Returns the details of a change for the audit log: changed settings, and the names of given secrets."""
    old = integration.settings
    changed = {name: new.get(name) for name in {**old, **new} if old.get(name) != new.get(name)}
    secrets = [field.name for field in channel.fields if field.secret and field.name in given]
    return {"settings": changed or None, "secrets": secrets or None}


def _test_result(outcome: SendOutcome) -> TestResult:
    match outcome:
        case SendSuccess():
            return TestResult(True, outcome.status, outcome.excerpt, "", outcome.latency)
        case SendRetry() | SendFailure():
            return TestResult(False, outcome.status, outcome.excerpt, outcome.reason, outcome.latency)
