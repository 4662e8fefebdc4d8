"""The section `[smtp]`: the settings of the SMTP server."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, PlainValidator, model_validator

from config import values
from config.section import (
    AS_TEXT,
    Boolean,
    Hostname,
    Integer,
    NetworkField,
    NonNegativeDuration,
    PathField,
    PositiveDuration,
    Section,
)
from config.setting import computed_setting, no_default, setting
from config.values import Address


class SmtpSettings(Section):
    """The SMTP server: listen addresses, limits, TLS and rejected senders."""

    listen: Annotated[tuple[Address, ...] | Literal["systemd"], PlainValidator(values.parse_listen), AS_TEXT] = setting(
        ["127.0.0.1:2525"],
        'Addresses to listen on, such as "[::]:25" for IPv6; "systemd" uses the sockets of the systemd socket unit.',
        literals=("systemd",),
    )
    max_message_bytes: Integer = setting(52428800, "Maximum message size, offered as SIZE; larger ones get 552.", ge=1)
    max_header_bytes: Integer = setting(
        262144, "Maximum size of the parsed header section; the complete message is stored in any case.", ge=1024
    )
    max_received_headers: Integer = setting(
        50, "Maximum number of Received header fields; more indicate a routing loop and get 554 (RFC 5321 6.3).", ge=1
    )
    max_recipients: Integer = setting(
        100, "Maximum number of recipients of a message; further ones get 452 (RFC 5321 4.5.3.1.8).", ge=1
    )
    max_connections: Integer = setting(1000, "Maximum number of concurrent connections; further ones get 421.", ge=1)
    max_connections_per_ip: Integer = setting(
        20,
        "Maximum concurrent connections per IP address; 3 times for its /26 or /48, 9 times for its /21 or /32.",
        ge=1,
    )
    max_mails_per_minute_per_ip: Integer = setting(
        6000,
        "Maximum messages per minute per IP address, 3 or 9 times that per network; more get 450. 0 means unlimited.",
        ge=0,
    )
    max_session: PositiveDuration = setting(
        "20m", "Maximum duration of a session, then 421; an open mail transaction is completed first."
    )
    max_bytes_in_flight: Integer = setting(
        134217728,
        "Maximum memory for messages being received; when full, messages over 64 KiB pause, then get 452 after 20 s.",
        ge=1,
    )
    min_free_bytes: Integer = setting(
        104857600,
        "Minimum free disk space beyond the size of the SQLite WAL; with less, messages get 452. 0 disables the check.",
        ge=0,
    )
    errors_per_session: Integer = setting(10, "Command errors after which a session is closed with 421.", ge=1)
    command_timeout: PositiveDuration = setting(
        "300s", "How long to wait for a command (RFC 5321 4.5.3.2.7); shorter while connections are scarce."
    )
    data_timeout: PositiveDuration = setting(
        "120s", "How long to wait for more data of a message before the session is closed with 421."
    )
    min_data_rate: Integer = setting(
        1000, "Minimum average transfer rate of message data, in bytes per second; slower transfers get 421.", ge=0
    )
    duplicate_window: NonNegativeDuration = setting(
        "5d", "How long a repeated message to the same alias counts as a duplicate; senders retry for up to 5 days."
    )
    recipient_cache: Integer = setting(10000, "Maximum number of recipient routes in the cache.", ge=1)
    reuse_port: Boolean = setting(
        False, "Allow several smtp processes of this host to share a port; the kernel distributes the connections."
    )
    shutdown_grace: NonNegativeDuration = setting(
        "30s", "Time limit for open transactions during shutdown; when exceeded, they get 421."
    )
    tls_cert: PathField | None = computed_setting(
        no_default,
        "PEM file with the certificate chain, enables STARTTLS; reloaded when it changes.",
        default_text="none; STARTTLS is not offered",
        example="/etc/emailrouter/tls/fullchain.pem",
        is_file=True,
    )
    tls_key: PathField | None = computed_setting(
        no_default,
        "PEM file with the private key of the certificate, without a password; P-256 is faster than RSA.",
        default_text="none; STARTTLS is not offered",
        example="/etc/emailrouter/tls/privkey.pem",
        is_file=True,
    )
    proxy_protocol: Boolean = setting(
        False,
        "Expect a PROXY protocol header (v1 or v2) from `trusted_networks`; for use behind HAProxy or a load balancer.",
    )
    trusted_networks: tuple[NetworkField, ...] = setting(
        [], "Networks that may send PROXY protocol headers and are exempt from the limits per IP address."
    )
    blocked_senders: tuple[Annotated[str, BeforeValidator(values.parse_blocked_sender)], ...] = setting(
        [],
        'Senders rejected with 550: "a@spam.example", "@spam.example", ".spam.example" (and below) or "192.0.2.0/24".',
    )
    dnsbl: tuple[Hostname, ...] = setting(
        [], "DNS block lists to query for the IP address of the client; listed clients get 550."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
            if getattr(self, key) and not getattr(self, other):
                raise ValueError(
                    f'smtp.{key} = "{getattr(self, key)}": must be set together with smtp.{other} (both or neither)'
                )
        if self.proxy_protocol and not self.trusted_networks:
            raise ValueError(
                "smtp.proxy_protocol = true: must be set together with smtp.trusted_networks, which may send it"
            )
        return self
