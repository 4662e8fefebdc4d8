"""The channels: the integration types that tickets can be posted to.

docs/adding-a-channel.md describes how to add a channel.
"""

from __future__ import annotations

from importlib import import_module

from router.channels.channel import Channel

# The modules of the channels, in the order in which forms and documents list them.
_MODULES = (
    "slack",
    "discord",
)


def _load(module: str) -> Channel:
    channel: Channel = import_module(f"{__name__}.{module}").CHANNEL
    return channel


CHANNELS: dict[str, Channel] = {channel.kind: channel for channel in map(_load, _MODULES)}

__all__ = ["CHANNELS"]
