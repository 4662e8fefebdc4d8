"""Resolves the settings of integrations in a `WorkspaceDocument`, and compares them with the current ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from router.channels.channel import Channel, find_channel
from router.channels.poster import Poster
from router.channels.settings import SettingField
from router.errors import InvalidSetting, Refused
from router.model import Integration
from router.provisioning.document import IntegrationDefinition, validate_reference
from router.provisioning.entry import Differences, InvalidDocument
from router.provisioning.matching import PlannedSettings
from router.secrets import DecryptionError

# Returns the value of a reference, or None if the reference is not set.
ResolveReference = Callable[[str], str | None]


class SettingsReader:
    """Reads the settings of the entries of a document.

    The settings of an entry are complete: an optional setting that is missing is removed. A secret of an existing
    integration whose reference is not set stays unchanged.
    """

    def __init__(self, poster: Poster, resolve: ResolveReference) -> None:
        self._poster = poster
        self._resolve = resolve

    def read(self, entry: IntegrationDefinition, current: Integration | None, location: str) -> PlannedSettings:
        """Compares the settings of an entry with those of its integration, or of none.

        Raises:
            InvalidDocument: The type or a key is unknown, a required setting is missing, or a secret is no reference.
            Refused: A reference of a new integration is not set, or a setting is invalid.
        """
        channel = self._find_channel(entry, current, location)
        given = _index_by_name(channel, entry, location)
        stored = {} if current is None else self._decrypt(channel, current)
        values: dict[str, str | None] = {}
        notes = []
        for field in channel.fields:
            if field.name not in given:
                continue
            place, text = given[field.name]
            values[field.name] = self._resolve(text) if field.secret else text
            if values[field.name] is None:
                if current is None:
                    message = f"{location}.{place}: {text} is not set, but required to add {entry.name!r}"
                    raise Refused("invalid_integration", message)
                notes.append(f"integration {entry.name}: {text} is not set, so its {field.noun} stays unchanged")
                values[field.name] = stored.get(field.name)
        if notes and current is not None and not stored:
            return PlannedSettings(channel.kind, {}, {}, notes)
        try:
            new = self._poster.parse_settings(channel, values)
        except InvalidSetting as invalid:
            place = _describe_place(channel, given, invalid.field)
            raise Refused(invalid.code, f"{location}{place}: {invalid.message}") from None
        changed = [field for field in channel.fields if stored.get(field.name) != new.get(field.name)]
        changes = {field.name: new.get(field.name) for field in changed}
        if current is None:
            return PlannedSettings(channel.kind, changes, {}, notes)
        texts = {name: text for name, (_, text) in given.items()}
        differences: Differences = {
            field.key: (_describe_value(channel, field, current), texts.get(field.name)) for field in changed
        }
        return PlannedSettings(channel.kind, changes, differences, notes)

    def _find_channel(self, entry: IntegrationDefinition, current: Integration | None, location: str) -> Channel:
        channels = self._poster.channels
        kind = entry.type or (next(iter(channels)) if current is None else current.type)
        try:
            return find_channel(channels, kind)
        except Refused as refused:
            raise InvalidDocument(f"{location}.{refused.message}") from None

    def _decrypt(self, channel: Channel, integration: Integration) -> dict[str, str]:
        """Returns {} if the settings cannot be decrypted or are no longer allowed, so that all are entered again."""
        try:
            return self._poster.decrypt_settings(channel, integration)
        except (DecryptionError, InvalidSetting):
            return {}


def _describe_place(channel: Channel, given: Mapping[str, tuple[str, str]], name: str | None) -> str:
    """Returns where a setting stands or belongs in an entry, with its text if it is given."""
    for field in channel.fields:
        if field.name == name:
            place, text = given.get(name, (f"settings.{field.key}", ""))
            return f".{place} ({text})" if text else f".{place}"
    return ""


def _describe_value(channel: Channel, field: SettingField, integration: Integration) -> str | None:
    """Returns the current value of a setting for display; None if it is not set."""
    if not field.secret:
        return integration.settings.get(field.name)
    if field == channel.target_field:
        return integration.hint
    return "set" if field.is_set(integration) else None


def _index_by_name(channel: Channel, entry: IntegrationDefinition, location: str) -> dict[str, tuple[str, str]]:
    """Returns the place and the text of each given setting by its name."""
    if entry.webhook_url not in (None, entry.settings.get("webhook_url", entry.webhook_url)):
        message = "webhook_url and settings.webhook_url differ: give only one of them"
        raise InvalidDocument(f"{location}: {message}")
    given = entry.all_settings
    keys = [field.key for field in channel.fields]
    unknown = next((place for key, (place, _) in given.items() if key not in keys), None)
    if unknown is not None:
        raise InvalidDocument(f"{location}.{unknown} is not a known key; allowed keys: {', '.join(keys)}")
    for field in channel.fields:
        if field.key not in given:
            if field.required:
                raise InvalidDocument(f"{location}.settings.{field.key} is missing")
        elif field.secret:
            try:
                validate_reference(given[field.key][1])
            except ValueError as error:
                raise InvalidDocument(f"{location}.{given[field.key][0]} {error}") from None
    return {field.name: given[field.key] for field in channel.fields if field.key in given}
