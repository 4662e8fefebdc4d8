"""The checks of the host as lines of the setup page."""

from api.dashboard.server_checks import check_lines
from router.check_result import fail, ok, warn


def test_a_port_that_mail_servers_do_not_use_is_not_ok() -> None:
    responds = ok("smtp port", "127.0.0.1:2525 responds as mx1.example.com")
    loopback = warn("smtp port", "mail is accepted on loopback only", "Set [smtp] listen")
    other = fail("hostname", "the host name vm is not public", "Set [server] hostname")
    assert [(line.label, line.badge) for line in check_lines([other, responds])] == [
        ("Host name", "Required"),
        ("Port 25", "OK"),
    ]
    assert [(line.badge, line.text) for line in check_lines([other, responds, loopback])] == [
        ("Required", "The host name vm is not public."),
        ("Required", "Mail is accepted on loopback only."),
    ]


def test_required_lines_come_first_and_passed_ones_last() -> None:
    results = [
        ok("configuration", "read"),
        warn("public url", "loopback", "Set it"),
        fail("clock", "slow", "Set it"),
        fail("hostname", "not public", "Set it"),
    ]
    assert [line.label for line in check_lines(results)] == ["Clock", "Host name", "Public URL", "Configuration"]
