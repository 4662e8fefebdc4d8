"""The channels: the integration types that tickets can be posted to.

docs/adding-a-channel.md describes how to add a channel.
"""

from __future__ import annotations

from router.channels.channel import Channel
from router.channels.discord import CHANNEL as DISCORD
from router.channels.slack import CHANNEL as SLACK

CHANNELS: dict[str, Channel] = {channel.kind: channel for channel in (SLACK, DISCORD)}

__all__ = ["CHANNELS"]
