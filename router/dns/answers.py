"""The answer to one DNS question, as a value that pure functions and the parser worker can use. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

RecordType = Literal["TXT", "MX", "A", "AAAA", "PTR"]
# `no_data`: the name exists without such a record. `no_domain`: the name does not exist (NXDOMAIN). `failed`: unknown.
AnswerStatus = Literal["found", "no_data", "no_domain", "failed"]
# Why a question has no answer: no response in time, an error response such as SERVFAIL or REFUSED, a response that
# cannot be used, or more questions than one message may cause.
AnswerFault = Literal["", "timeout", "refused", "malformed", "limit"]


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The answer to one question.

    Attributes:
        values: The records. The strings of a TXT record are joined and decoded as Latin-1, so that no byte is lost; an
            MX record is `10 mx.example.com`. Host names are in lower case without trailing dot.
        fault: Why the status is `failed`, or `""`.
        ttl: The minimum TTL in seconds; 0 if unknown.
    """

    status: AnswerStatus
    values: tuple[str, ...] = ()
    fault: AnswerFault = ""
    ttl: int = 0


Lookup = Callable[[str, RecordType], Awaitable[DnsAnswer]]
