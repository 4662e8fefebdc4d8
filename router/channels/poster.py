"""Encrypts and decrypts the settings of integrations, and sends payloads to integrations.

Settings are validated each time they are decrypted: nothing is sent to a target that the channel or
`[delivery] allow_private_networks` no longer allows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from router.channels.contract import Channel, HttpClient, Payload, SendFailure, SendOutcome
from router.errors import Refused
from router.model import Integration
from router.secrets import DecryptionError, SecretBox

S = TypeVar("S")


def decrypt_settings(box: SecretBox, channel: Channel[S], encrypted: str, *, allow_private: bool) -> S:
    """Decrypts and validates stored settings.

    Raises:
        DecryptionError: The settings cannot be decrypted.
        Refused: A setting is invalid or no longer allowed.
    """
    try:
        stored = json.loads(box.decrypt(encrypted))
    except ValueError:
        raise DecryptionError("the decrypted settings are not JSON") from None
    return channel.parse_settings(stored, allow_private=allow_private)


@dataclass(frozen=True, slots=True)
class IntegrationSender:
    """Sends payloads to one integration."""

    channel: Channel[Any]
    _settings: Any = field(repr=False)
    _client: HttpClient = field(repr=False)
    _timeout: float

    async def send(self, payload: Payload) -> SendOutcome:
        return await self.channel.send(self._client, self._settings, payload, self._timeout)


class Poster:
    """Encrypts the settings of integrations and creates their senders."""

    def __init__(
        self,
        channels: Mapping[str, Channel[Any]],
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

    def encrypt_settings(self, channel: Channel[Any], values: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the encrypted settings and the masked target.

        Raises:
            Refused: A setting is invalid; `field` names it.
        """
        settings = channel.parse_settings(values, allow_private=self._allow_private)
        return self._box.encrypt(json.dumps(channel.dump_settings(settings))), channel.hint(settings)

    def prepare(self, integration: Integration) -> IntegrationSender | SendFailure:
        """Returns a sender, or the failure to record for the delivery if nothing can be sent."""
        channel = self.channels.get(integration.type)
        if channel is None:
            return SendFailure("permanent", f"this version does not support the integration type {integration.type!r}")
        try:
            settings = decrypt_settings(
                self._box, channel, integration.encrypted_settings, allow_private=self._allow_private
            )
        except DecryptionError:
            return SendFailure("permanent", "the webhook URL cannot be decrypted with this secret key; enter it again")
        except Refused as refused:
            return SendFailure("permanent", refused.message)
        return IntegrationSender(channel, settings, self._client, self._timeout)
