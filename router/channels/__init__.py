"""Channels: one module for each integration type that tickets can be posted to.

A new channel is one new module and one entry in `CHANNELS`; see docs/adding-a-channel.md.
"""

from __future__ import annotations

from typing import Any

from router.channels.contract import Channel
from router.channels.slack import CHANNEL as SLACK

# Any: each channel has its own settings type, which no other code inspects.
CHANNELS: dict[str, Channel[Any]] = {channel.kind: channel for channel in (SLACK,)}

__all__ = ["CHANNELS"]
