"""The certificate of STARTTLS: files, key, names, dates and the order of its chain."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail, ok, warn
from router.clock import SECOND

NAME = "tls"
_SOON = timedelta(days=14)
_RENEW = "Renew it (certbot renew), and check that the deploy hook copies both files (docs/operations.md, Certificates)"


async def certificate(facts: Facts) -> list[Line]:
    """What a sender sees at STARTTLS."""
    config = facts.config
    path, key_path = config.smtp.tls_cert, config.smtp.tls_key
    if path is None or key_path is None:
        fix = "Get a certificate (docs/operations.md, Certificates) and set [smtp] tls_cert and tls_key"
        return [warn(NAME, "no certificate: STARTTLS is not offered, and mail arrives unencrypted", fix)]
    lines = []
    for file, key in ((path, "tls_cert"), (key_path, "tls_key")):
        unreadable = _unreadable(file, key)
        if unreadable is not None:
            lines.append(unreadable)
    if lines:
        return lines
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
        lines.append(fail(NAME, f"{key_path} is readable by every user", f"chmod 640 {key_path}"))
    lines += _pair(chain, _spki(key_file.public_key()), path, key_path)
    lines += _names(chain[0], config.server.hostname)
    lines += _dates(chain, datetime.fromtimestamp(facts.clock.now() / SECOND, UTC))
    lines += _order(chain, path)
    if all(line.status == "ok" for line in lines):
        until = min(c.not_valid_after_utc for c in chain)
        lines.append(ok(NAME, f"{path} is valid for {config.server.hostname} until {until:%Y-%m-%d}"))
    return lines


def spki_digest(path: Path) -> str | None:
    """What a TLSA record `3 1 1` of this certificate says; None when it cannot be read."""
    try:
        first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError):
        return None
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_spki(first.public_key()))
    return digest.finalize().hex()


def _spki(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009 - every kind of public key has it, their union does not say so
    octets: bytes = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return octets


def _unreadable(file: Path, key: str) -> Line | None:
    try:
        file.read_bytes()
    except FileNotFoundError:
        return fail(NAME, f"{file} does not exist", f"Correct [smtp] {key}, or create the file")
    except OSError as error:
        fix = f"Make it readable for the user emailrouter: chgrp emailrouter {file}; chmod 640 {file}"
        return fail(NAME, f"{file} cannot be read: {error.strerror or error}", fix)
    return None


def _pair(chain: Sequence[x509.Certificate], spki: bytes, path: Path, key_path: Path) -> list[Line]:
    if _spki(chain[0].public_key()) == spki:
        return []
    if any(_spki(other.public_key()) == spki for other in chain[1:]):
        fix = f"Put the certificate of the host first in {path}, followed by its issuers"
        return [fail(NAME, f"the chain in {path} is in the wrong order: the key belongs to a later certificate", fix)]
    fix = "Use the key of this certificate: both files must come from the same renewal"
    return [fail(NAME, f"{key_path} does not match the certificate in {path}", fix)]


def _names(first: x509.Certificate, hostname: str) -> list[Line]:
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


def _dates(chain: Sequence[x509.Certificate], now: datetime) -> list[Line]:
    lines = []
    for certificate_ in chain:
        what = "the certificate" if certificate_ is chain[0] else "a certificate of its chain"
        until, since = certificate_.not_valid_after_utc, certificate_.not_valid_before_utc
        if until < now:
            lines.append(fail(NAME, f"{what} expired on {until:%Y-%m-%d}", _RENEW))
        elif since > now:
            fix = "Check the clock of this host (timedatectl), or get another certificate"
            lines.append(fail(NAME, f"{what} is not valid before {since:%Y-%m-%d %H:%M}", fix))
        elif until - now < _SOON:
            lines.append(warn(NAME, f"{what} expires on {until:%Y-%m-%d}, in {(until - now).days} days", _RENEW))
    return lines


def _order(chain: Sequence[x509.Certificate], path: Path) -> list[Line]:
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
            fix = f"Put the certificate of the host first in {path}, followed by its issuers (certbot's fullchain.pem)"
            return [warn(NAME, f"the chain in {path} is broken or in the wrong order", fix)]
    if chain[0].issuer == chain[0].subject:
        fix = (
            "Sufficient for tests; senders that verify it (MTA-STS) need one from a public authority like Let's Encrypt"
        )
        return [warn(NAME, "the certificate is self-signed", fix)]
    if len(chain) == 1:
        fix = f"Use a file that includes the issuers (certbot's fullchain.pem, not cert.pem) as {path}"
        return [warn(NAME, "the chain is incomplete: the file contains only the certificate of the host", fix)]
    return []
