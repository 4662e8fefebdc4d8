"""Growth-test subjects for SMTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network

from router import network
from router.mail import trace_headers
from router.mail.address import AddressError, Mailbox, domain_key, local_key, parse_mailbox
from router.model import Alias, Domain, Message
from router.routing import senders
from router.routing.route import DomainFacts, candidate_keys, route_recipient
from router.routing.sender_lists import AllowEntry, BlockEntry, SenderLists
from smtp import commands, dnsbl, limits, policy, proxy, replies
from smtp.bounds import Bounds
from smtp.commands import CommandError
from smtp.data import ChunkReader, Content, DataReader
from smtp.lines import CommandLines
from smtp.proxy import ProxyError
from tests.system.growth.shapes import SPACE
from tests.system.growth.subject import Subject, decode_text

_LINE = commands.MAIL_LINE_LIMIT
_BUFFER = Bounds.command_buffer_bytes
_MAIL = 2 << 20  # less than the allowed 50 MiB, but enough to show growth
_HEAD = 262144  # bytes, the default of [smtp] max_header_bytes

_DOMAIN = Domain("dom_1", "ws_1", "example.com", "active", "token", "{}", 0, None, None)
_ALIASES = tuple(
    Alias(f"alias_{key}", "ws_1", "dom_1", "example.com", key, key, "int_1", "active", 0) for key in ("a", "*")
)
_NETWORKS = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
_LISTED = (
    "a@example.com",
    "@example.com",
    ".example.com",
    "192.0.2.0/24",
    "2001:db8::/32",
    *("." + "a." * n + "a" for n in range(126)),
)
_SENDER_LISTS = SenderLists(
    (AllowEntry(each, True) for each in _LISTED), (BlockEntry(each, "spam") for each in _LISTED)
)
_REFUSED = policy.BlockedSenders(["a@example.com", "@example.com", "192.0.2.0/24", "2001:db8::/32"])


def parse_command(line: bytes) -> None:
    """Parses the input as a command line, and as an argument of commands."""
    with suppress(CommandError):
        commands.split_line(line)
    commands.line_error(line, replies.UNKNOWN_COMMAND)
    argument = line.strip(b" ").decode("utf-8", "surrogateescape")
    commands._cached_mailbox.cache_clear()
    parsers: tuple[Callable[[str], object], ...] = (
        commands.parse_hello,
        commands.parse_bdat,
        commands.parse_no_argument,
        lambda value: commands.parse_mail(f"FROM:<{value}>"),
        lambda value: commands.parse_mail(f"FROM:{value}"),
        lambda value: commands.parse_mail(f"FROM:<a@b.example> {value}"),
        lambda value: commands.parse_rcpt(f"TO:<{value}>", smtputf8=True),
        lambda value: commands.parse_rcpt(f"TO:<@a:{value}@example.com>", smtputf8=True),
    )
    for parse in parsers:
        with suppress(CommandError):
            parse(argument)


def make_line_parser(piece: int) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        lines = CommandLines()
        for start in range(0, len(data), piece):
            lines.buffer += data[start : start + piece]
            while True:
                try:
                    if lines.take_line() is None:
                        break
                except CommandError as error:
                    if error.reply is replies.LINE_LIMIT_EXCEEDED:
                        return

    return run


def make_data_reader(piece: int) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        reader = DataReader(Content(50 << 20))
        for start in range(0, len(data), piece):
            if reader.feed(data[start : start + piece]) is not None:
                reader = DataReader(Content(50 << 20))
        reader.content.getvalue()

    return run


def read_chunks(data: bytes) -> None:
    content = Content(50 << 20)
    for start in range(0, len(data), 7):
        reader = ChunkReader(content, 7)
        for at in range(start, start + 7, 3):
            reader.feed(data[at : min(at + 3, start + 7)])
    content.getvalue()


def parse_proxy_header(data: bytes) -> None:
    """Parses prefixes of growing length, as for a header that arrives in single bytes."""
    for head in (b"", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x08\x00"):
        with suppress(ProxyError):
            for end in range(1, len(data) + 1):
                proxy.parse_header((head + data)[:end])


def parse_address(data: bytes) -> None:
    value = decode_text(data)
    for one in (value, f"{value}@example.com", f"a@{value}", f"a@[{value}]", f'"{value}"@example.com'):
        with suppress(AddressError):
            str(parse_mailbox(one, local_part_limit=254))
    local_key(value[:254])
    with suppress(AddressError):
        domain_key(value[:254])


def check_recipient(data: bytes) -> None:
    value = decode_text(data)[:254]
    facts = DomainFacts(_DOMAIN, _ALIASES)
    mailbox = Mailbox(value, "example.com")
    candidate_keys(mailbox)
    route_recipient(mailbox, facts)
    for address in (value, f"a@{value}", f"{value}@example.com"):
        _SENDER_LISTS.decide_recipient(address, "192.0.2.1", has_checks=True)
        _SENDER_LISTS.decide(address, address, value, authenticated=True)
    with suppress(ValueError):
        senders.normalize_entry(value)
    _REFUSED.check("192.0.2.1", mailbox)


def parse_peer_address(data: bytes) -> None:
    network.address_key.cache_clear()
    network.network_keys.cache_clear()
    value = decode_text(data)
    network.network_keys(value)
    _ = value in limits.AddressSet(_NETWORKS)
    dnsbl._query_name(value)
    dnsbl._is_listing_record(value)


def render_trace_headers(data: bytes) -> None:
    """Puts `data` in every text field of a message."""
    value = decode_text(data)
    message = Message(
        id=value,
        workspace_id=value,
        reverse_path=value,
        helo=value,
        peer=value,
        protocol=value,
        tls=value,
        received_by=value,
        rfc_message_id=value,
        reference_ids=value,
        from_address=value,
        from_name=value,
        subject=value,
        automatic=value,
        size=0,
        received_at=0,
        sent_at=None,
    )
    trace_headers.render(message, [value])


SUBJECTS = (
    Subject("commands: a command line", parse_command, _LINE),
    Subject("commands: a line that is not a command", lambda line: commands.line_error(line, replies.BARE_LF), _BUFFER),
    Subject("lines: pipelined commands at once", make_line_parser(_BUFFER), _BUFFER),
    Subject("lines: pipelined commands in single bytes", make_line_parser(1), _BUFFER),
    Subject("lines: pipelined commands in pieces", make_line_parser(1000), _BUFFER),
    Subject("data: DATA in single bytes", make_data_reader(1), _MAIL, (SPACE, (b".", b"a"))),
    Subject("data: DATA in pieces of 3", make_data_reader(3), _MAIL, (SPACE, (b".", b"a"))),
    Subject("data: DATA in pieces of 64 KiB", make_data_reader(65536), _MAIL, (SPACE, (b".", b"a"))),
    Subject("data: BDAT", read_chunks, _MAIL, (SPACE, (b"a",))),
    Subject("proxy: a PROXY header in single bytes", parse_proxy_header, 2064),
    Subject(
        "policy: Received fields",
        lambda data: policy.received_fields_reply(data, 50),
        _MAIL,
        (SPACE, (b"\r\nReceived:",)),
    ),
    Subject("address: a mailbox", parse_address, 254),
    Subject("route: a recipient and a sender", check_recipient, 1024),
    Subject("network, dnsbl: a peer's address", parse_peer_address, 256),
    Subject("trace_headers: values from a peer", render_trace_headers, 1024),
)
