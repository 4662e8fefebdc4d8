"""The password policy: rejects the passwords that an attacker tries first.

The policy applies when a password is set, never at sign-in, so existing passwords remain valid.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from router import secrets
from router.errors import Refused
from router.mail.address import MAX_MAILBOX_BYTES, AddressError, domain_key
from router.unicode_security import safe_identifier
from router.unicode_text import is_visible, normalize

MIN_PASSWORD_LENGTH = 8
# One password per line, in lower case, after the text of the licence.
_COMMON_PASSWORDS_FILE = Path(__file__).with_name("common_passwords.txt")
_PRODUCT_NAMES = frozenset({"emailrouter", "email-router"})
_TRAILING_PUNCTUATION = "./>)]}\"'!?,;:"
_ADVICE = f"choose a different password of at least {MIN_PASSWORD_LENGTH} characters"


async def hash_valid_password(password: str, email: str) -> str:
    """Hashes a password in a thread. Raises `Refused` if the password policy rejects it."""

    def check_and_hash() -> str:
        check_password(password, email)
        return secrets.hash_password(password)

    return await asyncio.to_thread(check_and_hash)


def check_password(password: str, email: str) -> None:
    """Raises `Refused` for a rejected password. Reads a file, so do not call this on the event loop.

    `email` must be normalised by `normalize_email`.
    """
    if len(password) > secrets.MAX_PASSWORD_LENGTH or len(safe_identifier(password).strip()) < MIN_PASSWORD_LENGTH:
        raise _rejection(
            f"must have between {MIN_PASSWORD_LENGTH} and {secrets.MAX_PASSWORD_LENGTH} characters, "
            "not counting invisible characters and leading or trailing spaces"
        )
    # Case, full-width letters, spaces and invisible characters do not make guessing harder.
    text = "".join(safe_identifier(normalize("NFKC", password)).split())
    plain = text.casefold()
    if not is_visible(plain):
        raise _rejection(f"must not consist of invisible characters only: {_ADVICE}")
    period = _period(plain)
    if period < min(len(plain), MIN_PASSWORD_LENGTH):
        raise _rejection(f"must not repeat a short sequence of characters: {_ADVICE}")
    if _is_derived_from_address(plain[:period], text, email):
        raise _rejection(f"must not be your email address, a part of it or an address at its domain: {_ADVICE}")
    if plain[:period] in _PRODUCT_NAMES or plain[:period] in _common_passwords():
        raise _rejection(f"must not be one of the most common passwords: {_ADVICE}")


def _period(text: str) -> int:
    """Returns the length of the shortest sequence whose repetition gives the text."""
    return (text + text).find(text, 1)


def _is_derived_from_address(plain: str, text: str, email: str) -> bool:
    """Returns whether the password is the user's address, a part of it, or an address or URL at the same domain.

    `plain` is `text` in lower case and without repetitions. Neither contains spaces.
    """
    domain = email.rpartition("@")[2]
    letters = _alphanumerics(plain)  # punctuation does not make guessing harder
    if letters in (_alphanumerics(email), _alphanumerics(domain)) or (
        len(letters) >= MIN_PASSWORD_LENGTH and letters in _alphanumerics(email)
    ):
        return True
    if len(text) > MAX_MAILBOX_BYTES:  # longer than any address; the next step is expensive
        return False
    return any(
        host == domain or host.endswith(f".{domain}") for host in (_trailing_domain(plain), _trailing_domain(text))
    )


def _alphanumerics(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _trailing_domain(text: str) -> str:
    try:
        return domain_key(text.rstrip(_TRAILING_PUNCTUATION).rpartition("@")[2].rpartition("/")[2])
    except AddressError:
        return ""


def _common_passwords() -> frozenset[str]:
    return frozenset("".join(line.split()) for line in _COMMON_PASSWORDS_FILE.read_text(encoding="utf-8").splitlines())


def _rejection(reason: str) -> Refused:
    return Refused("invalid_request", f"password {reason}", "password")
