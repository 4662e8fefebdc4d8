"""Sending from a domain: on and off, its DKIM keys, and a smarthost of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from config.outgoing import OutgoingSettings
from router.admin import audit, validation
from router.admin.domains.domain_view import DomainView, DomainViews
from router.admin.domains.sending_checks import SendingChecks
from router.admin.domains.smarthost_setting import SmarthostSetting, read_setting
from router.admin.fetch import fetch_by_id
from router.clock import SECOND, Clock
from router.enumerations import DkimAlgorithm
from router.errors import Refused
from router.mail.dkim.private_key import GeneratedKey, generate
from router.model import Actor, Domain, DomainKey, Micros
from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import ProbeResult
from router.replies import sealed_smarthost
from router.replies.sending import SendingReader
from router.replies.sending_state import is_waiting
from router.replies.smarthosts import remove_smarthost, save_smarthost
from router.secrets import DKIM_PURPOSE, DecryptionError, SecretBox
from router.store.database import Database, QueryExecutor, fetch_models, retry_on_conflict, run_statements
from router.store.fragments import model_values


class SendingService:
    """Manages sending from domains. Every change is followed by a check of the records.

    `allow_private` is `[delivery] allow_private_networks`.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        box: SecretBox,
        *,
        checks: SendingChecks,
        views: DomainViews,
        reader: SendingReader,
        settings: OutgoingSettings,
        client: SmarthostClient,
        allow_private: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._box = box
        self._checks = checks
        self._views = views
        self._reader = reader
        self._settings = settings
        self.client = client
        self._allow_private = allow_private

    async def set_enabled(self, actor: Actor, domain_id: str, enabled: bool) -> DomainView:
        """Turns sending on or off. The first time, the keys are made; they stay when sending is turned off.

        When it is turned on, new keys replace those that cannot be decrypted, because the secret key was lost.
        """
        validation.validate_id(domain_id, "dom", "Domain")
        generated = await self._generate_missing(actor, domain_id, rotate=False) if enabled else {}
        async with self._database.transaction() as transaction:
            domain = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            if (domain.sending != "off") != enabled:
                status = "pending" if enabled else "off"
                await transaction.execute("domain_set_sending", id=domain.id, sending=status)
                await self._record_change(transaction, actor, domain, sending=enabled)
            if enabled:
                await self._insert_keys(transaction, actor, domain, generated, rotate=False)
        return await self._check(actor, domain_id)

    async def rotate(self, actor: Actor, domain_id: str) -> DomainView:
        """Makes the next keys. They sign once DNS shows their records; until then, no further ones are made.

        Raises `Refused("sending_not_set_up")` if sending is off.
        """
        validation.validate_id(domain_id, "dom", "Domain")
        generated = await self._generate_missing(actor, domain_id, rotate=True)
        async with self._database.transaction() as transaction:
            domain = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            if domain.sending == "off":
                fix = f"Turn on sending for {domain.name} first."
                raise Refused("sending_not_set_up", f"Sending is off for {domain.name}", details={"fix": fix})
            await self._insert_keys(transaction, actor, domain, generated, rotate=True)
        return await self._check(actor, domain_id)

    async def set_smarthost(self, actor: Actor, domain_id: str, setting: SmarthostSetting | None) -> DomainView:
        """Sets the smarthost of the domain; None stands for that of the installation.

        Raises `Refused("invalid_request")` for a URL that is not allowed, and if the password is missing.
        """
        validation.validate_id(domain_id, "dom", "Domain")
        await self._store_smarthost(actor, domain_id, setting)
        return await self._check(actor, domain_id)

    @retry_on_conflict
    async def _store_smarthost(self, actor: Actor, domain_id: str, setting: SmarthostSetting | None) -> None:
        """Moves the queued mail, which other transactions lock at the same time."""
        async with self._database.transaction() as transaction:
            domain = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            now = self._clock.now()
            if setting is None:
                encrypted, hint = "", ""
                await run_statements(transaction, remove_smarthost(domain.id, now))
            else:
                url, password = read_setting(setting, self._find_stored(domain), allow_private=self._allow_private)
                encrypted, hint = sealed_smarthost.seal(self._box, url, password), str(url)
                saved = save_smarthost(domain.id, hint, now, is_changed=True, domain=domain.name)
                await run_statements(transaction, saved)
            if setting is not None or domain.encrypted_smarthost:
                await transaction.execute(
                    "domain_set_smarthost", id=domain.id, encrypted_smarthost=encrypted, smarthost_hint=hint
                )
                details = {"smarthost": hint} if hint else {"withoutSmarthost": True}
                await self._record_change(transaction, actor, domain, **details)

    def compare_smarthost(self, domain: Domain | None, setting: SmarthostSetting) -> tuple[str, bool]:
        """Returns the URL of a setting in its usual form, and whether it differs from that of the domain.

        Raises `Refused("invalid_request")` as `set_smarthost` does.
        """
        stored = None if domain is None else self._find_stored(domain)
        url, password = read_setting(setting, stored, allow_private=self._allow_private)
        return str(url), stored != SmarthostSetting(str(url), password.reveal() if password else None)

    async def test_smarthost(self, actor: Actor, domain_id: str) -> ProbeResult:
        """Connects to the smarthost of the domain and authenticates. Sends nothing.

        Raises `Refused("sending_not_set_up")` if there is no smarthost.
        """
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        try:
            access = self._reader.read_access(domain)
        except DecryptionError:
            fix = "Enter the URL and the password of the smarthost again."
            raise Refused(
                "sending_not_set_up", "The smarthost cannot be decrypted with this secret key", details={"fix": fix}
            ) from None
        if access is None:
            fix = f"Set a smarthost for {domain.name}, or [outgoing] smarthost in the configuration."
            raise Refused("sending_not_set_up", "There is no smarthost", details={"fix": fix})
        result = await self.client.probe(access)
        async with self._database.transaction() as transaction:
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "domain.test",
                domain.id,
                domain=domain.name,
                ok=result.kind == "accepted",
            )
        return result

    def _find_stored(self, domain: Domain) -> SmarthostSetting | None:
        """Returns the current smarthost; None without one, and if it cannot be decrypted."""
        if not domain.encrypted_smarthost:
            return None
        try:
            url, password = sealed_smarthost.unseal(self._box, domain.encrypted_smarthost)
        except DecryptionError:
            return None
        return SmarthostSetting(str(url), password.reveal() if password else None)

    async def _check(self, actor: Actor, domain_id: str) -> DomainView:
        """Checks the sending records of a domain that was changed, and returns it."""
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        check = await self._checks.query(domain)
        async with self._database.transaction() as transaction:
            current = await fetch_by_id(transaction, actor, Domain, "domain_lock", domain_id)
            updated = await self._checks.record(transaction, current, check, by_user=True)
            return await self._views.build(transaction, updated)

    async def _generate_missing(
        self, actor: Actor, domain_id: str, *, rotate: bool
    ) -> dict[DkimAlgorithm, GeneratedKey]:
        """Makes the keys that the domain needs, in a thread: an RSA key takes some 100 ms."""
        domain = await fetch_by_id(self._database, actor, Domain, "domain_by_id", domain_id)
        keys = await fetch_models(self._database, DomainKey, "domain_keys", domain_id=domain.id)
        lost = self._find_lost(domain, keys)
        missing = self._find_missing([key for key in keys if key not in lost], rotate=rotate)
        return {algorithm: await asyncio.to_thread(generate, algorithm) for algorithm in missing}

    def _find_lost(self, domain: Domain, keys: Sequence[DomainKey]) -> list[DomainKey]:
        """Returns the keys that cannot be decrypted. With sending on, they stay: nothing is then sent unsigned."""
        if domain.sending != "off":
            return []
        return [key for key in keys if key.retired_at is None and not self._is_readable(key)]

    def _is_readable(self, key: DomainKey) -> bool:
        try:
            self._box.decrypt(key.encrypted_private_key, DKIM_PURPOSE)
        except DecryptionError:
            return False
        return True

    def _find_missing(self, keys: Sequence[DomainKey], *, rotate: bool) -> list[DkimAlgorithm]:
        """Returns the algorithms that need a new key: with `rotate`, those without a waiting one."""
        algorithms: list[DkimAlgorithm] = ["rsa", "ed25519"] if self._settings.dkim_ed25519 else ["rsa"]
        present = {key.algorithm for key in keys if (is_waiting(key) if rotate else key.retired_at is None)}
        return [algorithm for algorithm in algorithms if algorithm not in present]

    async def _insert_keys(
        self,
        transaction: QueryExecutor,
        actor: Actor,
        domain: Domain,
        generated: dict[DkimAlgorithm, GeneratedKey],
        *,
        rotate: bool,
    ) -> None:
        """Inserts the keys that are still missing. `domain` is as it was before the change."""
        keys = await fetch_models(transaction, DomainKey, "domain_keys", domain_id=domain.id)
        lost = self._find_lost(domain, keys)
        for key in lost:
            await transaction.execute("domain_key_delete", domain_id=domain.id, selector=key.selector)
        now = self._clock.now()
        for algorithm in self._find_missing([key for key in keys if key not in lost], rotate=rotate):
            new = generated.get(algorithm)
            if new is None:  # the domain has lost a key since
                raise Refused("conflict", "The keys of the domain were changed concurrently. Try again.")
            key = DomainKey(
                domain.id,
                new_selector(now, algorithm, [key.selector for key in keys]),
                algorithm,
                self._box.encrypt(new.private_pem, DKIM_PURPOSE),
                new.public_value,
                now,
            )
            await transaction.execute("domain_key_insert", **model_values(key))
            await audit.record(
                transaction, actor, now, "signing_key.create", domain.id, domain=domain.name, selector=key.selector
            )

    async def _record_change(self, transaction: QueryExecutor, actor: Actor, domain: Domain, **details: object) -> None:
        await audit.record(
            transaction, actor, self._clock.now(), "domain.change", domain.id, domain=domain.name, **details
        )


def new_selector(now: Micros, algorithm: DkimAlgorithm, taken: Iterable[str]) -> str:
    """Returns a selector that the domain does not have: `er202611`, `er202611-2`, `er202611-ed25519`."""
    month = datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y%m")
    base = f"er{month}" if algorithm == "rsa" else f"er{month}-{algorithm}"
    known, selector, n = set(taken), base, 1
    while selector in known:
        n += 1
        selector = f"{base}-{n}"
    return selector
