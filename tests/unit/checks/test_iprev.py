"""iprev: a host name of the client must lead back to its address."""

import pytest

from router.checks.iprev import MAX_HOST_NAMES, check_iprev
from router.mail.auth_results import AuthResult
from tests.unit.checks.zones import Zone, ZoneLookup

REVERSE = "1.2.0.192.in-addr.arpa"
REVERSE6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"


def names(*hosts: str) -> Zone:
    return {REVERSE: [("PTR", host) for host in hosts], REVERSE6: [("PTR", host) for host in hosts]}


@pytest.mark.parametrize(
    ("peer", "zone", "result"),
    [
        ("192.0.2.1", {**names("a.test"), "a.test": [("A", "192.0.2.1")]}, AuthResult("iprev", "pass", "a.test")),
        (
            "::ffff:192.0.2.1",
            {**names("a.test"), "a.test": [("A", "192.0.2.1")]},
            AuthResult("iprev", "pass", "a.test"),
        ),
        (
            "2001:db8::1",
            {**names("x.test", "a.test"), "a.test": [("AAAA", "2001:DB8:0::1")], "x.test": [("TIMEOUT", "")]},
            AuthResult("iprev", "pass", "a.test"),
        ),
        ("192.0.2.1", {}, AuthResult("iprev", "permerror", reason="the IP address has no host name")),
        (
            "192.0.2.1",
            {**names("a.test"), "a.test": [("A", "192.0.2.2"), ("AAAA", "::1")]},
            AuthResult("iprev", "fail", reason="no host name of the IP address has this address"),
        ),
        (
            "192.0.2.1",
            names("a.test"),
            AuthResult("iprev", "fail", reason="no host name of the IP address has this address"),
        ),
        ("192.0.2.1", {REVERSE: [("TIMEOUT", "")]}, AuthResult("iprev", "temperror", reason="no DNS response")),
        (
            "192.0.2.1",
            {**names("a.test", "b.test"), "a.test": [("TIMEOUT", "")], "b.test": []},
            AuthResult("iprev", "temperror", reason="no DNS response"),
        ),
    ],
)
async def test_results(peer: str, zone: Zone, result: AuthResult) -> None:
    assert await check_iprev(ZoneLookup(zone).query, peer) == result


async def test_only_host_names_are_queried_and_few() -> None:
    hosts = ["localhost", "", "<b>.test", "a b.test", "-.test", *(f"h{n}.test" for n in range(9))]
    lookup = ZoneLookup(names(*hosts))
    assert (await check_iprev(lookup.query, "192.0.2.1")).result == "fail"
    assert lookup.questions[1:] == [(f"h{n}.test", "A") for n in range(MAX_HOST_NAMES)]
