"""A stopping API server answers requests on accepted connections, and cancels requests that do not end."""

import asyncio

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from api.connection_limits import ConnectionLimits
from api.server import ApiServer
from tests.support.waiting import wait_until

UNLIMITED = ConnectionLimits(total=100, per_address=100, trusted=(), monotonic=lambda: 0.0)


async def test_a_connection_without_a_request_yet_is_answered() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    server = ApiServer(app, host="127.0.0.1", port=0, limits=UNLIMITED)
    await server.start()
    assert server._runner is not None
    manager = server._runner.server
    assert manager is not None
    reader, writer = await asyncio.open_connection(*server.address)
    await wait_until(lambda: len(manager.connections) == 1, "the connection")
    stopping = asyncio.create_task(server.stop())
    await wait_until(lambda: not server._servers, "the listeners are closed")
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await stopping
    writer.close()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_request_that_does_not_end_is_cancelled_and_logged(stubborn: bool) -> None:
    """A request that ignores its cancellation is abandoned."""
    begun, cancelled, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                cancelled.set()
                if not stubborn:
                    raise
        return web.Response()

    app = web.Application()
    app.router.add_get("/hang", hang)
    server = ApiServer(app, host="127.0.0.1", port=0, limits=UNLIMITED)
    await server.start()
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /hang?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    await begun.wait()
    with capture_logs() as logs:
        async with asyncio.timeout(30):
            await server.stop(grace=0.01)
    (cut,) = (event for event in logs if event["event"] == "api.requests_aborted")
    assert (cut["count"], cut["requests"]) == (1, ["GET /hang"])
    await cancelled.wait()
    assert await reader.read() == b""
    end.set()
    writer.close()
