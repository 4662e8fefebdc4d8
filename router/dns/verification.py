"""Whether the DNS proves that a domain is ours to receive for: what is expected, what is found, the fix in words.

It promises: `check` asks a handful of bounded questions, at once, and never raises for what the DNS does; both
records are always in the verdict, whatever the mode; a fault of the DNS is never taken for a missing record.
It writes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeVar

from router.dns.records import (
    TXT_LABEL,
    Judgement,
    RecordStatus,
    judge_mx,
    judge_txt,
    judge_upstream_mx,
    mx_texts,
    not_yet_everywhere,
    plain,
    txt_name,
    txt_value,
)
from router.dns.resolver import Found, Missing, Mx, Resolver, Unknown
from router.model import Micros

_V = TypeVar("_V")
Mode = Literal["mx", "txt", "mx+txt"]
_MOST_SHOWN = 10  # found values in a record: enough to recognise one's own zone
_MOST_TEXT = 200
_MOST_GUESSES = 3  # names at which a misplaced record is looked for
_MOST_VIEWS = 3  # other name servers that are asked when the first one did not find the proof


@dataclass(frozen=True, slots=True)
class Record:
    """One row of `records` in `GET /api/domains/{id}`; fix is "" when ok, checked_at None before the first check."""

    type: Literal["MX", "TXT"]
    name: str
    expected: tuple[str, ...]
    found: tuple[str, ...]
    status: RecordStatus
    checked_at: Micros | None
    fix: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check came to.

    stands: one of the records is right, which is enough for a domain that was verified before. gone: definitely none
    is. texts: all that was found where our TXT belongs.
    """

    records: tuple[Record, ...]
    verified: bool
    stands: bool = field(default=False, compare=False)
    gone: bool = field(default=False, compare=False)
    texts: tuple[str, ...] = field(default=(), compare=False)

    @property
    def txt_right(self) -> bool:
        """Whether the TXT record is ours."""
        return any(record.type == "TXT" and record.status == "ok" for record in self.records)


def expected_records(
    domain: str, token: str, mx_hosts: Sequence[tuple[str, int]], *, upstream: bool = False
) -> tuple[Record, ...]:
    """Both records before any check: `missing`, with what to add."""
    missing = Missing()
    mx_judgement = judge_upstream_mx(domain, missing) if upstream else judge_mx(domain, missing, mx_hosts)
    return (
        _record("MX", domain, () if upstream else mx_texts(mx_hosts), (), mx_judgement, now=None),
        _record("TXT", txt_name(domain), (txt_value(token),), (), judge_txt(domain, missing, token), now=None),
    )


async def check(
    domain: str,
    token: str,
    mx_hosts: Sequence[tuple[str, int]],
    mode: Mode,
    *,
    resolver: Resolver,
    now: Micros,
    upstream: bool = False,
) -> Verdict:
    """Ask and judge. domain: A-label form, lower case; mx_hosts: (host, priority) pairs of `[server] mx_hosts`;
    mode: what proves the domain (`[dns] verification`, `auto` already decided); now: microseconds, for `checked_at`.

    upstream: another relay's MX records get the mail and hand it on; they are shown, and TXT alone is the proof.
    """
    if upstream:
        mode = "txt"

    def ask(view: Resolver) -> Awaitable[Verdict]:
        return _check(domain, token, mx_hosts, mode, resolver=view, now=now, upstream=upstream)

    verdict = await ask(resolver)
    if verdict.verified or not resolver.views:
        return verdict
    return _compared(verdict, await asyncio.gather(*(ask(view) for view in resolver.views[:_MOST_VIEWS])))


async def _check(
    domain: str,
    token: str,
    mx_hosts: Sequence[tuple[str, int]],
    mode: Mode,
    *,
    resolver: Resolver,
    now: Micros,
    upstream: bool,
) -> Verdict:
    mx, txt = await asyncio.gather(resolver.mx(domain), resolver.txt(txt_name(domain)))
    mx_elsewhere, txt_elsewhere = await asyncio.gather(
        _mx_elsewhere(domain, mx, mx_hosts, resolver), _txt_elsewhere(domain, txt, token, resolver)
    )
    mx_judgement = judge_upstream_mx(domain, mx) if upstream else judge_mx(domain, mx, mx_hosts, mx_elsewhere)
    txt_judgement = judge_txt(domain, txt, token, txt_elsewhere)
    found_mx = tuple(f"{record.preference} {record.host or '.'}" for record in _values(mx))
    records = (
        _record("MX", domain, () if upstream else mx_texts(mx_hosts), found_mx, mx_judgement, now=now),
        _record("TXT", txt_name(domain), (txt_value(token),), _values(txt), txt_judgement, now=now),
    )
    counts = [record for record in records if record.type.lower() in mode.split("+")]
    proving = [record for record in records if record.type == "TXT" or not upstream]
    return Verdict(
        records=records,
        verified=all(record.status == "ok" for record in counts),
        stands=any(record.status == "ok" for record in proving),
        gone=all(record.status in ("missing", "wrong") for record in proving),
        texts=_values(txt),
    )


def _compared(verdict: Verdict, others: Sequence[Verdict]) -> Verdict:
    """Whether another name server has the right record, already or still: then waiting is the fix, nothing is gone."""
    records = []
    for n, record in enumerate(verdict.records):
        seen = any(other.records[n].status == "ok" for other in others)
        waits = seen and record.status in ("missing", "wrong")
        records.append(replace(record, fix=not_yet_everywhere(record.name, record.type)) if waits else record)
    gone = verdict.gone and not any(other.stands for other in others)
    return replace(verdict, records=tuple(records), gone=gone)


def dump_records(records: Sequence[Record]) -> str:
    """The JSON that the column `domains.records` keeps."""
    return json.dumps([asdict(record) for record in records], ensure_ascii=False)


def load_records(text: str) -> tuple[Record, ...]:
    """What `dump_records` wrote; () for an empty column or one from another version."""
    try:
        rows = json.loads(text or "[]")
        return tuple(
            Record(**(row | {"expected": tuple(row["expected"]), "found": tuple(row["found"])})) for row in rows
        )
    except (ValueError, TypeError, KeyError):
        return ()


def _record(
    kind: Literal["MX", "TXT"],
    name: str,
    expected: tuple[str, ...],
    found: Sequence[str],
    judgement: Judgement,
    *,
    now: Micros | None,
) -> Record:
    shown = tuple(_printable(value) for value in found[:_MOST_SHOWN])
    return Record(kind, name, expected, shown, judgement.status, now, _printable(judgement.fix, 1000))


def _printable(text: str, most: int = _MOST_TEXT) -> str:
    """A stranger's record, as it may be stored and shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:most]


def _values(found: Found[_V] | Missing | Unknown) -> tuple[_V, ...]:
    return found.values if isinstance(found, Found) else ()


async def _mx_elsewhere(
    domain: str, found: Found[Mx] | Missing | Unknown, hosts: Sequence[tuple[str, int]], resolver: Resolver
) -> list[str]:
    """Where a missing MX was made by mistake: under the domain's own name, which the provider had added already."""
    if not isinstance(found, Missing) or found.alias:
        return []
    ours = {plain(host) for host, _ in hosts}
    names = [f"{domain}.{zone}" for zone in _zones(domain)][:_MOST_GUESSES]
    answers = await asyncio.gather(*(resolver.mx(name) for name in names))
    return [
        name
        for name, answer in zip(names, answers, strict=True)
        if any(record.host in ours for record in _values(answer))
    ]


async def _txt_elsewhere(
    domain: str, found: Found[str] | Missing | Unknown, token: str, resolver: Resolver
) -> list[str]:
    """Where our TXT value is, while it is not where it belongs: at the apex, or below a name added twice."""
    expected = txt_value(token)
    if isinstance(found, Unknown) or expected in _values(found):
        return []
    zones = _zones(domain)
    names = [domain, *(f"{txt_name(domain)}.{zone}" for zone in zones), *(f"{TXT_LABEL}.{z}" for z in zones[1:])]
    names = names[: _MOST_GUESSES + 1]
    answers = await asyncio.gather(*(resolver.txt(name) for name in names))
    return [name for name, answer in zip(names, answers, strict=True) if expected in _values(answer)]


def _zones(domain: str) -> list[str]:
    """The names that the provider's zone may have: the domain, or one above it of two labels at least."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(max(len(labels) - 1, 1))]
