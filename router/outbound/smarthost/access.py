"""How to reach a smarthost, and which protection its connection needs."""

from __future__ import annotations

from dataclasses import dataclass

from config.secret import Secret
from config.smarthost_url import SmarthostUrl
from router.network import is_loopback


@dataclass(frozen=True, slots=True)
class SmarthostAccess:
    """A smarthost with its password.

    Attributes:
        id: `installation`, or the id of the domain.
        is_guarded: It is that of a domain, which a user of a workspace has chosen: only public addresses are
            connected to, and TLS is verified without exceptions.
    """

    id: str
    url: SmarthostUrl
    password: Secret | None = None
    is_guarded: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the connection stays on this host, so that it needs no protection."""
        return not self.is_guarded and is_loopback(self.url.host)

    @property
    def verifies_tls(self) -> bool:
        """Whether TLS is required, and the certificate verified."""
        return self.is_guarded or not (self.url.is_opportunistic or self.is_local)
