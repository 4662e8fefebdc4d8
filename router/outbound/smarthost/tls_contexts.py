"""TLS contexts, built at their first use: loading the authorities of the system takes milliseconds."""

from __future__ import annotations

import ssl
from functools import cached_property

from router.outbound.smarthost.access import SmarthostAccess


class TlsContexts:
    """`verifying` verifies certificates, by default with the authorities of the system."""

    def __init__(self, verifying: ssl.SSLContext | None = None) -> None:
        self._given = verifying

    def select(self, access: SmarthostAccess) -> ssl.SSLContext:
        return self._verifying if access.verifies_tls else self._unverified

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        return self._given or ssl.create_default_context()

    @cached_property
    def _unverified(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
