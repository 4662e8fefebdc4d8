"""Removes deceptive characters from untrusted text, and detects deceptive domains (UTS 39).

Bidirectional controls and characters without width can make a name or an address look like another one. Pure; every
function takes linear time.
"""

from __future__ import annotations

import re
import unicodedata

import idna

from router.unicode_text import limit_marks

JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner, which Persian, Indic scripts and emoji sequences need."""
# Directional marks, embeddings, overrides and isolates (UAX 9).
_BIDI_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Zero-width spaces, soft hyphens, invisible operators, and controls that text does not need.
_ZERO_WIDTH = (
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
)
# Characters that look blank: Hangul fillers, the Khmer inherent vowels, and the blank Braille pattern.
_BLANK_LETTERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Variation selectors and the grapheme joiner: invisible, but part of emoji and of rare letters.
_SELECTORS = "\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS = "\U000e0000-\U000e007f"

INVISIBLE_CONTROLS = f"{_BIDI_CONTROLS}{_ZERO_WIDTH}"
"""Characters for a character class of a pattern."""
_REMOVED = re.compile(f"[{INVISIBLE_CONTROLS}]")
# Joiners at the start, and after characters up to U+058F (Latin, Greek, Cyrillic, Armenian), are not needed.
# Tags after a black flag encode regional flags; elsewhere tags are hidden text.
_STRAY_JOINERS = re.compile(f"(?:(?<=[\\0-\u058f])|^)[{JOINERS}]+|(?<![\U0001f3f4{_TAGS}])[{_TAGS}]+")
# Several blank letters act as space, which can move the extension of a file name out of view.
_BLANK_RUN = re.compile(f"[{_BLANK_LETTERS}][{_BLANK_LETTERS}{_SELECTORS} ]{{2,}}")
_REMOVED_FROM_IDENTIFIERS = re.compile(f"[{_BIDI_CONTROLS}{_ZERO_WIDTH}{_BLANK_LETTERS}{JOINERS}{_SELECTORS}{_TAGS}]")

_MAX_DOMAIN_LENGTH = 253
# Scripts that are used together in one language (UTS 39 section 5.2, "Highly Restrictive").
_MIXED_BY_LANGUAGES = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# A label of only these letters can imitate a Latin label. Such labels are accepted below `_LOOKALIKE_SCRIPT_TLDS` and
# below non-ASCII top-level domains.
_LATIN_LOOKALIKES = frozenset("асԁеһіјӏорԛѕԝхуъьҽпгѵѡкмтвнαγεηικνορτυχω")
_LOOKALIKE_SCRIPT_TLDS = frozenset(
    {"am", "ba", "bg", "by", "cy", "gr", "kg", "kz", "me", "mk", "mn", "rs", "ru", "su", "tj", "ua", "uz"}
)


def safe_line(text: str) -> str:
    """Removes deceptive characters from a name, subject or file name. Keeps joiners that scripts and emoji need."""
    if text.isascii():
        return text
    if not text.isprintable():
        text = _STRAY_JOINERS.sub("", _REMOVED.sub("", text))
    return _BLANK_RUN.sub(" ", text)


def safe_identifier(text: str) -> str:
    """Removes invisible characters from an address, host name or other identifier.

    A domain with valid joiners (RFC 5892 appendix A) is converted to A-labels, so that it stays the same domain.
    """
    if text.isascii():
        return text
    local, separator, domain = text.rpartition("@")
    if separator and len(domain) <= _MAX_DOMAIN_LENGTH and any(joiner in domain for joiner in JOINERS):
        domain = _a_labels(domain, strict=True) or domain
    return _REMOVED_FROM_IDENTIFIERS.sub("", f"{local}{separator}{domain}")


def deceptive_domain(address: str) -> str:
    """Returns the A-labels of the address's domain if the domain is deceptive, else `""`.

    A deceptive domain has a label that mixes scripts not used together, or that can imitate a Latin label.
    """
    _, separator, domain = address.rpartition("@")
    if not separator or domain.isascii() or len(domain) > _MAX_DOMAIN_LENGTH or len(address.split()) > 1:
        return ""
    labels = limit_marks(domain).lower().split(".")
    checks_lookalikes = labels[-1].isascii() and labels[-1] not in _LOOKALIKE_SCRIPT_TLDS
    if not any(_is_deceptive(label, checks_lookalikes=checks_lookalikes) for label in labels):
        return ""
    return _a_labels(domain)


def append_a_labels(address: str) -> str:
    """Appends the A-labels to an address with a deceptive domain. Returns other addresses unchanged."""
    labels = deceptive_domain(address)
    return f"{address} ({labels})" if labels else address


def _is_deceptive(label: str, *, checks_lookalikes: bool) -> bool:
    if label.isascii():
        return False
    letters = [character for character in label if unicodedata.category(character)[0] not in "NMP"]
    scripts = {_script(character) for character in letters}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _MIXED_BY_LANGUAGES):
        return True
    return checks_lookalikes and bool(letters) and _LATIN_LOOKALIKES.issuperset(letters)


def _script(character: str) -> str:
    script = unicodedata.name(character, "UNKNOWN").partition(" ")[0].partition("-")[0]
    return "CJK" if script == "IDEOGRAPHIC" else script


def _a_labels(domain: str, *, strict: bool = False) -> str:
    """Converts a domain to A-labels.

    If IDNA 2008 does not allow the domain, returns `""` with `strict`, else encodes its labels as Punycode.
    """
    try:
        return idna.encode(limit_marks(domain), uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        if strict:
            return ""
    labels = (
        label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}" for label in domain.split(".")
    )
    return ".".join(labels)
