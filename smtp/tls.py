"""The certificate for STARTTLS. It is loaded again when its files change.

Open TLS sessions keep their certificate. If new files cannot be used, an error is logged and the previous
certificate stays in use.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog
from cryptography import x509

from config.errors import ConfigError, one_line

_log = structlog.get_logger()

_FileStamp = tuple[tuple[int, int, int], ...]


class TlsFiles:
    """A PEM certificate chain and its PEM key without a password.

    The constructor raises ConfigError if the files cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        for name, path in (("tls_cert", certificate), ("tls_key", key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise _unusable_error(name, path, f"cannot be read: {error.strerror}") from None
        try:
            self._stamp = self._file_stamp()
            self._context, self._expires_at = self._load()
        except OSError as error:  # includes ssl.SSLError
            reason = getattr(error, "reason", None) or error
            allowed = f"must be a PEM certificate, and smtp.tls_key its PEM key without a password: {reason}"
            raise _unusable_error("tls_cert", certificate, allowed) from None

    @property
    def expires_at(self) -> float | None:
        """The expiry of the certificate in Unix seconds, or None if it is not known."""
        self.current_context()
        return self._expires_at

    def current_context(self) -> ssl.SSLContext:
        """Returns the context for the next handshake. Loads the files first if they changed.

        Costs two `stat` calls.
        """
        try:
            stamp = self._file_stamp()
        except OSError:  # for example, the files are being replaced
            return self._context
        if stamp != self._stamp:
            self._stamp = stamp
            self.reload()
        return self._context

    def reload(self) -> None:
        """Loads the files, or logs an error and keeps the previous certificate."""
        try:
            self._context, self._expires_at = self._load()
        except OSError as error:  # includes ssl.SSLError
            _log.error("smtp.certificate_invalid", certificate=str(self._certificate), error=str(error))
        else:
            _log.info("smtp.certificate_loaded", certificate=str(self._certificate))

    def _file_stamp(self) -> _FileStamp:
        stats = [path.stat() for path in (self._certificate, self._key)]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)

    def _load(self) -> tuple[ssl.SSLContext, float | None]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        # Without the `password` argument, OpenSSL would prompt for one and block the process.
        context.load_cert_chain(self._certificate, self._key, password="")
        return context, _read_expiry(self._certificate)


def _read_expiry(chain: Path) -> float | None:
    """Returns the expiry of the first certificate, the host's own, in Unix seconds.

    None if the chain cannot be parsed.
    """
    try:
        return x509.load_pem_x509_certificates(chain.read_bytes())[0].not_valid_after_utc.timestamp()
    except ValueError:  # the expiry is only used for a metric
        return None


def _unusable_error(key: str, path: Path, allowed: str) -> ConfigError:
    return ConfigError(f"smtp.{key} = {one_line(str(path))}: {allowed}")
