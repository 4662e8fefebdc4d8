"""The Date field, as in RFC 5322 and in other formats that mail programs write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from router.mail.dates import read_date

EXPECTED = int(datetime(2026, 8, 24, 14, 37, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 24 Aug 2026 16:37:00 +0200",
        "24 Aug 2026 (a comment) 16:37:00 +0200",
        "(a) Mon (b), 24 (c (nested) \\) d) Aug 2026 16:37(e):00 +0200(f)",
        "Mon, 24 Aug 2026 16:37:00 +0200 (not closed",
        "Tue, 24 Aug 2026 16:37 +0200",
        "Mon, 24 Aug 26 16 : 37 : 00 +0200",
        "Mon, 24 Aug 126 16:37:00 +0200",
        "Montag, 24. August 2026, 16:37:00 +0200",
        "Mon, 24 Aug 2026 16.37.00 +02:00",
        "Mon, 24 Aug 2026 4:37:00 PM +0200",
        "Mon, 24 Aug 2026 10:37:00 EDT",
        "Mon, 24 Aug 2026 16:37:00 CEST",
        "Mon, 24 Aug 2026 14:37:00 GMT",
        "Mon, 24 Aug 2026 14:37:00 A",
        "Mon, 24 Aug 2026 14:37:00 unknown",
        "Mon, 24 Aug 2026 14:37:00",
        "24-Aug-2026 16:37:00 UTC+2",
        "Mon Aug 24 2026 16:37:00 GMT+0200 (CEST)",
        "Aug 24, 2026 20:07:00 +0530",
        "Mon Aug 24 16:37:00 CEST 2026",
        "Mon Aug 24 14:37:00 2026",
        "Mon Aug 24 16:37:00 2026 +0200",
        "2026-08-24T14:37:00Z",
        "2026-08-24 16:37:00.5 +02:00",
        '"Mon, 24 Aug 2026 16:37:00 +0200"',
    ],
)
def test_date_formats(value: str) -> None:
    assert read_date(value.encode()) == EXPECTED


@pytest.mark.parametrize(
    "value", ["", "tomorrow", "08/24/2026 16:37", "32 Aug 2026 16:37:00 +0000", "24 Mai 2026 16:37:00 +0000", "("]
)
def test_invalid_dates(value: str) -> None:
    assert read_date(value.encode()) is None


def test_years_of_two_digits() -> None:
    assert read_date(b"1 Jan 50 00:00:00 GMT") is None  # 1950, before the Unix epoch
    assert read_date(b"1 Jan 70 00:00:00 GMT") == 0
    assert read_date(b"1 Jan 2100 00:00:00 GMT") is None


def test_a_leap_second() -> None:
    assert read_date(b"31 Dec 2016 23:59:60 +0000") == read_date(b"31 Dec 2016 23:59:59 +0000")
