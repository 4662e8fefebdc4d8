"""Checks of the replies and accepted messages of `tests.system.smtp.fuzz`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtp import replies
from smtp.commands import announces_content
from smtp.replies import Reply
from tests.integration.smtp.fuzz_wires import FuzzPeer, InvariantError
from tests.support.smtp_doubles import HOSTNAME, RunningSmtpServer
from tests.unit.smtp.test_data import reference

MAX_MESSAGE_BYTES = 100_000
DISCARD_LIMIT = 120_000  # bytes; with the default of 64 MiB, rounds would take longer

_REPLY = re.compile(rb"(?:([2-5][0-9][0-9])-[ -~]*\r\n)*([2-5][0-9][0-9]) [ -~]*\r\n")
_FIXED = {reply.encoded: reply for reply in vars(replies).values() if isinstance(reply, Reply)}
_QUEUED = re.compile(rb"250 2\.0\.0 Ok: queued as msg_[0-9]+\r\n")
_CHUNK = re.compile(rb"250 2\.0\.0 Ok: [0-9]+ bytes received\r\n")
_HELLO = re.compile(
    rb"250 " + re.escape(HOSTNAME.encode()) + rb"\r\n"
    rb"|250-" + re.escape(HOSTNAME.encode()) + rb"\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n"
    rb"250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n(?:250 CHUNKING|250-CHUNKING\r\n250 STARTTLS)\r\n"
)
_BDAT = re.compile(rb"BDAT +([0-9]{1,20})( +LAST)? *", re.IGNORECASE)


def check_conversation(peer: FuzzPeer, accepted: list[bytes], *, fails: bool) -> None:  # noqa: PLR0912 - a conversation, start to end
    """Checks the replies of a conversation against the commands that the client sent.

    Args:
        accepted: The messages that the server accepted from this peer.
        fails: Whether accepting a message raises an error in this round.
    """
    received = list(_split_replies(peer.received))
    cut_off = peer.resets or bool(peer.handshake_offsets)  # the last replies may be missing
    expected: list[bytes] = []
    possible: bytes | None = None
    data, position = peer.data, 0
    handshakes = iter(peer.handshake_offsets)
    chunks = b""
    is_over = may_be_over = False
    if not received:
        if not cut_off:
            raise InvariantError("no greeting")
        return
    if received[0] != f"220 {HOSTNAME} ESMTP Email Router\r\n".encode():
        raise InvariantError(f"unexpected greeting: {received[0]!r}")
    pending_replies = iter(received[1:])
    while not is_over:
        end = data.find(b"\r\n", position)
        if end < 0:
            for extra in pending_replies:  # an incomplete line may have been rejected already
                if extra not in (
                    replies.BARE_LF.encoded,
                    replies.TOO_MANY_ERRORS.encoded,
                    replies.LINE_LIMIT_EXCEEDED.encoded,
                    replies.LINE_TOO_LONG.encoded,
                    replies.NOT_SMTP.encoded,
                ):
                    raise InvariantError(f"an unexpected reply: {extra!r}")
            break
        line, position = data[position:end], end + 2
        verb = line[:4].upper()
        reply = next(pending_replies, None)
        if reply is None:
            if may_be_over:
                break
            if verb in (b"DATA", b"BDAT") or cut_off:
                match = _BDAT.fullmatch(line)
                is_complete = match is not None and len(data) - position >= int(match[1])
                if match is not None and is_complete and match[2]:
                    possible = chunks + data[position : position + int(match[1])]
                if cut_off or (match is not None and not is_complete):
                    break
            raise InvariantError(f"no reply to {line!r}")
        is_over = reply.startswith((b"421", b"221")) or not _session_continues(line)
        if reply == replies.START_DATA.encoded:
            decoded = reference(data[position:])
            content_reply = next(pending_replies, None)
            if decoded is None:
                if content_reply is not None and not content_reply.startswith(b"552"):
                    raise InvariantError(f"{content_reply!r} to a mail without its end")
                break
            mail, rest = decoded
            position = len(data) - len(rest)
            if content_reply is None:
                possible = mail
                if not cut_off:
                    raise InvariantError("no reply to a mail")
                break
            is_over = _check_content_reply(content_reply, mail, expected, fails=fails)
            may_be_over = may_be_over or len(mail) > MAX_MESSAGE_BYTES + DISCARD_LIMIT
        elif (match := _BDAT.fullmatch(line)) and len(line) <= 510:
            size = int(match[1])
            if position + size > len(data) and not reply.startswith((b"552", b"503", b"452", b"421")):
                raise InvariantError(f"{reply!r} to an incomplete chunk")
            chunk, position = data[position : position + size], min(position + size, len(data))
            if reply.startswith(b"250") and not match[2]:
                chunks += chunk
                if not _CHUNK.fullmatch(reply):
                    raise InvariantError(f"{reply!r} to a chunk")
            elif not reply.startswith(b"503"):
                is_over = _check_content_reply(reply, chunks + chunk, expected, fails=fails) or is_over
                chunks = b""
            may_be_over = may_be_over or size > DISCARD_LIMIT
        elif reply == replies.READY_FOR_TLS.encoded:
            chunks = b""
            offset = next(handshakes, None)
            if offset is None:
                break
            position = offset
        elif reply.startswith(b"250") and verb in (b"RSET", b"EHLO", b"HELO"):
            chunks = b""
        if reply == replies.RECIPIENT_OK.encoded and verb != b"RCPT":
            raise InvariantError(f"{reply!r} to {line!r}")
    extra_replies = list(pending_replies)
    if extra_replies not in ([], [replies.TOO_MANY_ERRORS.encoded], [replies.LINE_LIMIT_EXCEEDED.encoded]):
        raise InvariantError(f"unexpected extra replies: {extra_replies!r}")
    if cut_off and accepted[: len(expected)] == expected and all(len(mail) <= MAX_MESSAGE_BYTES for mail in accepted):
        return  # several replies to pipelined commands may be missing
    if accepted not in (expected, [*expected, possible]):
        raise InvariantError(f"accepted {accepted!r}, expected {expected!r} and possible {possible!r}")


def _session_continues(line: bytes) -> bool:
    """Whether the session continues after the line.

    An invalid line that announces content, such as BDAT, ends the session.
    """
    return not announces_content(line) or (bool(_BDAT.fullmatch(line)) and len(line) <= 510)


def _check_content_reply(content_reply: bytes, mail: bytes, expected: list[bytes], *, fails: bool) -> bool:
    """Checks the reply to a message, and adds an accepted message to `expected`.

    Returns whether the session is over.
    """
    if content_reply.startswith(b"421"):
        return True
    allowed = {replies.NO_STORAGE.encoded}
    if len(mail) > MAX_MESSAGE_BYTES:
        allowed.add(replies.TOO_LARGE.encoded)
    elif fails:
        allowed.add(replies.FAULT.encoded)
    elif _QUEUED.fullmatch(content_reply):
        expected.append(mail)
        return False
    if mail.lower().count(b"received:") > 50:
        allowed.add(replies.LOOP.encoded)
    if content_reply not in allowed:
        raise InvariantError(f"{content_reply!r} to a mail of {len(mail)} bytes")
    return False


def _split_replies(received: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(received):
        match = _REPLY.match(received, position)
        if match is None:
            raise InvariantError(f"not a reply: {received[position : position + 200]!r}")
        reply = match.group()
        known = reply in _FIXED or _QUEUED.fullmatch(reply) or _CHUNK.fullmatch(reply) or _HELLO.fullmatch(reply)
        if not known and position:
            raise InvariantError(f"an unknown reply: {reply!r}")
        yield reply
        position = match.end()


def check_nothing_left(server: RunningSmtpServer) -> None:
    limits = server.server._context.limits
    if limits.connection_count or limits._connections or not server.memory.is_unused:
        raise InvariantError(f"left over: {limits.connection_count} {limits._connections!r} {vars(server.memory)!r}")
