"""Signs messages with DKIM (RFC 6376 section 5, RFC 8463).

The signatures cover the whole body and all fields that receivers display. No further field of `OVERSIGNED_FIELDS` can
be added without breaking them (section 8.15). Takes n log n time; run it in a thread, because RSA takes milliseconds.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from router.mail.dkim.canonicalization import (
    SignableField,
    SignableMessage,
    canonicalize_body,
    header_hash_input,
    read_message,
    select_fields,
)
from router.mail.dkim.private_key import PrivateKey
from router.model import Micros

OVERSIGNED_FIELDS = ("From", "To", "Cc", "Subject", "Date", "Reply-To")
"""Fields that are named once more than they occur, so that none can be added."""
SIGNED_FIELDS = (
    *("Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    "Auto-Submitted",
)
_FIELD_NAME = b"dkim-signature"
_LINE_LENGTH = 72  # bytes of a folded line of Base64
_FOLD = "\r\n\t"


def sign(content: bytes, keys: Sequence[PrivateKey], at: Micros) -> bytes:
    """Returns the message with a signature of each key on top, that of the first key first.

    Args:
        content: A message whose lines end with CRLF.
        at: When the message is signed.

    Raises:
        ValueError: A line does not end with CRLF, or the message has no From. Servers on its way would change it.
    """
    line_ends = content.count(b"\r\n")
    if not (content.count(b"\n") == content.count(b"\r") == line_ends and content.endswith(b"\r\n")):
        raise ValueError("the message has a line that does not end with CRLF")
    message = read_message(content)
    names = _signed_names(message)
    body_hash = _encode(hashlib.sha256(canonicalize_body(message.body, "relaxed")).digest())
    signatures = [_sign_with_key(message, names, body_hash, key, at // 1_000_000) for key in keys]
    return b"".join([*signatures, content])


def _signed_names(message: SignableMessage) -> list[str]:
    counts = Counter(field.name for field in message.fields)
    if not counts[b"from"]:
        raise ValueError("the message has no From field")
    names = [name for name in OVERSIGNED_FIELDS for _ in range(counts[name.lower().encode()] + 1)]
    return names + [name for name in SIGNED_FIELDS for _ in range(counts[name.lower().encode()])]


def _sign_with_key(
    message: SignableMessage, names: Sequence[str], body_hash: str, key: PrivateKey, seconds: int
) -> bytes:
    """Returns the DKIM-Signature field of a key, with CRLF at its end."""
    raw = (
        f"DKIM-Signature: v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; d={key.domain};{_FOLD}"
        f"s={key.selector}; t={seconds};{_FOLD}h={_fold_names(names)};{_FOLD}bh={body_hash};{_FOLD}b="
    ).encode("ascii")
    fields = select_fields(message.fields, [name.lower().encode() for name in names])
    data = header_hash_input(fields, SignableField(_FIELD_NAME, raw), "relaxed")
    if isinstance(key.key, RSAPrivateKey):
        value = key.key.sign(data, PKCS1v15(), SHA256())
    else:
        value = key.key.sign(hashlib.sha256(data).digest())  # RFC 8463 section 3
    encoded = _encode(value)
    lines = [encoded[start : start + _LINE_LENGTH] for start in range(0, len(encoded), _LINE_LENGTH)]
    return raw + _FOLD.join(lines).encode("ascii") + b"\r\n"


def _fold_names(names: Sequence[str]) -> str:
    """Joins the names of `h=` with colons, after which a line may be folded."""
    lines = [""]
    for number, name in enumerate(names):
        piece = name if number == len(names) - 1 else f"{name}:"
        if len(lines[-1]) + len(piece) > _LINE_LENGTH:
            lines.append("")
        lines[-1] += piece
    return _FOLD.join(lines)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
