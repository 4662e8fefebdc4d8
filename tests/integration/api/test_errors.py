"""Errors of the API are JSON in one format, and malformed requests get 4xx."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from api import app, body
from router.errors import Refused, Unavailable
from router.ratelimit.sliding_window import RateLimit
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store


async def send_raw(served: ServedInstallation, data: bytes, *, timeout: float = 10) -> bytes:
    host, port = served.server.address
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(timeout):
            return await reader.read()
    finally:
        writer.close()


def assert_error_format(answer: bytes) -> dict[str, Any]:
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head, answer
    assert b"\r\nServer: EmailRouter\r\n" in head + b"\r\n", answer
    assert b"aiohttp" not in answer
    error: dict[str, Any] = json.loads(text)["error"]
    assert set(error) <= {"code", "message", "field"}
    assert b"Traceback" not in answer
    return error


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" \n", "invalid_request"),
        (b"{", "invalid_request"),
        (b"\xff\xfe", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'"text"', "invalid_request"),
        (b"null", "invalid_request"),
        (b'{"domain": NaN}', "invalid_request"),
        (b'{"domain": 1e999}', "invalid_request"),
        (b'{"domain": ' + b"9" * 5000 + b"}", "invalid_request"),
        (b'{"domain": -Infinity}', "invalid_request"),
        (b'{"domain": "a", "domain": "b"}', "invalid_request"),
        (b'{"domain": "\\ud800"}', "invalid_request"),
        (b'{"domain": "a\\u0000.example"}', "invalid_request"),
        (b'{"\\ud800": 1}', "invalid_request"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "invalid_request"),
        (b"[" * 100_000, "invalid_request"),
        (b'{"domain": "example.org", "more": 1}', "invalid_request"),
        (b'{"domain": ["example.org"]}', "invalid_domain"),
        (b'{"domain": {"$ne": 1}}', "invalid_domain"),
        (b'\xef\xbb\xbf{"domain": "a.example"}', "invalid_request"),
        (b'{"domain": "example.org"} x', "invalid_request"),
    ],
)
async def test_invalid_bodies(sqlite_served: ServedInstallation, data: bytes, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await sqlite_served.admin.post("/domains", data=data, headers=headers)
    assert (answer.status, answer.code) == (400, code)


async def test_http_errors(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    form = await served.admin.post("/domains", data={"domain": "example.org"})
    assert (form.status, form.code) == (415, "unsupported_media_type")
    compressed = await served.admin.post("/domains", {"domain": "a.example"}, headers={"Content-Encoding": "gzip"})
    assert (compressed.status, compressed.code) == (415, "unsupported_media_type")
    charset = {"Content-Type": "application/json; charset=latin-1"}
    assert (await served.admin.post("/domains", data=b'{"domain":"x"}', headers=charset)).status == 415
    missing_paths = ("//no", "//api", "//api/", "//api/no", "//v2/domains", "//api/domains/", "//api/%00", "//api/../x")
    for path in missing_paths:
        missing = await served.admin.get(path)
        assert (missing.status, missing.code) == (404, "not_found"), path
    for method in ("PUT", "POST", "OPTIONS", "TRACE", "PATCH"):
        wrong = await served.admin.request(method, "/audit")
        assert (wrong.status, wrong.code) == (405, "method_not_allowed")
        assert wrong.headers["Allow"] == "GET, HEAD"
    for query, field in (
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=", "limit"),
        ("cursor=x", "cursor"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("cursor=%00", None),
        ("cursor=%ED%A0%80", None),
    ):
        refused = await served.admin.get(f"//api/domains?{query}")
        assert (refused.status, refused.code) == (400, "invalid_request"), query
        if field:
            assert refused.field == field
    expecting = await served.admin.get("/domains", headers={"Expect": "the best"})
    assert (expecting.status, expecting.code) == (400, "invalid_request")


async def test_body_that_is_too_large(sqlite_served: ServedInstallation) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    large = b'{"domain": "' + b"a" * 1048576 + b'"}'
    headers = {"Content-Type": "application/json"}
    for data in (io.BytesIO(large), chunks()):
        answer = await sqlite_served.admin.post("/domains", data=data, headers=headers)
        assert (answer.status, answer.code) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/domains HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"EHLO customer.test\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_malformed_http(sqlite_served: ServedInstallation, data: bytes) -> None:
    answer = await send_raw(sqlite_served, data)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert_error_format(answer)
    assert (await sqlite_served.anonymous.get("//healthz")).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n",
        b"CONNECT mail.example:25 HTTP/1.1\r\nHost: x\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nOrigin: http://[\r\n",
        b"POST /tickets/x/claim HTTP/1.1\r\nHost: x\r\nReferer: http://[\r\n",
    ],
)
async def test_valid_http_without_a_resource(sqlite_served: ServedInstallation, data: bytes) -> None:
    answer = await send_raw(sqlite_served, data + b"Connection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 303")), answer


async def test_incomplete_and_slow_bodies(tmp_path: Path) -> None:
    async with (
        sqlite_store(tmp_path) as store,
        serve_api(store, served_settings(request_timeout="250ms")) as served,
    ):
        head = (
            f"POST /api/domains HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.login.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        with capture_logs() as logs:
            answer = await send_raw(served, head.encode() + b'{"domain"')
        assert assert_error_format(answer)["code"] == "unavailable"
        (timed_out,) = (event for event in logs if event["event"] == "api.request_timed_out")
        assert timed_out["waiting_in"] == "api.body.read"


async def test_download_does_not_wait_for_a_body(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/api/emails/messages/{await served.accept_message()}/raw"
    reader, writer = await asyncio.open_connection(*served.server.address)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.login.key}\r\nContent-Length: 9"
    writer.write(f"{head}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_every_response_has_a_request_id_and_is_not_cached(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    answer = await served.admin.get("/domains", headers={"X-Request-Id": "my-own.id_1"})
    assert answer.headers["X-Request-Id"] == "my-own.id_1"
    assert answer.headers["Cache-Control"] == "no-store"
    for wrong in ("", "a b", "x" * 65, "a<b>"):
        named = await served.admin.get("/nothing", headers={"X-Request-Id": wrong})
        assert named.headers["X-Request-Id"] not in ("", wrong)


async def test_internal_errors_reveal_no_details(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = sqlite_served

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret inside")

    async def unavailable(*_: object, **__: object) -> None:
        raise Unavailable("PostgreSQL 57P01: secret inside")

    monkeypatch.setattr(type(served.services.audit), "list", broken)
    monkeypatch.setattr(type(served.services.domains), "list", unavailable)
    with capture_logs() as logs:
        error_response = await served.admin.get("/audit", headers={"X-Request-Id": "find-me"})
        unavailable_response = await served.admin.get("/domains")
    assert (error_response.status, error_response.code) == (500, "internal_error")
    assert (unavailable_response.status, unavailable_response.code) == (503, "unavailable")
    assert "Retry-After" in unavailable_response.headers
    assert b"secret" not in error_response.content + unavailable_response.content
    (logged,) = [event for event in logs if event["event"] == "api.internal_error"]
    assert (logged["request_id"], logged["path"]) == ("find-me", "/api/audit")
    assert [event["reason"] for event in logs if event["event"] == "api.service_unavailable"] == [
        "PostgreSQL 57P01: secret inside"
    ]


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_rejected(data: bytes) -> None:
    with contextlib.suppress(Refused):
        assert isinstance(body.decode(data, "application/json", ""), dict)


@given(st.dictionaries(st.text(max_size=10), values, max_size=5))
def test_json_round_trips_unless_it_cannot_be_stored(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    try:
        assert body.decode(data, "application/json", "utf-8") == value
    except Refused:
        assert any(mark in data for mark in (b"\\u0000", b"\\ud", b"NaN", b"Infinity")) or has_long_number(value)


def has_long_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_long_number, value.values()))
    if isinstance(value, list):
        return any(map(has_long_number, value))
    return isinstance(value, int) and abs(value) >= 10**18


async def test_error_log_lines_are_limited_per_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise Unavailable("the database is unavailable")

    monkeypatch.setattr(app, "ERROR_LOG_LIMIT", RateLimit(2, 60))
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings()) as served:
        monkeypatch.setattr(type(served.services.domains), "list", unavailable)
        with capture_logs() as logs:
            statuses = [(await served.admin.get("/domains")).status for _ in range(4)]
    assert statuses == [503] * 4
    assert [event["event"] for event in logs].count("api.service_unavailable") == 2
