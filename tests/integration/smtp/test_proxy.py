"""The client's address in the PROXY protocol header, and which peers may send the header."""

import contextlib
import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp import proxy
from smtp.proxy import ProxyError, ProxyHeader
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BEHIND_PROXY: dict[str, Any] = {"proxy_protocol": True, "trusted_networks": ["127.0.0.0/8"]}


def header_v2(source: str, *, command: int = 0x21, tlv: bytes = b"") -> bytes:
    address = ipaddress.ip_address(source)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed * 2 + struct.pack("!HH", 1234, 25) + tlv
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


VALID = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 25\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 1234 25\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f... 1 2\r\n", None),
    (header_v2("192.0.2.7"), "192.0.2.7"),
    (header_v2("2001:db8::7", tlv=b"\x02\0\x02mx"), "2001:db8::7"),
    (header_v2("192.0.2.7", command=0x20), None),
    (SIGNATURE + b"\x21\0\0\0", None),
    (SIGNATURE + b"\x21\x31\0\2xx", None),
]
INVALID = [
    b"EHLO client.test\r\n",
    b"PROXY\r\n",
    b"PROXY TCP4 192.0.2.7\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP4 192.0.2.777 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\nEHLO x\r\n",
    b"PROXY UNKNOWN " + b"x" * 100,
    header_v2("192.0.2.7", command=0x22),
    header_v2("192.0.2.7", command=0x11),
    SIGNATURE + b"\x21\x11\xff\xff",
    SIGNATURE + b"\x21\x11\0\4abcd",
]


@pytest.mark.parametrize(("data", "source"), VALID)
def test_header_is_parsed_for_any_split(data: bytes, source: str | None) -> None:
    for cut in range(len(data)):
        assert proxy.parse_header(data[:cut]) is None
    assert proxy.parse_header(data + b"EHLO x\r\n") == ProxyHeader(source, len(data))


@pytest.mark.parametrize("data", INVALID)
def test_invalid_header_is_rejected(data: bytes) -> None:
    with pytest.raises(ProxyError):
        proxy.parse_header(data)


@given(st.one_of(st.binary(max_size=150), st.binary(max_size=60).map(lambda tail: SIGNATURE + tail)))
def test_any_bytes_parse_or_raise_proxy_error(data: bytes) -> None:
    with contextlib.suppress(ProxyError):
        header = proxy.parse_header(data)
        assert header is None or header.size <= len(data)


@pytest.mark.parametrize("data", [VALID[0][0], header_v2("192.0.2.7")])
async def test_client_address_comes_from_the_header(data: bytes) -> None:
    async with running_server(**BEHIND_PROXY) as server:
        async with await RawSmtp.connect(server.host, server.port, greeting=False) as client:
            await client.send_bytes(data)
            await client.expect(220)
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.data(b"x\r\n")
        assert server.mails.mails[0][0].peer == "192.0.2.7"


async def test_limits_apply_to_the_client_address() -> None:
    async with running_server(max_connections_per_ip=1, **BEHIND_PROXY) as server:
        first = await RawSmtp.connect(server.host, server.port, greeting=False)
        second = await RawSmtp.connect(server.host, server.port, greeting=False)
        for client, code in ((first, 220), (second, 421)):
            await client.send_bytes(VALID[0][0])
            await client.expect(code)
        await first.close()
        await second.close()


async def test_trusted_proxy_must_send_a_header() -> None:
    async with (
        running_server(**BEHIND_PROXY) as server,
        await RawSmtp.connect(server.host, server.port, greeting=False) as client,
    ):
        await client.send_bytes(b"EHLO client.test\r\n")
        assert not await client.read_to_eof()


async def test_header_from_an_untrusted_address_is_a_syntax_error() -> None:
    async with (
        running_server(proxy_protocol=True, trusted_networks=["192.0.2.0/24"]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        await client.send_bytes(VALID[0][0])
        assert (await client.expect(500)).enhanced == "5.5.2"


@pytest.mark.parametrize("sent", [b"", b"PROXY TCP4 192.0.2.7"])
async def test_missing_header_closes_the_connection_silently(sent: bytes) -> None:
    bounds = {"proxy_header_timeout": 0.1, "deadline_interval": 0.02}
    async with (
        running_server(bounds=bounds, **BEHIND_PROXY) as server,
        await RawSmtp.connect(server.host, server.port, greeting=False) as client,
    ):
        await client.send_bytes(sent)
        assert not await client.read_to_eof()
