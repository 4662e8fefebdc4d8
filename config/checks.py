"""The section `[checks]`: which checks of senders are made, and how long they may take."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from config import values
from config.section import Boolean, Hostname, Integer, PasswordText, PositiveDuration, Section
from config.setting import computed_setting, no_default, setting

# Half the time for which a process claims a message (`router.checks.check_queue.LEASE`), which a check must not exceed.
MAX_DEADLINE = timedelta(seconds=30)


class ChecksSettings(Section):
    """Checks of the sender of each message: SPF, DKIM, DMARC and rspamd. They run after the message is accepted."""

    enabled: Boolean = setting(True, "Check who really sent each message; false asks no DNS server about senders.")
    authserv_id: Hostname | None = computed_setting(
        no_default,
        "Name in our Authentication-Results, one for the installation; results of others with it are left out.",
        default_text="the first of `mx_hosts`",
        example="mx1.example.com",
    )
    deadline: PositiveDuration = setting(
        "5s", "Time limit for all checks of a message, at most 30s; a result that is missing then is temperror."
    )
    post_wait: PositiveDuration = setting(
        "1s",
        "How long a post waits for the checks; `deadline` + 1s if they can hold it, or the sender is suspicious.",
    )
    relays: tuple[Annotated[str, BeforeValidator(values.parse_relay)], ...] = setting(
        [],
        'Hosts that forward mail to you, such as "192.0.2.0/24" or ".example.org" (all below); no SPF for them.',
    )
    trusted_authserv_ids: tuple[Hostname, ...] = setting(
        [], "Names in Authentication-Results whose results are shown if a trusted network or relay sent the message."
    )
    rspamd_url: Annotated[str | None, BeforeValidator(values.parse_optional_url)] = setting(
        "off", 'URL of rspamd, such as "http://127.0.0.1:11333"; "off" checks nothing for spam.'
    )
    rspamd_password: PasswordText | None = computed_setting(
        no_default,
        "Password of rspamd, if it requires one.",
        default_text="none",
        example="<password of the rspamd worker>",
        secret=True,
    )
    rspamd_timeout: PositiveDuration = setting("4s", "Time limit for the response of rspamd, within `deadline`.")
    rspamd_max_bytes: Integer = setting(10485760, "Messages larger than this are not sent to rspamd.", ge=1)

    @property
    def effective_post_wait(self) -> timedelta:
        """`post_wait`, whose default a shorter `deadline` limits."""
        return min(self.post_wait, self.deadline)

    @property
    def effective_rspamd_timeout(self) -> timedelta:
        """`rspamd_timeout`, whose default a shorter `deadline` limits."""
        return min(self.rspamd_timeout, self.deadline)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.deadline > MAX_DEADLINE:
            text, limit = values.format_duration(self.deadline), values.format_duration(MAX_DEADLINE)
            raise ValueError(f'checks.deadline = "{text}": must be at most "{limit}"')
        for key in ("post_wait", "rspamd_timeout"):
            duration = getattr(self, key)
            if duration > self.deadline and key in self.model_fields_set:
                text, limit = values.format_duration(duration), values.format_duration(self.deadline)
                raise ValueError(f'checks.{key} = "{text}": must be at most checks.deadline ("{limit}")')
        return self
