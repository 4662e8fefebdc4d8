"""Values as people read them."""

import pytest

from api.dashboard import words
from router.clock import SECOND

NOW = 1_900_000_000 * SECOND


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(0, "0 octets"), (1, "1 octet"), (999, "999 octets"), (1000, "1 kB"), (1_440_000, "1.44 MB"), (2 * 10**9, "2 GB")],
)
def test_sizes(octets: int, shown: str) -> None:
    assert words.size(octets) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400, "1 day ago"),
        (31 * 86_400, "31 days ago"),
        (32 * 86_400, "13 Feb 2030"),
    ],
)
def test_how_long_ago(seconds: int, shown: str) -> None:
    assert words.ago(NOW - seconds * SECOND, NOW) == shown
