"""Every section and key of the configuration, once: its type, its default, and one line of what it is for.

Promise: a `Config` is complete and valid; the values are frozen, durations are `timedelta`, sizes are
octets, and what is secret prints as `***`. `Config()` is the built-in defaults. The sample file and the
documentation are rendered from here (`python -m config.reference`), and the loader takes the known keys
from here. Never reads a file or the environment: `config.load` does. Whoever needs settings takes the
narrowest slice: a section, or single values of one.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from config import values
from config.secret import DatabaseUrl
from config.section import (
    PRINTED,
    Count,
    Duration,
    DurationOrZero,
    Flag,
    HiddenText,
    Hostname,
    KeepFor,
    NetworkName,
    PathName,
    Rate,
    Section,
)
from config.setting import Setting, derived, nothing, setting
from config.values import Address


class MxHost(Section):
    """One host that domains point their MX records at; the lowest priority is tried first (RFC 5321 5.1)."""

    host: Hostname
    priority: Annotated[int, Field(strict=True, ge=0, le=65535)] = 10


class Server(Section):
    """This host, its name to the world, its secret and its log."""

    hostname: Hostname = derived(
        values.machine_name,
        "This host's full name in DNS: the SMTP greeting and our Received headers carry it.",
        otherwise="the machine's name",
        example="mx1.example.com",
    )
    public_url: Annotated[str, BeforeValidator(values.parse_public_url)] = setting(
        "http://127.0.0.1:8080",
        "Where people reach the dashboard; links to tickets begin with it, none are sent while it is loopback.",
    )
    # A hostname that failed is missing here, and is the error that is reported.
    mx_hosts: Annotated[tuple[MxHost, ...], Field(min_length=1)] = derived(
        lambda valid: (MxHost(host=valid.get("hostname", "localhost")),),
        "The MX records that domains are asked to set: every host that receives mail for this installation.",
        otherwise="`hostname`, with priority 10",
        example=[{"host": "mx1.example.com", "priority": 10}],
    )
    data_dir: PathName = derived(
        Path,
        "The folder for what this host keeps beside the database: the secret key, the first login.",
        otherwise="`$STATE_DIRECTORY`, else the SQLite file's folder, else `.`",
        example="/var/lib/emailrouter",
    )
    secret_key: HiddenText | None = derived(
        nothing,
        "Encrypts webhook URLs and signs sessions; the same on every host of one database.",
        otherwise="made once, in `data_dir`",
        example="<made by: openssl rand -base64 32>",
        secret=True,
    )
    log_format: Literal["auto", "console", "json"] = setting(
        "auto", "auto is console on a terminal and json elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The least severe event that is logged: debug, info, warning or error."
    )


class Database(Section):
    """Where everything is kept, and how much of it a process may take."""

    url: Annotated[DatabaseUrl, PlainValidator(DatabaseUrl.parse), PRINTED] = setting(
        "sqlite:///emailrouter.db",
        "sqlite:///file.db (four slashes: from the root), or for several hosts postgresql://user@host/database.",
        secret=True,
    )
    pool_size: Count = setting(10, "PostgreSQL connections of one process, at most.", ge=1)
    connect_timeout: Duration = setting("10s", "Time to open a PostgreSQL connection; the URL's own has priority.")
    statement_timeout: Duration = setting(
        "30s", "How long a PostgreSQL statement may take; past it a mail is answered 451 and comes again."
    )
    busy_timeout: Duration = setting("10s", "How long to wait for another process that writes the SQLite file.")
    group_mails: Count = setting(
        200, "Mails that share one commit, at most: more would keep the first one waiting.", ge=1
    )
    group_bytes: Count = setting(
        1048576, "Octets of mail that share one commit, at most: larger groups measured slower.", ge=1
    )


class Smtp(Section):
    """The door for mail: where it listens, what it refuses, how much it takes on at once."""

    listen: Annotated[tuple[Address, ...] | Literal["systemd"], PlainValidator(values.parse_listen), PRINTED] = setting(
        ["127.0.0.1:2525"],
        'Addresses to listen on, IPv6 as "[::]:25"; "systemd" takes the sockets that its socket unit opened.',
        words=("systemd",),
    )
    max_message_bytes: Count = setting(52428800, "Largest mail, offered as SIZE; more is 552.", ge=1)
    max_header_bytes: Count = setting(
        262144,
        "Octets of a mail's head that are parsed; the mail is kept whole, parsing is kept cheap.",
        ge=1024,
    )
    max_received_headers: Count = setting(
        50, "More Received headers than this mean a mail loop: 554 (RFC 5321 6.3).", ge=1
    )
    max_recipients: Count = setting(100, "Recipients of one mail; further ones get 452 (RFC 5321 4.5.3.1.8).", ge=1)
    max_connections: Count = setting(1000, "Connections at once; further ones get 421.", ge=1)
    max_connections_per_ip: Count = setting(
        20, "Connections at once from one address; 3 times that for its /26 or /48, 9 for its /21 or /32.", ge=1
    )
    max_mails_per_minute_per_ip: Count = setting(
        6000, "Mails a minute from one address, more from its networks as above, then 450. 0 is unlimited.", ge=0
    )
    max_session: Duration = setting("20m", "Longest session; past it 421, at the end of a mail that has begun.")
    max_bytes_in_flight: Count = setting(
        134217728, "Octets of mails being received, all together; past it reading waits, then 452.", ge=1
    )
    min_free_bytes: Count = setting(
        104857600,
        "Bytes that must stay free on the disk of the data, beside the size of SQLite's WAL, else 452; 0 never checks.",
        ge=0,
    )
    errors_per_session: Count = setting(10, "Wrong commands in one session before it is closed with 421.", ge=1)
    command_timeout: Duration = setting(
        "300s", "How long to wait for a command (RFC 5321 4.5.3.2.7); shorter when connections run out."
    )
    data_timeout: Duration = setting("120s", "How long a mail's data may pause before the session is closed.")
    min_data_rate: Count = setting(
        1000, "Bytes a second that the content of a mail must reach on average, else 421.", ge=0
    )
    duplicate_window: DurationOrZero = setting(
        "5d", "The same mail to the same alias within this time is one mail: senders retry for up to 5 days."
    )
    recipient_cache: Count = setting(10000, "Routes of recipients that are remembered between mails.", ge=1)
    reuse_port: Flag = setting(
        False, "Let several smtp processes of this host listen on the same port; the kernel shares the connections out."
    )
    shutdown_grace: DurationOrZero = setting(
        "30s", "How long running transactions may take at a stop; then they get 421."
    )
    tls_cert: PathName | None = derived(
        nothing,
        "Certificate chain in PEM, offers STARTTLS; read again when the file changes.",
        otherwise="none, no STARTTLS",
        example="/etc/emailrouter/tls/fullchain.pem",
        is_file=True,
    )
    tls_key: PathName | None = derived(
        nothing,
        "The certificate's private key in PEM; P-256 is faster than RSA.",
        otherwise="none, no STARTTLS",
        example="/etc/emailrouter/tls/privkey.pem",
        is_file=True,
    )
    proxy_protocol: Flag = setting(
        False,
        "Expect a PROXY header (v1 or v2) from `trusted_networks`: for use behind HAProxy or a balancer.",
    )
    trusted_networks: tuple[NetworkName, ...] = setting(
        [], "Networks that may send PROXY headers and are free of the limits by address."
    )
    blocked_senders: tuple[Annotated[str, BeforeValidator(values.parse_blocked_sender)], ...] = setting(
        [],
        'Refused with 550: "a@spam.example", "@spam.example" (a whole domain), "192.0.2.0/24" (a network).',
    )
    dnsbl: tuple[Hostname, ...] = setting([], "DNS block lists to ask about the sender's address; listed is 550.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
            if getattr(self, key) and not getattr(self, other):
                raise ValueError(f'smtp.{key} = "{getattr(self, key)}": must come with smtp.{other} (both or neither)')
        if self.proxy_protocol and not self.trusted_networks:
            raise ValueError("smtp.proxy_protocol = true: must come with smtp.trusted_networks, those who may send it")
        return self


class Api(Section):
    """The door for people and programs."""

    listen: Annotated[Address | Literal["systemd"], PlainValidator(values.parse_address_or_systemd), PRINTED] = setting(
        "127.0.0.1:8080",
        'Address of the REST API and the dashboard; "systemd" takes the socket that its socket unit opened.',
    )
    requests_per_minute: Count = setting(100, "Requests a minute with one API key; 0 is unlimited.", ge=0)
    requests_per_day: Count = setting(
        10000, "Requests a day with all API keys of a workspace; 0 is unlimited. Sessions are not counted.", ge=0
    )
    session_requests_per_minute: Count = setting(
        600,
        "Requests a minute in all sessions of one person; 0 is unlimited. What pages refresh by themselves is free.",
        ge=0,
    )
    max_connections_per_ip: Count = setting(
        100,
        "Connections at once from one IPv4 address or IPv6 /64; further ones are closed.",
        ge=1,
    )
    trusted_proxies: tuple[NetworkName, ...] = setting(
        [],
        "Networks whose X-Forwarded-For and X-Forwarded-Proto are believed; `max_connections_per_ip` is not for them.",
    )
    max_body_bytes: Count = setting(
        1048576,
        "Largest request body, more is 413; without authentication, and where a call takes no body, it is 4096.",
        ge=1024,
    )
    request_timeout: Duration = setting("30s", "How long one request may take before it is answered 503.")
    keepalive_timeout: Duration = setting(
        "75s",
        "How long an idle connection is kept open; must exceed the proxy's own limit (nginx and balancers: 60 s).",
    )


class Dns(Section):
    """How domains are proved to be ours."""

    nameservers: tuple[Annotated[Address, PlainValidator(values.parse_nameserver), PRINTED], ...] = setting(
        [], 'DNS servers, like "192.0.2.53" or "127.0.0.1:5353"; none given is the system\'s.'
    )
    verification: Literal["auto", "mx", "txt", "mx+txt"] = setting(
        "auto",
        "Records that prove a domain: mx, txt or mx+txt; auto is mx for one workspace, mx+txt for more.",
    )
    recheck_interval: Duration = setting("1d", "How often the records of every domain are looked at again.")


class Delivery(Section):
    """How ticket events leave for the integrations."""

    concurrency: Count = setting(
        32, "Deliveries under way at once in one process; a slow webhook holds one of them, not all.", ge=1
    )
    per_second: Rate = setting(1.0, "Messages a second to one webhook: what Slack permits.", gt=0)
    burst: Count = setting(5, "Messages that one webhook may get at once after a pause.", ge=1)
    digest_after: Count = setting(20, "More than this many waiting for one webhook become one digest.", ge=1)
    timeout: Duration = setting("10s", "How long one attempt may take, connection to answer.")
    max_age: Duration = setting("3d", "How long a delivery is retried before it is dead (and can be replayed).")
    lease: Duration = setting("60s", "How long a process holds a delivery; if it is killed, others take over then.")
    max_claims: Count = setting(
        10,
        "Times a delivery may be taken without an outcome before it is dead: it kills whoever sends it.",
        ge=1,
    )
    answer_excerpt: Count = setting(1000, "Octets of the other side's answer kept with an attempt.", ge=0)
    allow_private_networks: Flag = setting(
        False, "Webhooks may point into private networks and use http://; for tests and own servers only."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lease <= self.timeout:
            lease, timeout = values.format_duration(self.lease), values.format_duration(self.timeout)
            raise ValueError(
                f'delivery.lease = "{lease}": must be longer than delivery.timeout ("{timeout}"), '
                "or a second process sends while the first still waits for its answer"
            )
        return self


class Retention(Section):
    """What is erased with time."""

    raw_messages: KeepFor = setting("forever", "How long raw mails are kept; their tickets and texts stay.")
    resolved_tickets: KeepFor = setting(
        "forever", "How long resolved tickets are kept, with their messages and raw mails."
    )


class Metrics(Section):
    """Figures for Prometheus."""

    listen: Annotated[Address | None, PlainValidator(values.parse_optional_address), PRINTED] = setting(
        "off",
        'Address of /metrics, like "127.0.0.1:9100"; "off" is none. It asks for no password.',
    )


class Config(Section):
    """The whole configuration. `source` is the file it was read from, None for the built-in defaults."""

    server: Server = Field(default_factory=Server)
    database: Database = Field(default_factory=Database)
    smtp: Smtp = Field(default_factory=Smtp)
    api: Api = Field(default_factory=Api)
    dns: Dns = Field(default_factory=Dns)
    delivery: Delivery = Field(default_factory=Delivery)
    retention: Retention = Field(default_factory=Retention)
    metrics: Metrics = Field(default_factory=Metrics)
    source: Path | None = None

    @model_validator(mode="after")
    def _place_data(self) -> Self:
        """The data folder defaults to the SQLite file's, which only the whole configuration knows."""
        if "data_dir" not in self.server.model_fields_set and self.database.url.path is not None:
            folder: dict[str, Any] = {"data_dir": self.database.url.path.parent}
            # Frozen is for those who hold a finished Config; this one is still being made.
            self.__dict__["server"] = self.server.model_copy(update=folder)
        return self


SECTIONS: dict[str, type[Section]] = {
    "server": Server,
    "database": Database,
    "smtp": Smtp,
    "api": Api,
    "dns": Dns,
    "delivery": Delivery,
    "retention": Retention,
    "metrics": Metrics,
}

# Every key there is, in the order of the sample file.
SETTINGS: tuple[Setting, ...] = tuple(
    Setting.read(section, key, field)
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
)
