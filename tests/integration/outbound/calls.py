"""Shared parts of the HTTP client tests."""

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from router.outbound.client import HttpResponse, OutboundClient, OutboundError
from tests.support.raw_http import ScriptedResponse

PAYLOAD = {"text": "Gr\u00fc\u00dfe \U0001f4ec"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
VALID_RESPONSE = ScriptedResponse((STATUS_LINE + b"Content-Length: 2\r\n\r\nok",))


class StaticResolver(AbstractResolver):
    """Resolves fixed names."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self._names = names
        self.lookups = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        self.lookups += 1
        if host not in self._names:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._names[host]
        ]

    async def close(self) -> None:
        pass


async def post_json(
    client: OutboundClient, url: str, payload: Mapping[str, Any], timeout: float | None = None
) -> HttpResponse:
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return await client.request("POST", url, headers=JSON, body=body, timeout=timeout)


async def failure_reason(client: OutboundClient, url: str, timeout: float | None = None) -> str:
    """Returns the reason of a failed call. Asserts that the error does not contain `/services/`."""
    with pytest.raises(OutboundError) as caught:
        await post_json(client, url, PAYLOAD, timeout)
    reason = caught.value.reason
    assert "/services/" not in f"{reason}{caught.value!r}"
    assert caught.value.__cause__ is None
    error = caught.value
    # A logged traceback must not contain aiohttp's error message, which can include the URL.
    assert error.__context__ is None or error.__suppress_context__
    return reason
