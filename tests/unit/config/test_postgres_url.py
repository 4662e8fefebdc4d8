"""The parameters of a PostgreSQL URL."""

from datetime import timedelta

import pytest

from config.secret import DatabaseUrl

BASE = "postgresql://u:pw@host/db"


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        (BASE, BASE),
        (f"{BASE}?sslmode=require&channel_binding=prefer&keepalives=1", f"{BASE}?sslmode=require"),
        (f"{BASE}?options=-csearch_path%3Dmail", f"{BASE}?options=-csearch_path%3Dmail"),
        (f"{BASE}?pgbouncer=&sslmode=", BASE),
        ("postgresql://u:p@w:x@host/db", "postgresql://u:p%40w:x@host/db"),
        ("postgresql:///db?host=/run/pg&password=p%40w", "postgresql:///db?host=/run/pg&password=p%40w"),
    ],
)
def test_dsn_for_the_driver(url: str, dsn: str) -> None:
    assert DatabaseUrl(url).reveal_dsn() == dsn
    assert DatabaseUrl(url).reveal() == url


@pytest.mark.parametrize(("value", "seconds"), [("5", 5), ("0", None), ("-1", None)])
def test_connect_timeout(value: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert DatabaseUrl(f"{BASE}?connect_timeout={value}").connect_timeout == expected


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("channel_binding=require", "channel_binding must be one of disable, prefer"),
        ("gssencmode=require", "gssencmode must be one of disable, prefer"),
        ("client_encoding=latin1", "client_encoding must be one of utf8"),
        ("sslnegotiation=direct", "requires sslmode=require"),
        ("sslrootcert=system", "specify a file"),
        ("hostaddr=192.0.2.1", "use the address as the host"),
        ("schema=mail", "use search_path"),
        ("port=70000", "port must be"),
        ("host=.example.com", "host must be"),
        ("sslmod=require", "did you mean sslmode"),
        ("statement_timeout=5", r"options=-c%20name%3Dvalue\. Allowed:"),
        ("application_name=a%00b", "without %00"),
        ("nothing", "name=value"),
    ],
)
def test_unsupported_parameter(query: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        DatabaseUrl(f"{BASE}?{query}")


@pytest.mark.parametrize("url", ["postgresql://u:12/x?hidden=1@host/db", "postgresql://u:12/x?a=b&hid=den@host/db"])
def test_possible_password_part_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="in a password, write") as caught:
        DatabaseUrl(url)
    assert "hid" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://u%00:pw@host/db", "postgresql://u:p%00w@host/db", f"{BASE}%00"])
def test_nul_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="without %00"):
        DatabaseUrl(url)
