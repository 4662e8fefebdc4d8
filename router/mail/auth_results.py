"""The results of sender authentication, in the words of RFC 8601 section 2.7. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AuthMethod = Literal["spf", "dkim", "dmarc", "iprev", "arc"]
AuthWord = Literal["none", "neutral", "pass", "fail", "softfail", "policy", "temperror", "permerror"]


@dataclass(frozen=True, slots=True)
class AuthResult:
    """The result of one method, for DKIM of one signature.

    Attributes:
        domain: What the result is about: the domain of MAIL FROM or HELO (SPF), `d=` (DKIM), the domain of From
            (DMARC), the host name (iprev). "" if there is none.
        selector: `s=` of a DKIM signature.
        reason: Why, in our own words: never a stranger's text. Shown to users.
        signature: The first 8 characters of `b=` of a DKIM signature (RFC 6008).
    """

    method: AuthMethod
    result: AuthWord
    domain: str = ""
    selector: str = ""
    reason: str = ""
    signature: str = ""
