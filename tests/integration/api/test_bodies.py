"""Limits and media types of request bodies."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.helpers import parse_content_type

from api import body
from api.dashboard.views import PAGES
from api.resources import ROUTES
from api.schema.shape import EmptyBody
from router.errors import Refused
from tests.support.installation.dashboard import FormClient, signed_in_client
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

CAP = 1048576
JSON = {"Content-Type": "application/json"}


def decode_json(data: bytes) -> Any:
    return body.decode(data, "application/json", "utf-8")


async def read_to_end(reader: asyncio.StreamReader) -> None:
    fields = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    (length,) = (int(field.partition(b":")[2]) for field in fields if field.startswith(b"content-length:"))
    await reader.readexactly(length)


@pytest.mark.parametrize("shape", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_nesting_depth_limit_is_exact(shape: tuple[str, str]) -> None:
    levels = shape[0].count("[") + shape[0].count("{")
    maximum = (body.MAX_DEPTH - 1) // levels

    def nested(times: int, inner: str) -> bytes:
        return f'{{"x": {shape[0] * times}{inner}{shape[1] * times}}}'.encode()

    assert decode_json(nested(maximum, "1"))
    left = body.MAX_DEPTH - 1 - maximum * levels
    assert decode_json(nested(maximum, "[" * left + "]" * left or "1"))
    for inner in ("[" * (left + 1) + "]" * (left + 1), "[" * (left + 1) + "1" + "]" * (left + 1)):
        with pytest.raises(Refused, match=f"at most {body.MAX_DEPTH} levels deep"):
            decode_json(nested(maximum, inner))


@pytest.mark.parametrize("times", [100, 1_000, 5_000, 15_000])
@pytest.mark.parametrize("shape", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_extreme_depth_is_rejected(shape: tuple[str, str], times: int) -> None:
    with pytest.raises(Refused, match="levels deep"):
        decode_json((shape[0] * times + "1" + shape[1] * times).encode())


def test_number_of_containers_is_limited() -> None:
    """Arrays and objects take many times the memory of their text."""
    maximum = body.MAX_CONTAINERS - 2
    assert decode_json(f'{{"a": [{",".join(["[]"] * maximum)}]}}'.encode())
    for data in (f'{{"a": [{",".join(["[]"] * (maximum + 1))}]}}'.encode(), b"[" * 1_000_000, b'{"a":' * 200_000):
        with pytest.raises(Refused, match="at most 30000 arrays and objects"):
            decode_json(data)
    note = json.dumps({"text": "{" * 20_000}).encode()
    assert decode_json(note)


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    text = '[{"' * 50 + "\\" * 51
    assert decode_json(json.dumps({"a": [text, {text: text}]}).encode()) == {"a": [text, {text: text}]}


@pytest.mark.parametrize("data", [b'\\"' * 500_000, b'"' * 1_000_001, b'{"a": "' + b"\\" * 1_000_000, b'"\\' * 500_000])
def test_many_quotes_and_backslashes_take_linear_time(data: bytes) -> None:
    with pytest.raises(Refused, match="not valid JSON"):
        decode_json(data)


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("application/json", ("application/json", "")),
        ("Application/JSON ; Charset=UTF-8", ("application/json", "utf-8")),
        ('application/json;x=y; charset="utf-8"', ("application/json", "utf-8")),
        ("application/json; charset=latin-1", ("application/json", "latin-1")),
        ("text/plain;", ("text/plain", "")),
    ],
)
async def test_content_types(sqlite_served: ServedInstallation, header: str, read: tuple[str, str]) -> None:
    answer = await sqlite_served.admin.post(
        "/domains", data=b'{"domain": "a.example"}', headers={"Content-Type": header}
    )
    assert answer.status == (201 if read in (("application/json", ""), ("application/json", "utf-8")) else 415)


@pytest.mark.parametrize("unit", ['"', ";", 'a="b\\";', "a=b;"])
async def test_long_content_type_is_not_parsed(
    sqlite_served: ServedInstallation, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser of aiohttp takes quadratic time for such a header."""

    def parsed(raw: str) -> Any:
        assert len(raw) < 200, "the header was parsed"
        return parse_content_type(raw)

    monkeypatch.setattr("aiohttp.helpers.parse_content_type", parsed)
    header = "application/json;" + (unit * 8000)[:8000]
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    for path, status in (("/api/auth/login", 415), ("/sign-in", 415)):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Type: {header}\r\n\r\n"
        writer.write(f"{head}{{}}".encode())
        assert (await reader.readline()).startswith(f"HTTP/1.1 {status}".encode())
        await read_to_end(reader)
    writer.close()


def test_routes_without_authentication_or_body_have_a_small_limit() -> None:
    for route in ROUTES:
        small = route.role is None or route.body is EmptyBody
        assert route.body_limit(CAP) == (body.SMALL_BODY_BYTES if small else CAP), route.operation_id
        assert route.body_limit(1024) == 1024
    for page in PAGES:
        assert page.body_limit(CAP) == (body.SMALL_BODY_BYTES if page.role is None else CAP), page.path
    assert body.SMALL_BODY_BYTES == 4096
    assert body.effective_limit(100, CAP, small=False) == 100
    assert body.effective_limit(2 * CAP, CAP, small=True) == CAP


def unauthenticated_paths() -> list[str]:
    calls = [f"//api{route.path}" for route in ROUTES if route.role is None and route.method != "GET"]
    return calls + [f"/{page.path}" for page in PAGES if page.role is None and page.method == "POST"]


@pytest.mark.parametrize("path", unauthenticated_paths())
async def test_more_than_4_kib_without_authentication_is_413(sqlite_served: ServedInstallation, path: str) -> None:
    headers = JSON if path.startswith("//api") else {"Content-Type": "application/x-www-form-urlencoded"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1024

    for data in (io.BytesIO(b" " * 4097), chunks()):
        answer = await sqlite_served.anonymous.post(path, data=data, headers=headers)
        assert answer.status == 413, path
        assert answer.headers.get("Connection") == "close"
    fits = await sqlite_served.anonymous.post(path, data=b" " * 4096, headers=headers)
    assert fits.status != 413, path
    assert (await sqlite_served.anonymous.get("//healthz")).status == 200


async def test_call_without_a_body_rejects_a_large_one(sqlite_served: ServedInstallation) -> None:
    for method in ("GET", "DELETE"):
        path = "/domains" if method == "GET" else "/domains/dom_0"
        answer = await sqlite_served.admin.request(method, path, data=io.BytesIO(b" " * 5000), headers=JSON)
        assert (answer.status, answer.code) == (413, "payload_too_large")
    large = {"domain": "example.org", "more": "x" * 100_000}
    answer = await sqlite_served.admin.post("/domains", large)
    assert (answer.status, answer.code) == (400, "invalid_request"), "an authenticated call takes more"


async def test_setting_limits_every_body(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(max_body_bytes=1024)) as served:
        for path in ("/auth/login", "/domains"):
            answer = await served.admin.post(path, data=b" " * 1025, headers=JSON)
            assert (answer.status, answer.code) == (413, "payload_too_large")
        client: FormClient = await signed_in_client(served, "agent")
        assert (await client.post("/account/password", {"password": "x" * 2000})).status == 413


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("POST /api/domains", b"401"),
        ("PATCH /api/workspace", b"401"),
        ("POST /api/emails/tickets/ticket_0/notes", b"401"),
        ("POST /manage/domains", b"303"),
    ],
)
async def test_body_is_not_read_before_authentication(
    sqlite_served: ServedInstallation, start: str, status: bytes, framing: str, expect: str
) -> None:
    """The response arrives before any byte of the body, and without `100 Continue`."""
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    try:
        writer.write(f"{start} HTTP/1.1\r\nHost: x\r\n{framing}\r\n{expect}\r\n".encode())
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status), head
        assert b"\r\nConnection: close\r\n" in head
    finally:
        writer.close()


async def test_100_continue_is_sent_only_for_an_accepted_body(
    sqlite_served: ServedInstallation,
) -> None:
    content = b'{"domain": "example.org"}'
    head = (
        f"POST /api/domains HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sqlite_served.login.key}\r\n"
        "Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n"
    )
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(content)
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    writer.write(f"{head}Content-Length: {CAP + 1}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_hosts_in_headers_are_not_normalised(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unicode normalisation takes quadratic time for such a host."""
    marks = "http://a" + "\u0301\u0323" * 1000

    def parsed(url: str, *_: object) -> Any:
        assert url.isascii(), "the host was parsed"

    monkeypatch.setattr("api.middleware.permission.urlsplit", parsed)
    monkeypatch.setattr("api.dashboard.error_pages.urlsplit", parsed)
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    for start, header, status in (("POST /api/auth/login", "Origin", b"403"), ("POST /sign-out", "Origin", b"403")):
        writer.write(f"{start} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{header}: {marks}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
        await read_to_end(reader)
    writer.write(f"POST /manage/domains HTTP/1.1\r\nHost: x\r\nReferer: {marks}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 303")
    writer.close()
