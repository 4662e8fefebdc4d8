"""A `Lookup` over records in memory."""

import asyncio
from collections.abc import Iterable, Mapping

from router.dns.answers import DnsAnswer, RecordType

Zone = Mapping[str, Iterable[tuple[str, str]]]
"""Pairs of type and value by name. For the type TIMEOUT, all questions without a record fail."""

_MAX_ALIASES = 5


class ZoneLookup:
    """Answers from a zone and records the questions."""

    def __init__(self, zone: Zone) -> None:
        self.questions: list[tuple[str, str]] = []
        self._zone = {name.lower(): tuple(records) for name, records in zone.items()}

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        self.questions.append((name, record_type))
        await asyncio.sleep(0)
        return self._answer(name.lower().removesuffix("."), record_type, _MAX_ALIASES)

    def _answer(self, name: str, record_type: str, aliases: int) -> DnsAnswer:
        records = self._zone.get(name)
        if records is None:
            return DnsAnswer("no_domain")
        values = tuple(value for kind, value in records if kind == record_type)
        if values:
            return DnsAnswer("found", values, ttl=60)
        if any(kind == "TIMEOUT" for kind, _ in records):
            return DnsAnswer("failed", fault="timeout")
        for kind, value in records:
            if kind == "CNAME":
                return (
                    self._answer(value, record_type, aliases - 1) if aliases else DnsAnswer("failed", fault="refused")
                )
        return DnsAnswer("no_data")
