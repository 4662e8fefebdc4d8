"""Measures the time from the 250 reply to the complete request at the Slack stand-in, on an idle system."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping

from bench import client
from tests.support.slack import SlackStandIn
from tests.support.smtp import dot_stuff

WARM_UP = 5  # messages that are sent first, and not measured
_MARK = re.compile(rb"latency-(\d+)-")


async def send_slowly(port: int, recipient: str, mails: int) -> dict[int, float]:
    """Sends messages one by one. Returns the time of each reply by message number, without the warm-up."""
    answered: dict[int, float] = {}
    run_id = uuid.uuid4().hex[:12]
    for n in range(-WARM_UP, mails):
        subject = f"latency-{n}-" if n >= 0 else "warm up"
        message_id = f"<{n}.{run_id}@lat.test>"
        head = f"From: Ada <ada@sender.test>\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\n"
        content = dot_stuff(f"{head}\r\n".encode() + b"The door is stuck, and it rains in.\r\n" * 20)
        answer = await client.send(port, recipient, [content])
        if answer.code != 250:
            raise RuntimeError(f"not accepted: {answer.text}")
        if n >= 0:
            answered[n] = answer.replied_at
        await asyncio.sleep(0.03)
    return answered


def find_latencies(slack: SlackStandIn, answered: Mapping[int, float]) -> list[float]:
    """Returns the latency of each posted message, in seconds."""
    marked = ((post.at, _MARK.search(post.raw)) for post in slack.posts)
    return [at - answered[int(found[1])] for at, found in marked if found]
