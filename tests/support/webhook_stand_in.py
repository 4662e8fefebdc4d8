"""A stand-in for a service with webhooks: an HTTP(S) server on 127.0.0.1 and a free port.

It answers like the service, unless a test sets a behaviour (`script`, `default`). Every complete request is added to
`posts` before it is answered. The stand-in never opens a connection.
"""

import asyncio
import json
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from typing import Any, Self

from aiohttp import web

from tests.support.behaviours import (
    Behaviour,
    FixedResponse,
    Hang,
    LargeResponse,
    PartialResponse,
    Post,
    RedirectResponse,
    Reset,
    SlowResponse,
)

_HUGE_CHUNK = 64 * 1024


class WebhookStandIn(ABC):
    """A stand-in for one service. Usage: `async with SlackStandIn() as slack: ...`."""

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        keep: int = 10_000,
        max_body: int = 8 * 1024 * 1024,
    ) -> None:
        self.posts: deque[Post] = deque(maxlen=keep)
        self.port = 0
        self.peak: defaultdict[str, int] = defaultdict(int)  # largest number of concurrent requests, by path
        self._ssl = ssl_context
        self._max_body = max_body
        self._scripts: defaultdict[str, deque[Behaviour]] = defaultdict(deque)
        self._defaults: dict[str, Behaviour] = {}
        self.removed_paths: set[str] = set()
        self._running: defaultdict[str, int] = defaultdict(int)
        self._changed = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    # --- start and stop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        self._stopping.clear()
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._ssl, reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stops the server, but keeps `posts`. `start(slack.port)` restarts it."""
        self._stopping.set()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    # --- set up by tests

    @abstractmethod
    def path(self, name: str = "general") -> str: ...

    def url(self, name: str = "general", *, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}{self.path(name)}"

    def script(self, name: str, *behaviours: Behaviour) -> None:
        """Queues behaviours, one for each of the next requests.

        name: a channel, or a path with a leading `/`.
        """
        self._scripts[self._path_of(name)].extend(behaviours)

    def default(self, name: str, behaviour: Behaviour | None) -> None:
        """Sets the behaviour for requests without a queued one. None restores the answers of the service."""
        path = self._path_of(name)
        if behaviour is None:
            self._defaults.pop(path, None)
        else:
            self._defaults[path] = behaviour

    def remove_webhook(self, name: str) -> None:
        """Removes the webhook, so that its requests are answered with 404."""
        self.removed_paths.add(self._path_of(name))

    def restore_webhook(self, name: str) -> None:
        self.removed_paths.discard(self._path_of(name))

    # --- for assertions in tests

    def posts_to(self, name: str | None = None) -> list[Post]:
        if name is None:
            return list(self.posts)
        path = self._path_of(name)
        return [post for post in self.posts if post.path == path]

    def accepted_posts(self, name: str | None = None) -> list[Post]:
        """Returns the posts that were answered 2xx, which the service would show in the channel."""
        return [post for post in self.posts_to(name) if post.status is not None and 200 <= post.status < 300]

    async def wait_for(
        self, n: int = 1, path: str | None = None, *, timeout: float = 10, accepted: bool = False
    ) -> list[Post]:
        """Waits until there are at least `n` posts, and returns them.

        Args:
            path: A path or the name of a channel; None for all.
            accepted: Only posts that were answered 2xx count.
        """
        posts_to = self.accepted_posts if accepted else self.posts_to
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: len(posts_to(path)) >= n)
        except TimeoutError:
            seen = [f"{post.path} -> {post.status} {post.answer} {post.text[:60]!r}" for post in self.posts]
            raise TimeoutError(
                f"{type(self).__name__}: waited {timeout} s for {n} {'accepted ' if accepted else ''}posts"
                f" to {path or 'any path'}, received {len(posts_to(path))}; all posts: {seen or 'none'}"
            ) from None
        return posts_to(path)

    # --- internals

    def _path_of(self, name: str) -> str:
        return name if name.startswith("/") else self.path(name)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = await self._body(request)
        post = Post(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            payload=_json(raw),
            raw=raw,
            at=asyncio.get_running_loop().time(),
        )
        self._running[post.path] += 1
        self.peak[post.path] = max(self.peak[post.path], self._running[post.path])
        self.posts.append(post)
        await self._notify_waiters()
        try:
            return await self._respond(request, post)
        finally:
            self._running[post.path] -= 1
            await self._notify_waiters()

    async def _body(self, request: web.BaseRequest) -> bytes:
        raw = bytearray()
        async for chunk in request.content.iter_any():
            raw += chunk
            if len(raw) > self._max_body:
                raise web.HTTPRequestEntityTooLarge(self._max_body, len(raw))
        return bytes(raw)

    async def _notify_waiters(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _respond(self, request: web.BaseRequest, post: Post) -> web.StreamResponse:
        queue = self._scripts[post.path]
        behaviour = queue.popleft() if queue else self._defaults.get(post.path)
        if behaviour is None:
            behaviour = self.answer(post)
        match behaviour:
            case FixedResponse(status, body, headers):
                encoded = body.encode() if isinstance(body, str) else body
                post.status, post.answer = status, encoded[:200].decode(errors="replace")
                return web.Response(status=status, body=encoded, headers={"Content-Type": "text/html"} | headers)
            case Hang():
                await self._wait_for_release(behaviour)
                post.status, post.answer = 200, "ok"
                return web.Response(text="ok")
            case SlowResponse(seconds, per_chunk, body):
                return await self._send_slowly(request, post, seconds, per_chunk, body)
            case LargeResponse(nbytes):
                return await self._send_large_body(request, post, nbytes)
            case RedirectResponse(to, status):
                post.status = status
                return web.Response(status=status, headers={"Location": to})
            case PartialResponse():
                return await self._send_partial_body(request)
            case Reset():
                return _reset_connection(request)

    @abstractmethod
    def answer(self, post: Post) -> FixedResponse:
        """Returns the answer of the service to a request without a scripted behaviour."""

    async def _wait_for_release(self, hang: Hang) -> None:
        """Waits for the release. If the stand-in stops first, the connection ends without a response."""
        waits = [asyncio.ensure_future(event.wait()) for event in (hang.released, self._stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not hang.released.is_set():
            raise asyncio.CancelledError

    async def _send_slowly(
        self, request: web.BaseRequest, post: Post, seconds: float, per_chunk: int, body: bytes
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        for start in range(0, len(body), per_chunk):
            await asyncio.sleep(seconds)
            if start == 0:
                await response.prepare(request)
            await response.write(body[start : start + per_chunk])
        await response.write_eof()
        post.status, post.answer = 200, body[:200].decode(errors="replace")
        return response

    async def _send_large_body(self, request: web.BaseRequest, post: Post, nbytes: int) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for start in range(0, nbytes, _HUGE_CHUNK):
            await response.write(b"x" * min(_HUGE_CHUNK, nbytes - start))
        await response.write_eof()
        post.status = 200
        return response

    async def _send_partial_body(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"o")
        if request.transport is not None:
            request.transport.close()
        return response


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:  # also raised for undecodable bytes
        return None


def _reset_connection(request: web.BaseRequest) -> web.StreamResponse:
    """A linger time of zero makes the kernel send RST instead of FIN."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
