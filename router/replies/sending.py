"""Whether mail can be sent from a domain, and with what: a smarthost, and the keys that sign.

New mail needs an active domain whose DNS shows its DKIM key. Mail that is queued already is sent also while that
record is missing or sending is off, because it must not be lost: receivers take a signature without a record for none
(RFC 6376 section 6.1). Only a domain that is not verified sends nothing, because it may belong to somebody else now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from config.outgoing import OutgoingSettings
from router.errors import Refused
from router.mail.dkim import private_key
from router.mail.dkim.private_key import PrivateKey
from router.model import Domain, DomainKey
from router.outbound.smarthost.access import SmarthostAccess
from router.recent_cache import RecentCache
from router.replies import sealed_smarthost
from router.secrets import DKIM_PURPOSE, DecryptionError, SecretBox
from router.store.database import QueryExecutor, fetch_model, fetch_models

INSTALLATION = "installation"  # the id of the smarthost of the configuration
MAX_LOADED_KEYS = 1000


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """A domain from which mail can be sent. `smarthost_id` is the id of the row in `smarthosts`."""

    id: str
    name: str
    smarthost_id: str
    mx_managed_upstream: bool


@dataclass(frozen=True, slots=True)
class SendingSetup:
    """What a queued mail of a domain is sent with.

    Attributes:
        access: None if nothing can be sent now; `reason` then says why, for people.
        keys: The keys that sign, RSA first; empty if there are none yet.
        smarthost_id: The id of the row in `smarthosts`.
    """

    access: SmarthostAccess | None
    keys: tuple[PrivateKey, ...]
    smarthost_id: str
    reason: str = ""


class SendingReader:
    """Reads the sending setup of domains. Loaded keys are remembered, because loading one takes milliseconds."""

    def __init__(self, database: QueryExecutor, box: SecretBox, settings: OutgoingSettings) -> None:
        self._database = database
        self._box = box
        self._settings = settings
        self._loaded: RecentCache[str, PrivateKey] = RecentCache(MAX_LOADED_KEYS)

    async def require(self, domain_id: str) -> SendingDomain:
        """Raises `Refused("sending_not_set_up")` with the detail `fix` if no new mail can be sent from the domain."""
        domain = await fetch_model(self._database, Domain, "sending_domain", id=domain_id)
        fix = describe_missing(domain, self._settings)
        if domain is None or fix:
            name = domain.name if domain else "this address"
            raise Refused("sending_not_set_up", f"Mail cannot be sent from {name}: {fix}", details={"fix": fix})
        return _to_sending_domain(domain)

    async def find_active(self, workspace_id: str) -> SendingDomain | None:
        """Returns the oldest domain of a workspace from which mail can be sent."""
        domains = await fetch_models(self._database, Domain, "sending_domains_active", workspace_id=workspace_id)
        return next((_to_sending_domain(each) for each in domains if not describe_missing(each, self._settings)), None)

    async def read(self, domain_id: str) -> SendingSetup:
        """Returns what a queued mail of the domain is sent with. Never raises `Refused`."""
        domain = await fetch_model(self._database, Domain, "sending_domain", id=domain_id)
        if domain is None:
            return SendingSetup(None, (), INSTALLATION, "its domain was removed")
        smarthost_id = _smarthost_id(domain)
        if domain.status != "active":
            return SendingSetup(None, (), smarthost_id, f"{domain.name} is not verified")
        try:
            access = self.read_access(domain)
            keys = await self._load_keys(domain)
        except DecryptionError:
            reason = (
                f"the smarthost or the DKIM keys of {domain.name} cannot be decrypted with this secret key: enter the "
                "smarthost again, and turn sending off and on, which makes new keys"
            )
            return SendingSetup(None, (), smarthost_id, reason)
        return SendingSetup(access, keys, smarthost_id, "" if access else "no smarthost is set")

    def read_access(self, domain: Domain) -> SmarthostAccess | None:
        """Returns the smarthost of a domain; None if there is none. Raises `DecryptionError`."""
        if domain.encrypted_smarthost:
            url, password = sealed_smarthost.unseal(self._box, domain.encrypted_smarthost)
            return SmarthostAccess(domain.id, url, password, is_guarded=True)
        return installation_access(self._settings)

    async def _load_keys(self, domain: Domain) -> tuple[PrivateKey, ...]:
        stored = await fetch_models(self._database, DomainKey, "domain_keys", domain_id=domain.id)
        keys = select_signing_keys(stored, with_ed25519=self._settings.dkim_ed25519)
        return tuple([await self._load_key(domain, key) for key in keys])

    async def _load_key(self, domain: Domain, key: DomainKey) -> PrivateKey:
        loaded = self._loaded.get(key.encrypted_private_key)
        if loaded is None:
            pem = self._box.decrypt(key.encrypted_private_key, DKIM_PURPOSE)
            loaded = await asyncio.to_thread(private_key.load, domain.name, key.selector, key.algorithm, pem)
            self._loaded.store(key.encrypted_private_key, loaded)
        return loaded


def installation_access(settings: OutgoingSettings) -> SmarthostAccess | None:
    """Returns the smarthost of the configuration. None without one."""
    if settings.smarthost is None:
        return None
    return SmarthostAccess(INSTALLATION, settings.smarthost, settings.smarthost_password, is_guarded=False)


def select_signing_keys(keys: Sequence[DomainKey], *, with_ed25519: bool) -> list[DomainKey]:
    """Returns the newest key of each algorithm that DNS has shown, RSA first."""
    selected = []
    for algorithm in ("rsa", "ed25519") if with_ed25519 else ("rsa",):
        shown = [key for key in keys if key.algorithm == algorithm and key.active_at is not None]
        shown = [key for key in shown if key.retired_at is None]
        if shown:
            selected.append(max(shown, key=lambda key: (key.created_at, key.selector)))
    return selected


def describe_missing(domain: Domain | None, settings: OutgoingSettings) -> str:
    """Returns what must be done before new mail can be sent from the domain; `""` if nothing is missing."""
    if domain is None:
        return "Its domain was removed. Add the domain again."
    if domain.status != "active":
        return f"Verify {domain.name}: its DNS records are not correct yet."
    if not domain.encrypted_smarthost and settings.smarthost is None:
        return (
            f"Set a smarthost: [outgoing] smarthost in the configuration, or a smarthost of {domain.name} on the page "
            "of the domain."
        )
    match domain.sending:
        case "off":
            return f"Turn on sending for {domain.name} on the page of the domain."
        case "pending":
            return (
                f"Publish the DKIM record of {domain.name} that the page of the domain shows, then check the records."
            )
        case "failing":
            return f"The DKIM record of {domain.name} is missing or wrong. The page of the domain says how to fix it."
    return ""


def _to_sending_domain(domain: Domain) -> SendingDomain:
    return SendingDomain(domain.id, domain.name, _smarthost_id(domain), domain.mx_managed_upstream)


def _smarthost_id(domain: Domain) -> str:
    return domain.id if domain.encrypted_smarthost else INSTALLATION
