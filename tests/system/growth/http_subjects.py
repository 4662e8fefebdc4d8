"""Growth-test subjects for the request line, header fields and body of an HTTP request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import cache
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.test_utils import make_mocked_request

from api import body, endpoint, multipart
from api.compression import accepts_gzip
from api.dashboard import error_pages, redirects, refused_form, serving, submissions
from api.dashboard.page import Redirect
from api.middleware import addresses, auth, permission, request_id
from api.resources import ROUTES
from api.schema import shape
from config.values import parse_blocked_sender
from router import ids, secrets
from router.admin import paging
from router.admin import validation as kept
from router.admin.access.password_policy import check_password
from router.admin.access.users import normalize_email
from router.admin.domains import domain_names
from router.admin.routes import explain, listed_senders
from router.admin.routes.aliases import normalize_forwarded_from
from router.admin.tickets.messages import MessageService
from router.enumerations import ROLE
from router.errors import Refused
from router.model import Actor
from router.network import address_key
from tests.system.growth.shapes import JSON, URL, Shape
from tests.system.growth.subject import PLAIN, Subject, decode_text

_HEAD = 8190  # maximum bytes of a line and of a field in aiohttp
_HEADS = 65536  # bytes of a request head; aiohttp accepts more
_BODY = 1048576  # bytes, the default of [api] max_body_bytes
_NETWORKS = (ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("192.0.2.0/24"))
T = TypeVar("T")


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("the coroutine suspended")


def make_request(path: str = "/", **headers: str) -> web.Request:
    transport = SimpleNamespace(
        get_extra_info=lambda name, default=None: ("127.0.0.1", 1) if name == "peername" else default,
        is_closing=lambda: False,
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", path, headers=named, transport=transport)


def as_field_value(data: bytes) -> str:
    """Decodes a field value, without the line endings and NUL that aiohttp never delivers."""
    return data.translate(None, b"\r\n\0").decode("utf-8", "replace")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def parse_request_head(data: bytes) -> None:
    for start in (b"", b"GET /", b"GET /?", b"POST / HTTP/1.1\r\nHost: a\r\nCookie: ", b"GET / HTTP/1.1\r\nA:"):
        parser = HttpRequestParser(BaseProtocol(_loop()), _loop(), 2**16)
        with suppress(HttpProcessingError, ValueError):
            parser.feed_data(start + data + b"\r\n\r\n")


def evaluate_header_fields(data: bytes) -> None:
    value = as_field_value(data)
    web_request = make_request(
        X_Forwarded_For=value,
        X_Forwarded_Proto=value,
        Cookie=f"er_session={value}",
        Origin=value,
        Accept_Encoding=value,
    )
    address_key(addresses.client_address(web_request, _NETWORKS))
    addresses.is_https(web_request, _NETWORKS)
    dict(web_request.cookies)
    accepts_gzip(web_request)
    permission._origin_host(value)
    permission.is_from_own_page(web_request, "http://a")
    for credential in (f"Bearer {value}", value):
        web_request = make_request(
            Authorization=credential, Accept=value, Cookie=value, Referer=value, X_Request_Id=value
        )
        with suppress(Refused, AttributeError):  # without a database, well-formed credentials raise AttributeError
            run_coroutine(auth._authenticate(web_request, cast("Any", None)))
        error_pages._return_path(web_request)
        request_id._VALID_ID.fullmatch(value)


def parse_query_string(data: bytes) -> None:
    value = data.decode("utf-8", "replace")
    for start in ("", "cursor=", "a="):
        query_string = "".join(c if "!" <= c <= "~" and c != "#" else "%41" for c in value)[:_HEAD]
        web_request = make_request(f"/api/a?{start}{query_string}")
        with suppress(Refused):
            found = endpoint._query_parameters(web_request)
            for route in ROUTES:
                with suppress(Refused):
                    shape.validate(route.query, found)
        with suppress(Refused):
            serving._first_values(web_request.query.items())


def make_json_parser(before: bytes, after: bytes = b"") -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with suppress(Refused):
            body.decode(before + data + after, "application/json", "")

    return run


def validate_models(data: bytes) -> None:
    value = decode_text(data)
    many = {f"{value[:20]}{n}": n for n in range(len(value) // 8)}
    listed = [value[n : n + 4] for n in range(0, len(value), 8)]
    for model in dict.fromkeys(route.body for route in ROUTES):
        names = [found.alias or name for name, found in model.model_fields.items()]
        for values in (dict.fromkeys(names, value), dict.fromkeys(names, listed), many, dict.fromkeys(names, many)):
            with suppress(Refused):
                shape.validate(model, values)


def parse_form(data: bytes) -> None:
    web_request = make_request(Content_Type="application/x-www-form-urlencoded")
    for form_data in (data, data.translate(None, bytes(range(128, 256)))):
        with suppress(Refused):
            form_fields = serving.parse_form(web_request, form_data)
            refused_form.build_refused_form("/", form_fields, 429)
            submissions.submission_digest(form_fields)
            for value in form_fields.values():
                redirects.local_path(value)
                serving.redirect_response(Redirect(redirects.local_path(value), flash="a"))


def parse_multipart_form(data: bytes) -> None:
    """Reads the data as parts, as the header of a part, as a field and as a file."""
    boundary = "b\r\nContent-Disposition: form-data; name=a"
    for content in (
        data,
        f"--b\r\nContent-Disposition: form-data; name={as_field_value(data)}\r\n\r\n\r\n--b--".encode(),
        f"--{boundary}\r\n\r\n".encode() + data + b"\r\n--b--\r\n",
        f"--{boundary}; filename=a\r\n\r\n".encode() + data + b"\r\n--b--\r\n",
    ):
        stream = StreamReader(BaseProtocol(_loop()), 2**30, loop=_loop())
        stream.feed_data(content)
        stream.feed_eof()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        web_request = make_mocked_request("POST", "/", headers=headers, payload=stream)
        with suppress(Refused):
            run_coroutine(multipart.read_form(web_request, _discard_file, max_text=_BODY, max_total=_BODY))


async def _discard_file(_name: str, _content_type: str, chunks: AsyncIterator[bytes]) -> int:
    return sum([len(chunk) async for chunk in chunks])


def validate_values(data: bytes) -> None:
    value = decode_text(data)
    readers: tuple[Callable[[str], object], ...] = (
        domain_names.normalize_domain_name,
        lambda typed: domain_names.normalize_domain_name(f"{typed}.example"),
        lambda typed: domain_names.normalize_domain_name(f"xn--{typed}.example"),
        lambda typed: domain_names.normalize_domain_name(f"https://{typed}/"),
        lambda typed: normalize_forwarded_from(typed, ("b.example", "a")),
        normalize_email,
        lambda typed: normalize_email(f"a@{typed}"),
        lambda typed: explain._parse_address(typed, "recipient"),
        listed_senders._normalize_listed,
        lambda typed: listed_senders._normalize_listed(f"@{typed}"),
        lambda typed: kept.validate_line(typed, "name"),
        lambda typed: kept.validate_line(typed, "subject", max_length=1000),
        lambda typed: kept.validate_text(typed, "text"),
        lambda typed: kept.validate_id(typed, "msg", "Message"),
        lambda typed: paging.page_request("msg", 50, typed),
        ROLE.parse,
        secrets.hash_api_key,
        redirects.local_path,
        lambda typed: ids.is_well_formed(f"msg_{typed}", "msg"),
        lambda typed: run_coroutine(
            MessageService(cast("Any", _NoDatabase()), cast("Any", None), authserv_ids=()).find(_ACTOR, typed)
        ),
    )
    for reader in readers:
        with suppress(Refused, LookupError):
            reader(value)
    with suppress(ValueError):
        parse_blocked_sender(value[:1280])


def verify_password(data: bytes) -> None:
    secrets.verify_password(decode_text(data), secrets.UNUSABLE_HASH)
    with suppress(ValueError):
        secrets.hash_password(decode_text(data))
    with suppress(Refused):
        check_password(decode_text(data), "a@b.example")


class _NoDatabase:
    async def fetch_one(self, *_: object, **__: object) -> None:
        raise LookupError

    fetch_all = fetch_one


_ACTOR = Actor("ws_1", "admin")
# A fixed quadratic defect tried each quotation mark as the start of a string.
_ESCAPES = (Shape(b'\\"'), Shape(b'"\\'), Shape(b"\\", b'"'))
SUBJECTS = (
    Subject("http: a request's head", parse_request_head, _HEADS, (*PLAIN, URL, (b"a: b\r\n", b"a=b; "))),
    Subject(
        "http: fields", evaluate_header_fields, _HEAD, (*PLAIN, URL, (b"a=b; ", b"1.1.1.1,", b'"a";', b"127.0.0.1,"))
    ),
    Subject("http: a query string", parse_query_string, _HEAD, (*PLAIN, URL)),
    Subject("body: JSON", make_json_parser(b""), _BODY, (JSON, (b" ", b"\n"))),
    Subject("body: a JSON text", make_json_parser(b'{"a":"', b'"}'), _BODY, (*PLAIN, JSON), _ESCAPES),
    Subject("body: a JSON list", make_json_parser(b'{"a":[', b"1]}"), _BODY, (JSON,)),
    Subject("body: a JSON object", make_json_parser(b"{", b'"b":1}'), _BODY, (JSON,)),
    Subject("schema: the models of all routes", validate_models, _BODY // 8, ((b"a", b"\xc3\xa4", b"1"),)),
    Subject("dashboard: a form", parse_form, _BODY, (*PLAIN, URL)),
    Subject("body: a form with files", parse_multipart_form, _BODY, (*PLAIN, (b"--b\r\n", b"\r\n--b", b"\r\n"))),
    Subject("admin: input values", validate_values, 20_000),
    Subject("secrets: a password", verify_password, 4096, ((b"a", b"\xf0\x9f\x91\xa8"),), base=32 << 20),
)
