"""Verification as a request of a few bytes of JSON and the message, for the worker of `router.contents.pool`."""

from __future__ import annotations

import json
from dataclasses import asdict

from router.dns.answers import DnsAnswer
from router.mail.dkim.verify import verify


def answer_request(data: bytes, n: int) -> bytes:
    """Verifies the signatures of a message; returns the results as a JSON list.

    Args:
        data: A JSON list of the domain of From, the DNS answers by name, and the time of receipt; then the message.
        n: The length of the JSON in bytes.
    """
    from_domain, answers, received_at = json.loads(data[:n])
    keys = {name: DnsAnswer(**{**answer, "values": tuple(answer["values"])}) for name, answer in answers.items()}
    return json.dumps([asdict(result) for result in verify(data[n:], from_domain, keys, received_at)]).encode()
