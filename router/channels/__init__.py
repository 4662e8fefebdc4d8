"""The channels: the integration types that tickets can be posted to.

docs/adding-a-channel.md describes how to add a channel.
"""

from __future__ import annotations

from typing import Any

from router.channels.contract import Channel
from router.channels.slack import CHANNEL as SLACK

# Any: each channel has its own settings type.
CHANNELS: dict[str, Channel[Any]] = {channel.kind: channel for channel in (SLACK,)}

__all__ = ["CHANNELS"]
