"""The limits, timeouts and intervals of an SMTP server.

Limits of a syntax, such as the length of a command line, are in the module that parses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from config.smtp import SmtpSettings


@dataclass(frozen=True)
class Bounds:
    """Sizes are in bytes, times in seconds. Bounds that no setting changes have defaults."""

    # Settings, which docs/configuration.md describes.
    max_message_bytes: int
    max_received_fields: int
    max_recipients: int
    max_errors: int  # error replies in one session
    max_connections: int
    max_connections_per_address: int
    max_mails_per_minute: int  # accepted MAIL commands from one IP address; 0 means no limit
    max_session: float  # duration of a session; an open mail transaction may still complete
    max_memory_bytes: int  # content of all messages that are being received
    command_timeout: float
    data_timeout: float  # the longest pause between two bytes of content
    min_data_rate: int  # bytes of content a second, on average

    # Limits of one connection.
    command_buffer_bytes: int = 65536  # bytes of pipelined commands; reading pauses while there are more
    commands_per_iteration: int = 16  # pipelined commands after which other connections run
    max_idle_commands: int = 100  # commands without progress, such as NOOP, since the last accepted MAIL
    # Accepted MAIL commands since the content of a message was last received. RSET does not reset this count.
    max_unfinished_mails: int = 300
    max_skipped_line_bytes: int = 1048576  # bytes of a rejected line; a longer line ends the session
    max_discarded_bytes: int = 67108864  # content read past max_message_bytes before the connection is closed
    max_searched_header_bytes: int = 262144  # bytes searched for Received fields
    proxy_header_timeout: float = 10.0  # a proxy sends the PROXY header at once
    handshake_timeout: float = 30.0  # time for the TLS handshake
    closing_timeout: float = 10.0  # time for the peer to read the last replies
    block_list_timeout: float = 5.0  # clients should wait 5 minutes for the reply to RCPT (RFC 5321 4.5.3.2.3)
    command_timeouts_per_mail: int = 3  # time limit for all commands of a message, in command timeouts
    # A recipient past max_recipients is rejected with 452, and with 421 only after at least this many rejections
    # in the session (RFC 5321 4.5.3.1.8).
    guaranteed_recipients: int = 100
    logged_recipients: int = 10  # rejected recipients named in a log event
    undelayed_guesses: int = 3  # guesses in a session whose replies are not delayed
    guess_delay: float = 0.5  # the delay added for each further guess
    max_guess_delay: float = 5.0  # clients should wait 5 minutes for the reply to RCPT (RFC 5321 4.5.3.2.3)

    # Limits by network. One customer may have several addresses, and a wide network may contain many customers.
    # The limits of one address are multiplied for the networks /32, /26, /21 (IPv4) and /64, /48, /32 (IPv6).
    network_multiples: tuple[int, ...] = (1, 3, 9)
    counted_networks: int = 30_000  # networks whose messages are counted
    logged_networks: int = 1000  # networks whose log events are counted
    max_log_lines: int = 300  # log events about rejections and failures of one address in a minute

    # Memory for messages that are being received.
    small_mail_bytes: int = 65536  # a message up to this size never waits for memory
    read_bytes: int = 262144
    memory_per_address: float = 0.5  # the fraction of max_memory_bytes at which large messages from one IP address wait
    memory_timeout: float = 20.0  # clients should wait 3 minutes to send a data block (RFC 5321 4.5.3.2.5)

    # Reading bytes only to discard them, such as those of a message that is too large, must not starve other
    # connections.
    discard_rate: int = 50_000_000  # bytes a second of all connections together
    min_discard_pause: float = 0.02  # limits one connection to about 13 MB a second
    max_discard_pause: float = 5.0  # half of short_command_timeout, which also runs during pauses

    # Limits of the server.
    scarce_connections: float = 0.8  # the fraction of max_connections at which the command timeout becomes shorter
    short_command_timeout: float = 10.0  # the command timeout while connections are scarce
    listen_backlog: int = 1024  # connections in the kernel's queue, for bursts
    accepts_per_iteration: int = 64  # further connections accepted from each socket in one iteration of the event loop
    deadline_interval: float = 1.0
    eviction_interval: float = 60.0
    commit_timeout: float = 10.0  # time for commits after the shutdown grace period

    @classmethod
    def from_settings(cls, settings: SmtpSettings) -> Self:
        return cls(
            max_message_bytes=settings.max_message_bytes,
            max_received_fields=settings.max_received_headers,
            max_recipients=settings.max_recipients,
            max_errors=settings.errors_per_session,
            max_connections=settings.max_connections,
            max_connections_per_address=settings.max_connections_per_ip,
            max_mails_per_minute=settings.max_mails_per_minute_per_ip,
            max_session=settings.max_session.total_seconds(),
            max_memory_bytes=settings.max_bytes_in_flight,
            command_timeout=settings.command_timeout.total_seconds(),
            data_timeout=settings.data_timeout.total_seconds(),
            min_data_rate=settings.min_data_rate,
        )
