"""Who connected to the API a moment before it stopped is answered: a connection taken is a promise."""

import asyncio

from aiohttp import web

from api.server import ApiServer
from tests.support.waiting import until


async def test_a_connection_that_has_not_asked_yet_is_heard() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    server = ApiServer(app, host="127.0.0.1", port=0)
    await server.start()
    assert server._runner is not None
    manager = server._runner.server
    assert manager is not None
    reader, writer = await asyncio.open_connection(*server.address)
    await until(lambda: len(manager.connections) == 1, "the connection")
    stopping = asyncio.create_task(server.stop())
    await until(lambda: not server._servers, "the listeners are closed")
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await stopping
    writer.close()
