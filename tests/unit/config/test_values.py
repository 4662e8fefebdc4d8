"""Parsing and formatting of the values of settings."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import values
from config.values import Address

PARSERS: list[Callable[[object], object]] = [
    Address.parse,
    values.parse_listen,
    values.parse_optional_address,
    values.parse_nameserver,
    values.parse_duration,
    values.parse_retention,
    values.parse_network,
    values.parse_hostname,
    values.parse_public_url,
    values.parse_blocked_sender,
    values.parse_path,
]

junk = st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.binary(), st.lists(st.text()), st.dates())


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("250ms", 250),
        ("60s", 60000),
        ("10m", 600000),
        ("1h", 3600000),
        ("3d", 259200000),
        ("90", 90000),
        (90, 90000),
        (0, 0),
        ("0s", 0),
        (timedelta(seconds=2), 2000),
    ],
)
def test_parse_duration(written: object, milliseconds: int) -> None:
    assert values.parse_duration(written) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "60 s",
        "1.5s",
        "-1s",
        "1w",
        "1H",
        "1h30m",
        "\u0663s",
        "60s\n",
        1.5,
        True,
        None,
        -1,
        [],
        "36501d",
        "999999999999d",
        10**30,
        timedelta(seconds=-1),
        timedelta.max,
    ],
)
def test_parse_duration_rejects(written: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        values.parse_duration(written)


@given(st.integers(0, 36500 * 86400 * 1000))
def test_duration_round_trip(milliseconds: int) -> None:
    length = timedelta(milliseconds=milliseconds)
    assert values.parse_duration(values.format_duration(length)) == length


def test_duration_is_formatted_in_the_largest_whole_unit() -> None:
    written = [values.format_duration(timedelta(seconds=s)) for s in (0, 90, 120, 7200, 86400, 0.25)]
    assert written == ["0s", "90s", "2m", "2h", "1d", "250ms"]


def test_zero_is_rejected_for_timeouts_and_retention() -> None:
    for parse in (values.parse_positive_duration, values.parse_retention):
        with pytest.raises(ValueError, match="longer than 0"):
            parse("0s")
    assert values.parse_retention("forever") is None
    assert values.parse_retention("30d") == timedelta(days=30)
    with pytest.raises(ValueError, match='or "forever"'):
        values.parse_retention("always")


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("127.0.0.1:2525", "127.0.0.1", 2525),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:2525", "::1", 2525),
        ("[0:0::1]:1", "::1", 1),
        ("[fe80::1%eth0]:25", "fe80::1%eth0", 25),
        ("LocalHost:65535", "localhost", 65535),
    ],
)
def test_parse_address(written: str, host: str, port: int) -> None:
    address = Address.parse(written)
    assert (address.host, address.port) == (host, port)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "written",
    [
        "",
        ":",
        "25",
        ":25",
        "*:25",
        "::1:25",
        "[::1]",
        "[::1]:",
        "[127.0.0.1]:25",
        "[x]:25",
        "127.0.0.1",
        "h:65536",
        "127.0.0.256:25",
        "1.2.3:25",
        "h:-1",
        "h:+1",
        "h: 1",
        " h:1",
        "h:1 ",
        "a_b:1",
        "h:\u0661",
        "[::1%a]:5]:25",
        "tcp://h:1",
        "a..b:1",
        None,
        25,
        b"h:1",
        ["h:1"],
    ],
)
def test_parse_address_rejects(written: object) -> None:
    with pytest.raises(ValueError, match="must"):
        Address.parse(written)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 65535))
def test_address_round_trip(host: object, port: int) -> None:
    address = Address(str(host), port)
    assert Address.parse(str(address)) == address


def test_parse_listen() -> None:
    assert values.parse_listen("systemd") == "systemd"
    assert values.parse_listen(["systemd"]) == "systemd"
    assert values.parse_listen(["[::]:25", "h:1"]) == (Address("::", 25), Address("h", 1))
    for wrong in ("127.0.0.1:25", [], ["systemd", "h:1"], {"h:1": 1}, None, [1]):
        with pytest.raises(ValueError, match="must"):
            values.parse_listen(wrong)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("192.0.2.53", Address("192.0.2.53", 53)),
        ("192.0.2.53:5353", Address("192.0.2.53", 5353)),
        ("2001:db8::53", Address("2001:db8::53", 53)),
        ("[2001:db8::53]:54", Address("2001:db8::53", 54)),
        ("localhost:5353", Address("127.0.0.1", 5353)),
        ("localhost", Address("127.0.0.1", 53)),
    ],
)
def test_parse_nameserver(written: str, read: Address) -> None:
    assert values.parse_nameserver(written) == read


@pytest.mark.parametrize("written", ["dns.example:53", "", "[::1]", "1.1.1.1:", ":53", 53, None])
def test_parse_nameserver_rejects(written: object) -> None:
    with pytest.raises(ValueError, match="must be an IP address"):
        values.parse_nameserver(written)


def test_parse_network() -> None:
    assert values.parse_network("10.0.0.0/8") == ip_network("10.0.0.0/8")
    assert values.parse_network("2001:db8::1") == ip_network("2001:db8::1/128")
    for wrong in ("10.0.0.1/8", "10.0.0.0/33", "lan", "", 10, None):
        with pytest.raises(ValueError, match="must be a network"):
            values.parse_network(wrong)


def test_parse_hostname() -> None:
    assert values.parse_hostname("MX1.Example.COM.") == "mx1.example.com"
    invalid_values = (
        "",
        ".",
        "a b",
        "a_b",
        "-a",
        "a-",
        "a..b",
        "10.0.0.1",
        "a" * 64,
        "a." * 127 + "com",
        "bücher.example",
    )
    for wrong in (*invalid_values, "a\n", None, 1):
        with pytest.raises(ValueError, match="must be a host name"):
            values.parse_hostname(wrong)


def test_parse_public_url() -> None:
    assert values.parse_public_url("https://mail.example.com/") == "https://mail.example.com"
    assert values.parse_public_url("http://[::1]:8080/mail/") == "http://[::1]:8080/mail"
    invalid_values = [
        "mail.example.com",
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://h?q",
        "http://h#f",
        "http://h:0",
    ]
    for wrong in [
        *invalid_values,
        "http://h:99999",
        "http://a b",
        "http://[::1",
        "http://h:x",
        "https://\n",
        "",
        None,
        1,
    ]:
        with pytest.raises(ValueError, match="must be an http"):
            values.parse_public_url(wrong)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Spam@Example.com", "spam@example.com"),
        ("@Spam.Example", "@spam.example"),
        ("spam.example", "spam.example"),
        (".Spam.example", ".spam.example"),
        ("bücher.example", "bücher.example"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:DB8::", "2001:db8::/128"),
    ],
)
def test_parse_blocked_sender(written: str, read: str) -> None:
    assert values.parse_blocked_sender(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        "@",
        "a@",
        "a@b@c",
        "*@spam.example",
        "*.example",
        "192.0.2.1/24",
        "300.1.1.1",
        "a b@c",
        ".",
        "@.a.example",
        1,
        None,
    ],
)
def test_parse_blocked_sender_rejects(written: object) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        values.parse_blocked_sender(written)


def test_parse_path() -> None:
    assert values.parse_path("a/b") == Path("a/b")
    for wrong in ("", "a\0b", "-----BEGIN\nKEY", None, 3):
        with pytest.raises(ValueError, match="must be the path"):
            values.parse_path(wrong)


@given(junk)
def test_parsers_raise_only_value_error(value: object) -> None:
    for parse in PARSERS:
        message = "must"
        try:
            parse(value)
        except ValueError as error:
            message = str(error)
        assert message.startswith("must")


def test_system_hostname_is_always_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for raw, name in (("Mx1.Example", "mx1.example"), ("my_machine", "localhost"), ("", "localhost")):
        monkeypatch.setattr("socket.gethostname", lambda raw=raw: raw)
        assert values.system_hostname() == name
