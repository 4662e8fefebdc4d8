"""The terms that the large mail services require in the SPF record of their customers. Pure."""

from __future__ import annotations

import re

# A regular expression that matches the complete host of a smarthost, and its terms.
_TERMS: tuple[tuple[str, str], ...] = (
    (r"email-smtp(-fips)?\.[a-z0-9-]+\.amazonaws\.com", "include:amazonses.com"),
    (r"smtp(-relay)?\.(gmail|googlemail)\.com", "include:_spf.google.com"),
    (r"smtp\.office365\.com|([a-z0-9-]+\.)+mail\.protection\.outlook\.com", "include:spf.protection.outlook.com"),
    (r"smtp\.(eu\.)?sendgrid\.net", "include:sendgrid.net"),
    (r"smtp\.(eu\.)?mailgun\.org", "include:mailgun.org"),
    (r"smtp(-broadcasts)?\.postmarkapp\.com", "include:spf.mtasv.net"),
    (r"smtp-relay\.(brevo|sendinblue)\.com", "include:spf.brevo.com"),
    (r"in(-v3)?\.mailjet\.com", "include:spf.mailjet.com"),
    (r"smtp\.(eu\.)?sparkpostmail\.com", "include:sparkpostmail.com"),
    (r"smtp\.mandrillapp\.com", "include:spf.mandrillapp.com"),
    (r"mail(-[a-z]+)?\.smtp2go\.com", "include:spf.smtp2go.com"),
    (r"smtp\.(fastmail|messagingengine)\.com", "include:spf.messagingengine.com"),
)


def guess_terms(host: str) -> tuple[str, ...]:
    """Returns the terms of the provider of a smarthost; () for an unknown host."""
    return tuple(term for pattern, term in _TERMS if re.fullmatch(pattern, host.lower()))
