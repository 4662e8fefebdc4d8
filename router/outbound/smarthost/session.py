"""One connection to a smarthost: from the socket to the authentication, and single commands and answers.

All errors become `SubmissionFailed`, whose text is ours or a reply of the smarthost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiohttp.abc import AbstractResolver
from aiosmtplib import SMTPResponse
from aiosmtplib.protocol import SMTPProtocol

from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.failure import SubmissionFailed, reply_failure, to_failure
from router.outbound.smarthost.outcome import Stage
from router.outbound.smarthost.sockets import TimeLimit, open_socket
from router.outbound.smarthost.tls_contexts import TlsContexts

_QUIT_SECONDS = 1.0  # nothing depends on the answer
# The slowest rate at which a smarthost may read a content, in bytes per second. Each part has a limit of its own, but a
# smarthost that reads each part just in time would keep the connection and the memory for hours.
MIN_RATE = 8 * 1024

Answer = asyncio.Task[SMTPResponse]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What all sessions have in common. See `SmarthostClient`."""

    helo: str
    timeout: float
    resolver: AbstractResolver
    tls_contexts: TlsContexts
    allow_private: bool
    time_limit: TimeLimit


@contextlib.asynccontextmanager
async def open_session(access: SmarthostAccess, options: SessionOptions) -> AsyncIterator[SmarthostSession]:
    """Connects, and authenticates if the URL names a user. At the end the connection is closed."""
    session = SmarthostSession(access, options)
    try:
        await session.start()
        yield session
    except SubmissionFailed as failed:
        if failed.code is not None and failed.stage != "data":  # within the content, QUIT would be a part of it
            session.leave()
        raise
    finally:
        session.close()


class SmarthostSession:
    """A connection. `stage` is the step that runs, or was the last one."""

    def __init__(self, access: SmarthostAccess, options: SessionOptions) -> None:
        self._access = access
        self._options = options
        self._transport: asyncio.WriteTransport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._client = aiosmtplib.SMTP()
        self.stage: Stage = "connect"
        self.tls = ""
        self.is_authenticated = False

    def supports(self, extension: str) -> bool:
        return self._client.supports_extension(extension)

    @property
    def max_message_bytes(self) -> int | None:
        """The limit of SIZE (RFC 1870); None without one."""
        text = self._client.esmtp_extensions.get("size", "").strip()
        return int(text) or None if text.isascii() and text.isdecimal() and len(text) < 20 else None

    async def start(self) -> None:
        url, options = self._access.url, self._options
        async with self._step("connect"), options.time_limit(options.timeout):
            connected = await open_socket(
                self._access,
                resolver=options.resolver,
                allow_private=options.allow_private,
                time_limit=options.time_limit,
            )
        is_implicit = url.scheme == "smtps"
        self._client = aiosmtplib.SMTP(
            hostname=url.host,
            sock=connected,  # closed by its transport
            use_tls=is_implicit,
            start_tls=False,
            tls_context=options.tls_contexts.select(self._access),
            local_hostname=options.helo,
            timeout=options.timeout,
        )
        async with self._step("tls" if is_implicit else "greeting"):
            await self._client.connect()
            self._note_transport()
        async with self._step("ehlo"):
            await self._client.ehlo()
        if not is_implicit:
            await self._start_tls()
        if url.user:
            await self._authenticate(url.user)

    async def command(self, stage: Stage, *words: str, expected: int = 2) -> None:
        """Sends a command. A reply of another class than `expected`, the first digit, is a failure."""
        async with self._step(stage):
            response = await self._client.execute_command(*(word.encode() for word in words))
            if response.code // 100 != expected:
                raise reply_failure(stage, response, self._access)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Answer]:
        """Reads the next answer while the content is sent."""
        async with self._step("data"):
            protocol = self._protocol
        answer = asyncio.create_task(protocol.read_response())
        answer.add_done_callback(_retrieve_exception)
        await asyncio.sleep(0)  # starts the task: aiosmtplib discards an answer that no task awaits
        try:
            yield answer
        finally:
            answer.cancel()

    @contextlib.asynccontextmanager
    async def sending(self, nbytes: int) -> AsyncIterator[None]:
        """Limits the time in which a content is sent."""
        seconds = self._options.timeout + nbytes / MIN_RATE
        try:
            async with self._options.time_limit(seconds):
                yield
        except TimeoutError:
            text = f"the smarthost has not read {nbytes} bytes within {seconds:.0f} s"
            raise SubmissionFailed("retry", "data", text) from None

    async def write(self, part: bytes) -> None:
        """Sends a part of the content. Returns when it is in the send buffer of the socket."""
        async with self._step("data"), self._options.time_limit(self._options.timeout):
            protocol = self._protocol
            if self._writer is None:
                self._writer = self._new_writer(protocol)
            protocol.write(part)
            await self._writer.drain()
            await asyncio.sleep(0)  # other tasks run, and an answer can arrive

    async def write_final_dot(self) -> None:
        async with self._step("data"):
            self._protocol.write(b".\r\n")
        self.stage = "final"

    async def read_final(self, answer: Answer, seconds: float) -> SMTPResponse:
        """Returns the answer that accepts the message."""
        try:
            async with self._options.time_limit(seconds):
                response = await answer
        except (aiosmtplib.SMTPException, OSError) as error:
            raise to_failure(error, "final", self._access, seconds) from None
        if response.code // 100 != 2:
            raise reply_failure("final", response, self._access)
        return response

    async def early_failure(self, answer: Answer) -> SubmissionFailed:
        """Returns the failure that an answer before the final dot is."""
        async with self._step("data"):
            return reply_failure("data", await answer, self._access)

    async def quit(self) -> None:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=min(_QUIT_SECONDS, self._options.timeout))

    def leave(self) -> None:
        """Sends QUIT without waiting for the answer, so that the outcome is recorded at once."""
        with contextlib.suppress(aiosmtplib.SMTPException):
            self._protocol.write(b"QUIT\r\n")
        self._client.close()
        self._transport = None

    def close(self) -> None:
        """Ends the connection at once. Unsent data is discarded."""
        if self._transport is not None:
            self._transport.abort()
        self._client.close()

    @contextlib.asynccontextmanager
    async def _step(self, stage: Stage) -> AsyncIterator[None]:
        """Runs a step, whose errors become `SubmissionFailed`."""
        self.stage = stage
        try:
            yield
        except (aiosmtplib.SMTPException, OSError) as error:  # TimeoutError is an OSError
            raise to_failure(error, stage, self._access, self._options.timeout) from None

    @property
    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("")
        return self._client.protocol

    def _new_writer(self, protocol: SMTPProtocol) -> asyncio.StreamWriter:
        """Returns a writer whose `drain` waits until nothing is buffered in this process."""
        if self._transport is None:
            raise aiosmtplib.SMTPServerDisconnected("")
        # With a high-water mark of 0, TLS transports pause when their buffer is empty.
        self._transport.set_write_buffer_limits(high=1, low=0)
        return asyncio.StreamWriter(self._transport, protocol, None, asyncio.get_running_loop())

    async def _start_tls(self) -> None:
        if not self.supports("starttls"):
            if self._access.verifies_tls:
                raise SubmissionFailed("smarthost", "tls", "the smarthost does not offer STARTTLS, which is required")
            return
        async with self._step("tls"):
            await self._client.starttls()
            self._note_transport()
        async with self._step("ehlo"):
            await self._client.ehlo()

    def _note_transport(self) -> None:
        """Keeps the transport, because aiosmtplib forgets it when it closes it after an error."""
        # Transports of uvloop are no subclasses of that of asyncio.
        self._transport = cast("asyncio.WriteTransport | None", self._client.transport)
        tls = self._client.get_transport_info("ssl_object")
        self.tls = "" if tls is None else tls.version() or ""

    async def _authenticate(self, user: str) -> None:
        """Uses the first known mechanism. Further tries with a wrong password could lock the account."""
        self.stage = "auth"
        password = self._access.password
        if password is None:
            raise SubmissionFailed("smarthost", "auth", f"no password is set for the user {user}")
        if not self.tls and not self._access.is_local:
            raise SubmissionFailed("smarthost", "auth", "the password was not sent, because the smarthost has no TLS")
        client = self._client
        mechanisms = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        offered = [method for name, method in mechanisms.items() if name in client.server_auth_methods]
        if not offered:
            raise SubmissionFailed("smarthost", "auth", "the smarthost offers neither AUTH PLAIN, LOGIN nor CRAM-MD5")
        async with self._step("auth"):
            await offered[0](user, password.reveal())
        self.is_authenticated = True


def _retrieve_exception(answer: Answer) -> None:
    if not answer.cancelled():
        answer.exception()
