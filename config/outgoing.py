"""The section `[outgoing]`: how replies are submitted to a smarthost."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config import smarthost_url, values
from config.section import AS_TEXT, Boolean, Integer, NonNegativeDuration, PasswordText, PositiveDuration, Section
from config.setting import computed_setting, no_default, setting
from config.smarthost_url import SmarthostUrl


class OutgoingSettings(Section):
    """Replies to customers, which are submitted to a smarthost. Without one, tickets cannot be answered here."""

    smarthost: Annotated[SmarthostUrl | None, BeforeValidator(smarthost_url.parse_optional), AS_TEXT] = setting(
        "off",
        'Mail server that sends replies: "off", "smtps://user@host:465" or "smtp://user@host:587" (STARTTLS).',
        secret=True,
    )
    smarthost_password: PasswordText | None = computed_setting(
        no_default,
        "Password of the user in `smarthost`.",
        default_text="none",
        example="<password of the smarthost>",
        secret=True,
    )
    undo: NonNegativeDuration = setting("10s", "How long a reply waits before it is sent, so that it can be undone.")
    concurrency: Integer = setting(4, "Maximum number of concurrent connections of a process to one smarthost.", ge=1)
    per_hour: Integer = setting(
        500, "Maximum mails of one workspace per hour; further ones wait. 0 means unlimited.", ge=0
    )
    max_message_bytes: Annotated[Integer, Field(ge=1024)] = setting(
        20971520, "Maximum bytes of a reply with its attachments, before they are encoded."
    )
    timeout: PositiveDuration = setting(
        "60s", "Time limit for each answer of the smarthost, except the last one, which may take 10 minutes."
    )
    bounce_address: Literal["token", "alias"] = setting(
        "token", "Envelope sender of replies: token (b-<token>@domain, which tells who bounced) or alias."
    )
    spf_hint: Annotated[str, BeforeValidator(values.parse_spf_terms)] = setting(
        "", 'Terms of the smarthost in SPF records, such as "include:spf.example.net"; known providers need none.'
    )
    dkim_ed25519: Boolean = setting(False, "Also sign replies with an Ed25519 key (RFC 8463).")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.smarthost is not None and self.smarthost_password is not None and not self.smarthost.user:
            raise ValueError(
                'outgoing.smarthost_password: outgoing.smarthost must name a user, like "smtps://user@host"'
            )
        return self
