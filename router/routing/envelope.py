"""The envelope of a message (RFC 5321 section 2.3.1).

Unlike the class of aiosmtpd, `Envelope` represents the null reverse-path as `""`, not as `'<>'`.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.routing.route import Target
from router.secrets import SecretBox

# Test messages (`POST /api/aliases/{id}/test`) have a Message-ID that begins like this, with an id and our signature of
# it. The beginning alone is only displayed, and proves nothing. Older versions did not send them by SMTP, and stored
# this protocol instead.
TEST_MESSAGE_ID_PREFIX = "emailrouter-test."
_TEST_PROTOCOL = "TEST"
_TEST_PURPOSE = "test message"


def is_test_message(protocol: str, rfc_message_id: str) -> bool:
    return protocol == _TEST_PROTOCOL or rfc_message_id.lstrip("<").startswith(TEST_MESSAGE_ID_PREFIX)


def new_test_message_id(box: SecretBox, unique: str, hostname: str) -> str:
    """Returns a Message-ID without angle brackets, by which `is_own_test_message` recognises the message."""
    return f"{TEST_MESSAGE_ID_PREFIX}{unique}.{box.sign(unique, _TEST_PURPOSE)}@{hostname}"


def is_own_test_message(box: SecretBox, rfc_message_id: str) -> bool:
    """Whether this installation has composed the test message. Such a message needs no check of its sender."""
    local_part = rfc_message_id.strip("<>").partition("@")[0]
    unique, _, signature = local_part.removeprefix(TEST_MESSAGE_ID_PREFIX).partition(".")
    return local_part.startswith(TEST_MESSAGE_ID_PREFIX) and box.verify(unique, signature, _TEST_PURPOSE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of a complete mail transaction.

    Attributes:
        reverse_path: The mailbox of MAIL FROM without angle brackets, `""` for the null reverse-path.
        targets: One for each distinct accepted recipient, in the order of the RCPT commands.
        peer: The client's IP address, from the PROXY header if there is one.
        protocol: The protocol in the `with` clause of the `Received` field (RFC 3848).
        tls: TLS version and cipher; `""` without TLS.
    """

    reverse_path: str
    targets: tuple[Target, ...]
    peer: str
    helo: str
    protocol: str
    tls: str = ""
