"""What the SMTP session learned about one mail besides its octets (RFC 5321 section 2.3.1).

Built by `smtp.session`, read by `router.accept`. Our own type: in aiosmtpd's, a null reverse-path is `'<>'` in one
place and breaks RCPT in another.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.routing.route import Target

# The protocol of a test mail (`aliases/{id}/test`); RFC 3848 has the words that SMTP sessions write.
TEST_PROTOCOL = "TEST"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail transaction as it stands when the final dot has come.

    reverse_path: the mailbox of MAIL FROM without angle brackets, `""` for the null reverse-path.
    targets: where each accepted RCPT goes, in the order they were given, at least one.
    protocol: the word for the `with` clause of our `Received` field (RFC 3848: SMTP, ESMTP, ESMTPS, UTF8SMTPS ...).
    tls: protocol version and cipher, `""` on a plain connection. peer: the client's address, after PROXY.
    """

    reverse_path: str
    targets: tuple[Target, ...]
    peer: str
    helo: str
    protocol: str
    tls: str = ""
