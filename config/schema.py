"""Every section and key of the configuration with its type, default and description.

A `Config` is complete, valid and frozen, and `Config()` has the built-in defaults. Durations are `timedelta`,
sizes are in bytes, and secrets print as `***`. Nothing here reads a file or the environment.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from config import values
from config.checks import ChecksSettings
from config.outgoing import OutgoingSettings
from config.secret import DatabaseUrl
from config.section import (
    AS_TEXT,
    Boolean,
    Hostname,
    Integer,
    NetworkField,
    Number,
    PathField,
    PositiveDuration,
    RetentionPeriod,
    SecretText,
    Section,
)
from config.setting import Setting, computed_setting, no_default, setting
from config.smtp import SmtpSettings
from config.values import Address


class MxHost(Section):
    """A host for the MX records of domains. Senders try the lowest priority number first (RFC 5321 5.1)."""

    host: Hostname
    priority: Annotated[int, Field(strict=True, ge=0, le=65535)] = 10


class ServerSettings(Section):
    """This host: its public name, secret key and logging."""

    hostname: Hostname = computed_setting(
        values.system_hostname,
        "Fully qualified domain name of this host, used in the SMTP greeting and in Received header fields.",
        default_text="the host name of the system",
        example="mx1.example.com",
    )
    public_url: Annotated[str, BeforeValidator(values.parse_public_url)] = setting(
        "http://127.0.0.1:8080",
        "Public URL of the dashboard, used in links to tickets; no links are sent while it is a loopback address.",
    )
    # An invalid hostname is not in `valid`, and is reported separately.
    mx_hosts: Annotated[tuple[MxHost, ...], Field(min_length=1)] = computed_setting(
        lambda valid: (MxHost(host=valid.get("hostname", "localhost")),),
        "MX records that domains must publish: every host that receives mail for this installation.",
        default_text="`hostname`, with priority 10",
        example=[{"host": "mx1.example.com", "priority": 10}],
    )
    data_dir: PathField = computed_setting(
        Path,
        "Directory for the files of this host that are not in the database: the secret key and the first login.",
        default_text="`$STATE_DIRECTORY`, else the directory of the SQLite file, else `.`",
        example="/var/lib/emailrouter",
    )
    secret_key: SecretText | None = computed_setting(
        no_default,
        "Encrypts webhook URLs and device cookies; must be the same on all hosts that share a database.",
        default_text="generated at the first start and stored in `data_dir`",
        example="<output of: openssl rand -base64 32>",
        secret=True,
    )
    log_format: Literal["auto", "console", "json"] = setting(
        "auto", "Log format: auto, console or json; auto is console on a terminal and json elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Minimum severity of logged events: debug, info, warning or error."
    )


class DatabaseSettings(Section):
    """The database: its URL, connections, time limits and the size of commits."""

    url: Annotated[DatabaseUrl, PlainValidator(DatabaseUrl.parse), AS_TEXT] = setting(
        "sqlite:///emailrouter.db",
        "sqlite:///file.db (four slashes for an absolute path), or for several hosts postgresql://user@host/database.",
        secret=True,
    )
    pool_size: Integer = setting(10, "Maximum number of pooled PostgreSQL connections; groups have others.", ge=1)
    connect_timeout: PositiveDuration = setting(
        "10s", "Time limit for connecting to PostgreSQL; connect_timeout in the URL takes precedence."
    )
    statement_timeout: PositiveDuration = setting(
        "30s", "Time limit for a PostgreSQL statement; when exceeded, the message gets 451 and the sender retries."
    )
    busy_timeout: PositiveDuration = setting("10s", "How long to wait while another process writes to the SQLite file.")
    group_mails: Integer = setting(200, "Maximum messages, claims or parses in one commit; more delay the first.", ge=1)
    group_bytes: Integer = setting(
        1048576, "Maximum total size of messages and parsed contents in a commit; larger ones were slower.", ge=1
    )


class ApiSettings(Section):
    """The HTTP server of the REST API and the dashboard."""

    listen: Annotated[Address | Literal["systemd"], PlainValidator(values.parse_address_or_systemd), AS_TEXT] = setting(
        "127.0.0.1:8080", 'Address to listen on; "systemd" uses the socket of the systemd socket unit.'
    )
    requests_per_minute: Integer = setting(100, "Maximum requests per minute with an API key; 0 means unlimited.", ge=0)
    requests_per_day: Integer = setting(
        10000,
        "Maximum requests per day with all API keys of a workspace; sessions do not count. 0 means unlimited.",
        ge=0,
    )
    session_requests_per_minute: Integer = setting(
        600,
        "Maximum requests per minute in all sessions of a user; automatic refreshes do not count. 0 means unlimited.",
        ge=0,
    )
    max_connections_per_ip: Integer = setting(
        100, "Maximum concurrent connections from one IPv4 address or IPv6 /64; further ones are closed.", ge=1
    )
    trusted_proxies: tuple[NetworkField, ...] = setting(
        [], "Networks whose X-Forwarded-For and X-Forwarded-Proto are trusted; exempt from `max_connections_per_ip`."
    )
    max_body_bytes: Integer = setting(
        1048576,
        "Maximum size of a request body, else 413; 4096 without authentication and for calls that take no body.",
        ge=1024,
    )
    request_timeout: PositiveDuration = setting("30s", "Time limit for a request; when exceeded, the response is 503.")
    keepalive_timeout: PositiveDuration = setting(
        "75s", "How long idle connections stay open; must exceed the limit of a proxy (nginx and load balancers: 60 s)."
    )


class DnsSettings(Section):
    """DNS queries and domain verification."""

    nameservers: tuple[Annotated[Address, PlainValidator(values.parse_nameserver), AS_TEXT], ...] = setting(
        [], 'DNS servers, such as "192.0.2.53" or "127.0.0.1:5353"; an empty list uses those of the system.'
    )
    verification: Literal["auto", "mx", "txt", "mx+txt"] = setting(
        "auto", "Records that verify a domain: mx, txt or mx+txt; auto is mx with one workspace and mx+txt with more."
    )
    recheck_interval: PositiveDuration = setting("1d", "How often the records of each domain are checked again.")


class DeliverySettings(Section):
    """Delivery of ticket events to integrations."""

    concurrency: Integer = setting(
        32, "Maximum number of concurrent deliveries per process; a slow webhook uses only one of them.", ge=1
    )
    per_second: Number = setting(
        1.0, "Maximum messages per second to one integration; a lower limit of its service also holds.", gt=0
    )
    burst: Integer = setting(5, "Maximum messages in quick succession to one integration after a pause.", ge=1)
    digest_after: Integer = setting(
        20, "When more deliveries than this are due for one integration, they are combined into a digest.", ge=1
    )
    timeout: PositiveDuration = setting("10s", "Time limit for one request, from connecting to the response.")
    max_age: PositiveDuration = setting("3d", "How long a delivery is retried; then it is dead and can be replayed.")
    lease: PositiveDuration = setting(
        "60s", "How long a process reserves an integration; if the process is killed, others take over after this time."
    )
    max_claims: Integer = setting(
        10,
        "Maximum attempts of a delivery without an outcome, such as after a crash; then the delivery is dead.",
        ge=1,
    )
    answer_excerpt: Integer = setting(1000, "Maximum bytes of the response that are stored with an attempt.", ge=0)
    allow_private_networks: Boolean = setting(
        False, "Allow webhooks in private networks and with http://; only for tests and your own servers."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lease <= self.timeout:
            lease, timeout = values.format_duration(self.lease), values.format_duration(self.timeout)
            raise ValueError(
                f'delivery.lease = "{lease}": must be longer than delivery.timeout ("{timeout}"), '
                "otherwise a second process may send while the first waits for a response"
            )
        return self


class RetentionSettings(Section):
    """How long data is kept."""

    raw_messages: RetentionPeriod = setting("forever", "How long raw messages are kept; their tickets and text remain.")
    resolved_tickets: RetentionPeriod = setting(
        "forever", "How long resolved tickets are kept, including their messages and raw messages."
    )
    spam_tickets: RetentionPeriod = setting(
        "forever", "How long tickets held as spam are kept, including their messages and raw messages."
    )


class MetricsSettings(Section):
    """Metrics for Prometheus."""

    listen: Annotated[Address | None, PlainValidator(values.parse_optional_address), AS_TEXT] = setting(
        "off", 'Address of /metrics, such as "127.0.0.1:9100"; "off" disables it. The endpoint has no authentication.'
    )


class Config(Section):
    """The whole configuration. `source` is the configuration file, or None if no file was read."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    dns: DnsSettings = Field(default_factory=DnsSettings)
    checks: ChecksSettings = Field(default_factory=ChecksSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    outgoing: OutgoingSettings = Field(default_factory=OutgoingSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    source: Path | None = None

    @model_validator(mode="after")
    def _set_data_dir(self) -> Self:
        if "data_dir" not in self.server.model_fields_set and self.database.url.path is not None:
            update: dict[str, Any] = {"data_dir": self.database.url.path.parent}
            # A frozen model rejects assignments to its attributes.
            self.__dict__["server"] = self.server.model_copy(update=update)
        return self


SECTIONS: dict[str, type[Section]] = {
    "server": ServerSettings,
    "database": DatabaseSettings,
    "smtp": SmtpSettings,
    "api": ApiSettings,
    "dns": DnsSettings,
    "checks": ChecksSettings,
    "delivery": DeliverySettings,
    "outgoing": OutgoingSettings,
    "retention": RetentionSettings,
    "metrics": MetricsSettings,
}

# All settings, in the order of the sample file.
SETTINGS: tuple[Setting, ...] = tuple(
    Setting.from_field(section, key, field)
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
)
