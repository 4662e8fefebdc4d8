"""The channels: one module for each integration type. This listing is the list of what tickets can be posted to.

A new channel is one new file here and one line in `CHANNELS`; docs/adding-a-channel.md says how.
"""

from __future__ import annotations

from typing import Any

from router.channels.contract import Channel
from router.channels.slack import CHANNEL as SLACK

# Any: each channel has settings of its own, which nobody but the channel looks into.
CHANNELS: dict[str, Channel[Any]] = {channel.kind: channel for channel in (SLACK,)}

__all__ = ["CHANNELS"]
