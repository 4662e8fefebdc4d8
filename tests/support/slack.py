"""The Slack stand-in as tests use it: the product's own, plus what only tests need.

`assert_slack_takes` holds a payload against slack-sdk's models, a second opinion beside the stand-in's rules.
"""

from typing import Any

from slack_sdk.models.blocks import Block

from emailrouter.standins.slack import (
    Answer,
    Half,
    Hang,
    Huge,
    Post,
    Redirect,
    Reset,
    SlackStandIn,
    Slow,
)
from emailrouter.standins.slack_rules import faults

__all__ = [
    "Answer",
    "Half",
    "Hang",
    "Huge",
    "Post",
    "Redirect",
    "Reset",
    "SlackStandIn",
    "Slow",
    "assert_slack_takes",
]


def assert_slack_takes(payload: dict[str, Any]) -> None:
    """Fails with every fault that Slack's rules and slack-sdk's models find in the payload's blocks."""
    blocks = payload.get("blocks", [])
    found = list(faults(blocks))
    assert not found, found
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None, block
        parsed.validate_json()
