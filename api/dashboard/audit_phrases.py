"""The phrases of the audit log by action.

Of each phrase, the first wording whose values the entry has is used. `{name}` is a value; `{name}` at the start of a
wording is a condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.enumerations import AuditAction

Phrase = tuple[str, ...]
_CHECK_SETTINGS = {
    "onFail": "the action for messages that fail DMARC",
    "onSpam": "the action for spam",
    "spamScore": "the spam score",
}


def _sender_checks(owner: str, unset: str) -> tuple[Phrase, ...]:
    """Returns the phrases of changed sender checks. `unset` is the wording if `{what}` is no longer set."""
    return tuple(
        (
            f"changed {what}{owner} from {{before_{name}}} to {{{name}}}",
            f"changed {what}{owner} to {{{name}}}",
            f"{{not_{name}}}{unset.replace('{what}', what)}",
        )
        for name, what in _CHECK_SETTINGS.items()
    )


# Values: `target` is what was changed, with a link; the others are the details of the entry by name. Of a true or false
# detail, the value is empty: its name, or its name after `not_`, only selects the wording. `settings` are described.
SENTENCES: Mapping[AuditAction, Sequence[Phrase]] = {
    "alias.change": (
        (
            "changed the integration of {target} from {before_integrationId} to {integrationId}",
            "changed the integration of {target} to {integrationId}",
        ),
        ("{status_disabled}disabled the alias {target}", "{status_active}enabled the alias {target}"),
        (
            "noted that {forwardedFrom} forwards to {target}",
            "{not_forwardedFrom}noted that nothing forwards to {target}",
        ),
        (
            "set the sender name of {target} to “{senderName}”",
            "{not_senderName}reset the sender name of {target}",
        ),
        ("{signature}changed the signature of {target}", "{not_signature}removed the signature of {target}"),
        (
            "{replyToToken}set that the Reply-To of answers from {target} names the ticket",
            "{not_replyToToken}set that the Reply-To of answers from {target} does not name the ticket",
        ),
        (
            "set that {target} acknowledges mail with the template {acknowledge}",
            "{not_acknowledge}disabled the acknowledgements of {target}",
        ),
        *_sender_checks(" of {target}", "made {target} inherit {what} from the workspace"),
    ),
    "alias.create": (("added the alias {target}",), ("for {integrationId}",)),
    "alias.delete": (("removed the alias {target}",),),
    "alias.test": (("sent a test message to {target}",),),
    "allowed_sender.change": (
        (
            "{requireAuth}set that mail from {target} is only allowed if it is authenticated",
            "{not_requireAuth}set that mail from {target} is also allowed if it is not authenticated",
        ),
        ("set the note of {target} to “{note}”", "{not_note}removed the note of {target}"),
    ),
    "allowed_sender.create": (
        ("allowed {target}",),
        ("{requireAuth}(if authenticated)", "{not_requireAuth}(without authentication)"),
    ),
    "allowed_sender.delete": (("removed {target} from the allowed senders",),),
    "blocked_sender.change": (
        (
            "{asSpam}set that mail from {target} is held as spam",
            "{not_asSpam}set that mail from {target} is rejected",
        ),
        ("set the note of {target} to “{note}”", "{not_note}removed the note of {target}"),
    ),
    "blocked_sender.create": (("blocked {target}",), ("{asSpam}(its mail is held as spam)",)),
    "blocked_sender.delete": (("unblocked {target}",),),
    "canned_response.change": (("changed the canned response {target}",),),
    "canned_response.create": (("added the canned response {target}",),),
    "canned_response.delete": (("removed the canned response {target}",),),
    "delivery.replay": (
        (
            "{integration}retried {replayed} {state} deliveries to {target}",
            "retried {replayed} {state} deliveries",
            "retried {target}",
        ),
    ),
    "domain.change": (
        (
            "{mxManagedUpstream}set that another mail server receives the mail of {target} first",
            "{not_mxManagedUpstream}set that this server receives the mail of {target}",
        ),
        ("{sending}turned on sending from {target}", "{not_sending}turned off sending from {target}"),
        ("set the smarthost {smarthost} for {target}", "{withoutSmarthost}removed the smarthost of {target}"),
    ),
    "domain.create": (("added the domain {target}",),),
    "domain.delete": (("removed the domain {target}",), ("with {aliases} aliases",)),
    "domain.lose": (("removed the verification of {target}: another workspace verified the domain",),),
    "domain.test": (
        ("{ok}tested the smarthost of {target}", "{not_ok}tested the smarthost of {target}, which failed"),
    ),
    "domain.unverify": (("removed the verification of {target}: its DNS records are missing",),),
    "domain.verify": (("verified the domain {target}",), ("{takenOver}which another workspace had before",)),
    "integration.change": (
        ("renamed the integration {before_name} to {target}", "renamed {name}"),
        ("changed the settings of {target} ({settings})",),
        ("{secrets}replaced the {secret_labels} of {target}",),
        ("{renewed}saved the settings of {target}",),
    ),
    "integration.create": (
        ("added the {type} integration {target}", "added the integration {target}"),
        ("({settings})",),
    ),
    "integration.delete": (("removed the integration {target}",),),
    "integration.test": (
        ("{ok}sent a test message to {target}", "{not_ok}sent a test message to {target}, which failed"),
        ("(HTTP {status})",),
    ),
    "key.create": (("created the API key {target}",), ("for {userId}",), ("with the role {role}",)),
    "key.revoke": (("revoked the API key {target}",),),
    "secret_key.rotate": (("replaced the secret key of the installation (fingerprint {fingerprint})",),),
    "signing_key.create": (("made the DKIM key {selector} for {target}",),),
    "tag.change": (
        ("renamed the tag {before_name} to {target}",),
        (
            "changed the colour of the tag {target} from {before_color} to {color}",
            "set the colour of the tag {target} to {color}",
            "{not_color}removed the colour of the tag {target}",
        ),
    ),
    "tag.create": (("added the tag {target}",),),
    "tag.delete": (("removed the tag {target}",),),
    "tag.merge": (("merged the tag {name} into {into}",),),
    "template.change": (("changed the template {target}",),),
    "template.create": (("added the template {target}",),),
    "template.delete": (("removed the template {target}",),),
    "ticket.delete": (("erased the ticket {target}",),),
    "user.change": (
        (
            "{own}set their name to {name}",
            "renamed {before_name} to {name}",
            "set the name of {target} to {name}",
        ),
        ("changed the role of {target} from {before_role} to {role}", "changed the role of {target} to {role}"),
        ("set the email address {email}",),
        ("{own}{password}set a new password", "{password}set a new password for {target}"),
        ("with a {via}",),
        ("{disabled}disabled {target}", "{not_disabled}enabled {target}"),
        ("changed the time zone of {target} to {timezone}",),
        ("{withoutTimezone}reset the time zone of {target} to that of the workspace",),
        ("revoked their API keys ({keysRevoked})",),
    ),
    "user.create": (("{invited}invited {target}", "added the user {target}"), ("as {role}",)),
    "user.delete": (("removed the user {target}",),),
    "user.password_link": (("created a link with which {target} sets a password",),),
    "user.sign_in": (("signed in",),),
    "user.sign_in_failed": (("tried to sign in as {target} with a wrong password",),),
    "user.sign_in_limited": (("tried to sign in as {target} too often",),),
    "workspace.change": (
        ("renamed the workspace from {before_name} to {name}", "renamed the workspace to {name}"),
        ("made {defaultIntegrationId} the default integration",),
        ("{withoutDefault}removed the default integration",),
        (
            "changed the time zone of the workspace from {before_timezone} to {timezone}",
            "changed the time zone of the workspace to {timezone}",
        ),
        (
            "changed the date format from {before_locale} to {locale}",
            "changed the date format to {locale}",
        ),
        *_sender_checks("", "reset {what}"),
    ),
    "workspace.create": (("created the workspace {name}",),),
    "workspace.delete": (("removed the workspace {name}",),),
}
