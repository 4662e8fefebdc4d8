"""Checks the STARTTLS certificate: files, key, names, dates and chain order."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from config.schema import Config
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.clock import SECOND
from router.model import Micros

NAME = "tls"
_EXPIRY_WARNING = timedelta(days=14)
_RENEWAL_FIX = "Renew it (certbot renew), and check that the deploy hook copies both files (docs/tls.md)"


async def certificate(context: CheckContext) -> list[CheckResult]:
    """Reads the files in a thread: the dashboard also runs this check, on an event loop that must not wait."""
    return await asyncio.to_thread(_check_files, context.config, context.clock.now())


def _check_files(config: Config, now: Micros) -> list[CheckResult]:
    path, key_path = config.smtp.tls_cert, config.smtp.tls_key
    if path is None or key_path is None:
        fix = "Get a certificate (docs/tls.md) and set [smtp] tls_cert and tls_key"
        return [warn(NAME, "no certificate: STARTTLS is not offered, and mail arrives unencrypted", fix)]
    results = []
    for file, key in ((path, "tls_cert"), (key_path, "tls_key")):
        unreadable = _check_readable(file, key)
        if unreadable is not None:
            results.append(unreadable)
    if results:
        return results
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        fix = "[smtp] tls_cert must be PEM, the host's certificate first (certbot's fullchain.pem)"
        return [fail(NAME, f"{path} contains no certificate", fix)]
    try:
        key_file = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except (ValueError, TypeError):
        fix = "[smtp] tls_key must be the private key in PEM, without a password (certbot's privkey.pem)"
        return [fail(NAME, f"{key_path} contains no usable private key", fix)]
    if key_path.stat().st_mode & (stat.S_IRWXO):
        results.append(fail(NAME, f"{key_path} is readable by every user", f"chmod 640 {key_path}"))
    results += _check_key(chain, _spki(key_file.public_key()), path, key_path)
    results += _check_names(chain[0], config.server.hostname)
    results += _check_dates(chain, datetime.fromtimestamp(now / SECOND, UTC))
    results += _check_chain(chain, path)
    if all(result.status == "ok" for result in results):
        until = min(c.not_valid_after_utc for c in chain)
        results.append(ok(NAME, f"{path} is valid for {config.server.hostname} until {until:%Y-%m-%d}"))
    return results


def tlsa_digest(path: Path) -> str | None:
    """Returns the digest for a TLSA record `3 1 1` (RFC 6698) in hex; None if the certificate cannot be read."""
    try:
        first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError):
        return None
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_spki(first.public_key()))
    return digest.finalize().hex()


def _spki(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009 - every public key has this method, but `object` does not
    encoded: bytes = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _check_readable(file: Path, key: str) -> CheckResult | None:
    try:
        file.read_bytes()
    except FileNotFoundError:
        return fail(NAME, f"{file} does not exist", f"Correct [smtp] {key}, or create the file")
    except OSError as error:
        fix = f"Make it readable for the user emailrouter: chgrp emailrouter {file}; chmod 640 {file}"
        return fail(NAME, f"{file} cannot be read: {error.strerror or error}", fix)
    return None


def _check_key(chain: Sequence[x509.Certificate], spki: bytes, path: Path, key_path: Path) -> list[CheckResult]:
    if _spki(chain[0].public_key()) == spki:
        return []
    if any(_spki(other.public_key()) == spki for other in chain[1:]):
        fix = f"Put the certificate of the host first in {path}, followed by its issuers"
        return [fail(NAME, f"the chain in {path} is in the wrong order: the key belongs to a later certificate", fix)]
    fix = "Use the key of this certificate: both files must come from the same renewal"
    return [fail(NAME, f"{key_path} does not match the certificate in {path}", fix)]


def _check_names(first: x509.Certificate, hostname: str) -> list[CheckResult]:
    try:
        found = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [name.lower() for name in found.value.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = []
    parent = hostname.partition(".")[2]
    if hostname in names or f"*.{parent}" in names:
        return []
    listed = ", ".join(names[:5]) or "no name"
    fix = f"Get a certificate for {hostname} (certbot certonly -d {hostname}), or correct [server] hostname"
    return [
        warn(NAME, f"the certificate is for {listed}, not for {hostname}: senders that verify it will not deliver", fix)
    ]


def _check_dates(chain: Sequence[x509.Certificate], now: datetime) -> list[CheckResult]:
    results = []
    for certificate_ in chain:
        what = "the certificate" if certificate_ is chain[0] else "a certificate of its chain"
        until, since = certificate_.not_valid_after_utc, certificate_.not_valid_before_utc
        if until < now:
            results.append(fail(NAME, f"{what} expired on {until:%Y-%m-%d}", _RENEWAL_FIX))
        elif since > now:
            fix = "Check the clock of this host (timedatectl), or get another certificate"
            results.append(fail(NAME, f"{what} is not valid before {since:%Y-%m-%d %H:%M}", fix))
        elif until - now < _EXPIRY_WARNING:
            results.append(
                warn(NAME, f"{what} expires on {until:%Y-%m-%d}, in {(until - now).days} days", _RENEWAL_FIX)
            )
    return results


def _check_chain(chain: Sequence[x509.Certificate], path: Path) -> list[CheckResult]:
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
            fix = f"Put the certificate of the host first in {path}, followed by its issuers (certbot's fullchain.pem)"
            return [warn(NAME, f"the chain in {path} is broken or in the wrong order", fix)]
    if chain[0].issuer == chain[0].subject:
        fix = "Sufficient for tests; senders that use MTA-STS require one from a public authority like Let's Encrypt"
        return [warn(NAME, "the certificate is self-signed", fix)]
    if len(chain) == 1:
        fix = f"Use a file that includes the issuers (certbot's fullchain.pem, not cert.pem) as {path}"
        return [warn(NAME, "the chain is incomplete: the file contains only the certificate of the host", fix)]
    return []
