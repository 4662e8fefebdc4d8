"""Encrypts and decrypts the settings of integrations, and sends payloads to integrations.

Settings are validated when they are decrypted: nothing is sent to a target that the channel or
`[delivery] allow_private_networks` no longer allows. A process keeps the decrypted settings of
the integrations that it used last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from router.channels.attempt_client import AttemptClient
from router.channels.channel import Channel
from router.channels.contract import HttpClient, Payload, SendFailure, SendOutcome, TargetMemory
from router.channels.settings import Settings
from router.clock import Clock
from router.errors import InvalidSetting
from router.model import Integration, Micros
from router.recent_cache import RecentCache
from router.secrets import DecryptionError, SecretBox

_MAX_SENDERS = 1000  # remembered at once

# The values of changed settings by name; None removes an optional setting.
SettingChanges = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """Settings as columns of an integration (`router.model.Integration`)."""

    encrypted_settings: str
    public_settings: str
    hint: str


@dataclass(frozen=True, slots=True)
class IntegrationSender:
    """Sends payloads to one integration."""

    channel: Channel
    _settings: Settings
    _client: HttpClient = field(repr=False)
    _timeout: float
    _memory: TargetMemory = field(default_factory=dict, repr=False)

    def for_attempt(self, clock: Clock, deadline: Micros) -> IntegrationSender:
        """Returns a sender for one attempt, whose methods raise `DeadlinePassed` if a request could end too late."""
        return replace(self, _client=AttemptClient(self._client, clock, deadline))

    async def send(self, payload: Payload) -> SendOutcome:
        return await self.channel.send(self._client, self._settings, payload, self._timeout, self._memory)

    async def reply(self, ref: str, payload: Payload) -> SendOutcome:
        return await self.channel.reply(self._client, self._settings, ref, payload, self._timeout)

    async def update(self, ref: str, payload: Payload) -> SendOutcome:
        return await self.channel.update(self._client, self._settings, ref, payload, self._timeout)


class Poster:
    """Encrypts and decrypts the settings of integrations, and creates their senders."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        client: HttpClient,
        box: SecretBox,
        *,
        allow_private: bool,
        timeout: float,
    ) -> None:
        self.channels = channels
        self._client = client
        self._box = box
        self._allow_private = allow_private
        self._timeout = timeout
        # The senders by type and encrypted settings.
        self._senders: RecentCache[tuple[str, str], IntegrationSender] = RecentCache(_MAX_SENDERS)

    def parse_settings(self, channel: Channel, values: SettingChanges) -> Settings:
        """Validates settings.

        Raises:
            InvalidSetting: A setting is invalid, or a URL is that of another service.
        """
        settings = channel.parse_settings(values, allow_private=self._allow_private)
        for own in channel.fields:
            other = self._find_other_service(channel, settings.get(own.name, ""))
            if other is not None:
                message = f"{own.label} is a URL of {other.label}: use the type {other.kind}"
                raise InvalidSetting(own.invalid_code, message, own.name)
        return settings

    def merge_settings(self, channel: Channel, integration: Integration, changes: SettingChanges) -> Settings:
        """Returns the settings of an integration after the changes.

        Settings that cannot be decrypted count as not set, so that they can be entered again.

        Raises:
            InvalidSetting: A setting is unknown, missing or invalid.
        """
        try:
            current = self._decrypt(integration)
        except DecryptionError:
            current = {}
        return self.parse_settings(channel, {**current, **changes})

    def encrypt_settings(self, channel: Channel, settings: Settings) -> StoredSettings:
        secrets = {field.name: None for field in channel.fields if field.secret and field.name in settings}
        return StoredSettings(
            self._box.encrypt(json.dumps(settings)),
            json.dumps({**channel.public_settings(settings), **secrets}, ensure_ascii=False),
            channel.hint(settings),
        )

    def decrypt_settings(self, channel: Channel, integration: Integration) -> Settings:
        """Decrypts and validates the settings of an integration.

        Raises:
            DecryptionError: The settings cannot be decrypted.
            InvalidSetting: A setting is invalid or no longer allowed.
        """
        return self.parse_settings(channel, self._decrypt(integration))

    def prepare(self, integration: Integration) -> IntegrationSender | SendFailure:
        """Returns a sender, or the failure to record for the delivery if nothing can be sent."""
        key = integration.type, integration.encrypted_settings
        if (known := self._senders.get(key)) is not None:
            return known
        channel = self.channels.get(integration.type)
        if channel is None:
            return SendFailure("permanent", f"this version does not support the integration type {integration.type!r}")
        try:
            settings = self.decrypt_settings(channel, integration)
        except DecryptionError:
            return SendFailure("permanent", "the settings cannot be decrypted with this secret key; enter them again")
        except InvalidSetting as invalid:
            return SendFailure("permanent", invalid.message)
        sender = IntegrationSender(channel, settings, self._client, self._timeout)
        self._senders.store(key, sender)
        return sender

    def _find_other_service(self, channel: Channel, value: str) -> Channel | None:
        """Returns the channel whose declaration describes URLs such as this value, unless the given channel does."""
        matching = [each for each in (channel, *self.channels.values()) if each.is_own_url(value)]
        return matching[0] if matching and matching[0] is not channel else None

    def _decrypt(self, integration: Integration) -> dict[str, object]:
        try:
            stored = json.loads(self._box.decrypt(integration.encrypted_settings))
        except ValueError:
            raise DecryptionError("the decrypted settings are not JSON") from None
        if not isinstance(stored, dict):
            raise DecryptionError("the decrypted settings are not a JSON object")
        return stored
