"""What `tests.system.smtp.fuzz` requires of a server: replies that fit the commands, and mails that fit the replies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtp import replies
from smtp.commands import announces_content
from smtp.replies import Reply
from tests.integration.smtp.fuzz_wires import FoundError, Peer
from tests.support.smtp_doubles import HOSTNAME, RunningServer
from tests.unit.smtp.test_data import reference

LARGEST = 100_000  # bytes of a mail
DISCARD_LIMIT = 120_000  # instead of the 64 MiB that would take a second of each round

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


def judge(peer: Peer, kept: list[bytes], *, fails: bool) -> None:  # noqa: PLR0912 - a conversation, start to end
    """Follow the conversation by its replies. kept: this peer's mails. fails: the acceptor raises in this round."""
    sent = list(_split_replies(peer.sent))
    cut_off = peer.resets or bool(peer.tls_began)  # replies may be missing, the last of them alone
    expected: list[bytes] = []
    perhaps: bytes | None = None
    data, at = peer.data, 0
    handshakes = iter(peer.tls_began)
    chunks = b""
    over = may_be_over = False
    if not sent:
        if not cut_off:
            raise FoundError("no greeting")
        return
    if sent[0] != f"220 {HOSTNAME} ESMTP Email Router\r\n".encode():
        raise FoundError(f"another greeting: {sent[0]!r}")
    replied = iter(sent[1:])
    while not over:
        end = data.find(b"\r\n", at)
        if end < 0:
            for reply in replied:  # a line that did not end may have been refused already
                if reply not in (
                    replies.BARE_LF.encoded,
                    replies.TOO_MANY_ERRORS.encoded,
                    replies.LINE_TOO_LONG.encoded,
                    replies.NOT_SMTP.encoded,
                ):
                    raise FoundError(f"a reply to nothing: {reply!r}")
            break
        line, at = data[at:end], end + 2
        verb = line[:4].upper()
        first = next(replied, None)
        if first is None:
            if may_be_over:
                break
            if verb in (b"DATA", b"BDAT") or cut_off:
                found = _BDAT.fullmatch(line)
                whole = found is not None and len(data) - at >= int(found[1])
                if found is not None and whole and found[2]:
                    perhaps = chunks + data[at : at + int(found[1])]
                if cut_off or (found is not None and not whole):
                    break
            raise FoundError(f"no reply to {line!r}")
        over = first.startswith((b"421", b"221")) or not _may_go_on(line)
        if first == replies.START_DATA.encoded:
            decoded = reference(data[at:])
            answer = next(replied, None)
            if decoded is None:
                if answer is not None and not answer.startswith(b"552"):
                    raise FoundError(f"{answer!r} to a mail without its end")
                break
            mail, rest = decoded
            at = len(data) - len(rest)
            if answer is None:
                perhaps = mail
                if not cut_off:
                    raise FoundError("no reply to a mail")
                break
            over = _content_answer(answer, mail, expected, fails=fails)
            may_be_over = may_be_over or len(mail) > LARGEST + DISCARD_LIMIT
        elif (found := _BDAT.fullmatch(line)) and len(line) <= 510:
            size = int(found[1])
            if at + size > len(data) and not first.startswith((b"552", b"503", b"452", b"421")):
                raise FoundError(f"{first!r} to a chunk that is not whole")
            chunk, at = data[at : at + size], min(at + size, len(data))
            if first.startswith(b"250") and not found[2]:
                chunks += chunk
                if not _CHUNK.fullmatch(first):
                    raise FoundError(f"{first!r} to a chunk")
            elif not first.startswith(b"503"):
                over = _content_answer(first, chunks + chunk, expected, fails=fails) or over
                chunks = b""
            may_be_over = may_be_over or size > DISCARD_LIMIT
        elif first == replies.READY_FOR_TLS.encoded:
            chunks = b""
            began = next(handshakes, None)
            if began is None:
                break
            at = began
        elif first.startswith(b"250") and verb in (b"RSET", b"EHLO", b"HELO"):
            chunks = b""
        if first == replies.RECIPIENT_OK.encoded and verb != b"RCPT":
            raise FoundError(f"{first!r} to {line!r}")
    rest_of_replies = list(replied)
    if rest_of_replies not in ([], [replies.TOO_MANY_ERRORS.encoded]):
        raise FoundError(f"more replies: {rest_of_replies!r}")
    if cut_off and kept[: len(expected)] == expected and all(len(mail) <= LARGEST for mail in kept):
        return  # replies to a pipelined group leave together, so the peer may have missed those to several mails
    if kept not in (expected, [*expected, perhaps]):
        raise FoundError(f"kept {kept!r}, expected {expected!r} and perhaps {perhaps!r}")


def _may_go_on(line: bytes) -> bool:
    """A refused line that could be a BDAT ends the session: its chunk must not be taken for commands."""
    return not announces_content(line) or (bool(_BDAT.fullmatch(line)) and len(line) <= 510)


def _content_answer(answer: bytes, mail: bytes, expected: list[bytes], *, fails: bool) -> bool:
    """Whether the session is over after this reply to a mail; what was accepted goes into `expected`."""
    if answer.startswith(b"421"):
        return True
    allowed = {replies.NO_STORAGE.encoded}
    if len(mail) > LARGEST:
        allowed.add(replies.TOO_LARGE.encoded)
    elif fails:
        allowed.add(replies.FAULT.encoded)
    elif _QUEUED.fullmatch(answer):
        expected.append(mail)
        return False
    if mail.lower().count(b"received:") > 50:
        allowed.add(replies.LOOP.encoded)
    if answer not in allowed:
        raise FoundError(f"{answer!r} to a mail of {len(mail)} bytes")
    return False


def _split_replies(sent: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(sent):
        found = _REPLY.match(sent, at)
        if found is None:
            raise FoundError(f"no reply: {sent[at : at + 200]!r}")
        reply = found.group()
        known = reply in _FIXED or _QUEUED.fullmatch(reply) or _CHUNK.fullmatch(reply) or _HELLO.fullmatch(reply)
        if not known and at:
            raise FoundError(f"an unknown reply: {reply!r}")
        yield reply
        at = found.end()


def nothing_is_left(server: RunningServer) -> None:
    """The counters of a server without connections."""
    limits = server.server._context.limits
    if limits.connection_count or limits._connections or not server.memory.is_unused:
        raise FoundError(f"left over: {limits.connection_count} {limits._connections!r} {vars(server.memory)!r}")
