"""The envelope of a message (RFC 5321 section 2.3.1).

Unlike the class of aiosmtpd, `Envelope` represents the null reverse-path as `""`, not as `'<>'`.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.routing.route import Target

# The protocol of a test message (`POST /api/aliases/{id}/test`).
TEST_PROTOCOL = "TEST"


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
