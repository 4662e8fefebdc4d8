"""The envelope of a message (RFC 5321 section 2.3.1).

Unlike the class of aiosmtpd, `Envelope` represents the null reverse-path as `""`, not as `'<>'`.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.routing.route import Target

# Test messages (`POST /api/aliases/{id}/test`) have a Message-ID that begins like this. The mark is only displayed, and
# proves nothing. Older versions did not send them by SMTP and stored this protocol instead.
TEST_MESSAGE_ID_PREFIX = "emailrouter-test."
_TEST_PROTOCOL = "TEST"


def is_test_message(protocol: str, rfc_message_id: str) -> bool:
    return protocol == _TEST_PROTOCOL or rfc_message_id.lstrip("<").startswith(TEST_MESSAGE_ID_PREFIX)


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
