"""Checks the record of a DKIM key, and explains how to fix it. Pure.

The explanations cover what providers' web forms and people do to a long value.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from router.dns.records import MAX_STRING_BYTES, PROPAGATION_NOTE, RecordCheck
from router.mail.dkim.key import DkimKey, parse_key
from router.mail.dkim.private_key import record_name, record_text
from router.mail.dkim.tag_list import TagListError
from router.model import DomainKey

# Characters that forms and word processors add: quotation marks, escapes and white space.
_PASTED = re.compile("[\"'\u201c\u201d\u201e\\\\\\s]")
_QUOTES = re.compile("[\"'\u201c\u201d\u201e]")
_LOOKS_LIKE_KEY = re.compile(r"[\s\"'\u201c\u201e]*v\s*=\s*DKIM1|.*\bp\s*=", re.IGNORECASE | re.DOTALL)


def expected_value(key: DomainKey) -> str:
    return record_text(key.algorithm, key.public_key)


def check_dkim(domain: str, key: DomainKey, values: Sequence[str], misplaced_at: Sequence[str] = ()) -> RecordCheck:
    """Checks that the record of the key is the only one at its name.

    Args:
        domain: The domain name in A-label form.
        values: The TXT records at the name of the key.
        misplaced_at: Other names where the expected record was found.
    """
    name = record_name(domain, key.selector)
    keys = [value for value in values if _LOOKS_LIKE_KEY.match(value)]
    if not keys:
        return _describe_missing(domain, name, key.selector, values, misplaced_at)
    if len(keys) > 1:
        return RecordCheck("wrong", _describe_several(name, key, keys))
    problem = _find_problem(name, key, keys[0])
    return RecordCheck("wrong", problem) if problem else RecordCheck("ok")


def _describe_missing(
    domain: str, name: str, selector: str, values: Sequence[str], misplaced_at: Sequence[str]
) -> RecordCheck:
    label = f"{selector}._domainkey"
    if misplaced_at and misplaced_at[0] in (domain, f"{selector}.{domain}"):
        fix = f"The DKIM record is at {misplaced_at[0]} instead of {name}. Enter {label} in the name field."
    elif misplaced_at:
        fix = (
            f"The DKIM record is at {misplaced_at[0]} instead of {name}: the DNS provider appends the zone name. Enter "
            "only the part before the zone name in the name field."
        )
    elif values:
        fix = f"{name} has a TXT record, but not a DKIM key. Add one with the value shown."
    else:
        fix = f"{name} has no TXT record. Add one with the value shown. {PROPAGATION_NOTE}"
    return RecordCheck("missing", fix)


def _describe_several(name: str, key: DomainKey, values: Sequence[str]) -> str:
    pieces = "".join(_PASTED.sub("", value) for value in sorted(values, key=lambda value: "DKIM1" not in value))
    if pieces == _PASTED.sub("", expected_value(key)):
        return f"The value is split across {len(values)} TXT records of {name}: enter it as one record, in one piece."
    return (
        f"{name} has {len(values)} DKIM records, so that receivers reject the signature. Remove all but the one with "
        "the value shown."
    )


def _find_problem(name: str, key: DomainKey, value: str) -> str:
    """Returns what is wrong with the only record of a key, or `""`."""
    try:
        found = parse_key(value)
    except TagListError as error:
        return _describe_pasted(name, key, value) or (
            f"The DKIM record of {name} is not valid: {error}. Replace it with the value shown."
        )
    if found.data == base64.b64decode(key.public_key) and found.type == key.algorithm:
        return _describe_restriction(name, found)
    if not found.data:
        return f"The DKIM record of {name} has an empty p=, which revokes the key. Replace it with the value shown."
    if pasted := _describe_pasted(name, key, value):
        return pasted
    return (
        f"The DKIM record of {name} has another key, created earlier or by another program. Replace it with the value "
        f"shown. {PROPAGATION_NOTE}"
    )


def _describe_restriction(name: str, found: DkimKey) -> str:
    if not found.for_mail:
        return f"The DKIM record of {name} has an s= that excludes mail. Remove s=."
    if found.hashes is not None and "sha256" not in found.hashes:
        return f"The DKIM record of {name} has an h= that excludes SHA-256. Remove h=."
    return ""


def _describe_pasted(name: str, key: DomainKey, value: str) -> str:
    """Returns what was added to the value or cut off when it was pasted; `""` if it is another value."""
    expected = _PASTED.sub("", expected_value(key))
    cleaned = _PASTED.sub("", value)
    if cleaned == expected:
        if "\\" in value:
            return (
                f"The DKIM record of {name} contains backslashes: the DNS provider adds escapes itself. Replace \\; "
                "with ; and remove all other backslashes."
            )
        if _QUOTES.search(value):
            return (
                f"The DKIM record of {name} contains quotation marks: the DNS provider adds them itself. Enter the "
                "value without them, in one piece."
            )
        return f"The DKIM record of {name} has spaces or line breaks inside a word. Enter the value in one piece."
    if expected.startswith(cleaned):
        return (
            f"The DKIM record of {name} ends after {len(value)} characters. Enter the whole value; if the form takes "
            f"only {MAX_STRING_BYTES} characters, enter it as two strings in quotation marks, as in the zone file."
        )
    if cleaned == f"{_PASTED.sub('', name)}{expected}" or cleaned.endswith(expected):
        return f"The value of the DKIM record of {name} has text before v=DKIM1. Enter only the value shown."
    return ""
