"""Golden files of the payloads of every channel."""

from pathlib import Path

import pytest

from router.channels import CHANNELS
from router.channels.channel import Channel
from router.channels.contract import OperatorAlert, TestMessage
from tests.support.notifications import DIGEST, NOTIFICATIONS, TIMESTAMP, assert_golden

GOLDEN = Path(__file__).parent / "golden"
CHANNEL = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)


@CHANNEL
@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_notification(channel: Channel, name: str) -> None:
    rich, plain = channel.render(NOTIFICATIONS[name]), channel.render_plain(NOTIFICATIONS[name])
    assert_golden(GOLDEN / channel.kind, {name: rich, f"{name}.plain": plain})


@CHANNEL
def test_digest(channel: Channel) -> None:
    assert_golden(GOLDEN / channel.kind, {"digest": channel.render_digest(DIGEST)})


@CHANNEL
def test_test_message(channel: Channel) -> None:
    message = TestMessage("Example & Co", "Billing <channel>", TIMESTAMP, "Europe/Berlin")
    assert_golden(GOLDEN / channel.kind, {"test": channel.render_test(message)})


@CHANNEL
def test_alert(channel: Channel) -> None:
    alert = OperatorAlert("Domain alert", "Records *missing*: v=spf1 @everyone", "Acme", TIMESTAMP)
    assert_golden(GOLDEN / channel.kind, {"alert": channel.render_alert(alert)})
