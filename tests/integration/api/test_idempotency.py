"""A successful request with an `Idempotency-Key` is executed once. A repeat within a day gets its response or 409."""

import asyncio

from tests.support.installation.http import ServedInstallation

KEY = {"Idempotency-Key": "order-1"}


async def test_repeated_request_is_executed_once(served: ServedInstallation) -> None:
    first = await served.admin.post("/domains", {"domain": "example.org"}, headers=KEY)
    again = await served.admin.post("/domains", {"domain": "example.org"}, headers=KEY)
    assert (first.status, again.status) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await served.admin.get("/domains")).body["domains"]) == 1
    other = await served.admin.post("/domains", {"domain": "example.net"}, headers=KEY)
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    elsewhere = await served.admin.post("/blocked-senders", {"sender": "@spam.example"}, headers=KEY)
    assert elsewhere.status == 201
    admin, _ = await served.add_client("admin")
    taken = await admin.post("/domains", {"domain": "example.org"}, headers=KEY)
    assert (taken.status, taken.code) == (409, "domain_taken")  # each API key has its own idempotency keys
    served.clock.advance(days=1, seconds=1)
    assert (await served.admin.post("/domains", {"domain": "example.com"}, headers=KEY)).status == 201


async def test_failed_request_can_be_retried(served: ServedInstallation) -> None:
    assert (await served.admin.post("/domains", {"domain": "x"}, headers=KEY)).status == 400
    assert (await served.admin.post("/domains", {"domain": "example.org"}, headers=KEY)).status == 201


async def test_response_with_a_secret_is_not_stored(served: ServedInstallation) -> None:
    created = await served.admin.post("/keys", {"name": "CI"}, headers=KEY)
    again = await served.admin.post("/keys", {"name": "CI"}, headers=KEY)
    assert (created.status, again.status, again.code) == (201, 409, "conflict")
    assert len((await served.admin.get("/keys")).body["keys"]) == 2


async def test_concurrent_requests_execute_once(served: ServedInstallation) -> None:
    answers = await asyncio.gather(
        *(served.admin.post("/domains", {"domain": "example.org"}, headers=KEY) for _ in range(8))
    )
    assert {answer.status for answer in answers} <= {201, 409}
    assert sum("Idempotency-Replayed" not in a.headers and a.status == 201 for a in answers) == 1
    assert {a.code for a in answers if a.status == 409} <= {"conflict"}


async def test_invalid_idempotency_keys(sqlite_served: ServedInstallation) -> None:
    for key in ("", "x" * 256, "ä"):
        refused = await sqlite_served.admin.post(
            "/domains", {"domain": "example.org"}, headers={"Idempotency-Key": key}
        )
        assert (refused.status, refused.code) == (400, "invalid_request")
