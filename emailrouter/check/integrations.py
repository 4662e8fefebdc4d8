"""Checks the settings and states of integrations, and the connections to their hosts. Posts nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

from emailrouter.check.check_context import CheckContext
from emailrouter.check.secret_box import read_secret_box
from router.channels import CHANNELS
from router.channels.poster import Poster
from router.check_result import CheckResult, fail, ok, warn
from router.errors import Refused
from router.model import Integration
from router.outbound.addresses import non_public_reason
from router.outbound.client import OutboundClient
from router.outbound.lookup import SystemResolver
from router.secrets import DecryptionError
from router.store.database import fetch_models

MAX_INTEGRATIONS = 100
MAX_CONCURRENT = 8
_CONNECT_SECONDS = 5.0


async def integrations(context: CheckContext) -> list[CheckResult]:
    if context.database is None:
        return []
    rows = await fetch_models(context.database, Integration, "check_integrations", limit=MAX_INTEGRATIONS)
    if not rows:
        fix = "Add one: emailrouter integration add NAME (prompts for its settings)"
        return [warn("integrations", "no integrations yet: tickets are not posted", fix)]
    poster = _build_poster(context)
    semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    async def check_one(integration: Integration) -> CheckResult:
        async with semaphore:
            return await _check_integration(context, poster, integration)

    return list(await asyncio.gather(*(check_one(row) for row in rows)))


def _build_poster(context: CheckContext) -> Poster | None:
    """Returns None if there is no usable key."""
    box = read_secret_box(context.config)
    if box is None:
        return None
    delivery = context.config.delivery
    private, timeout = delivery.allow_private_networks, delivery.timeout.total_seconds()
    return Poster(CHANNELS, OutboundClient(), box, allow_private=private, timeout=timeout)


async def _check_integration(context: CheckContext, poster: Poster | None, integration: Integration) -> CheckResult:
    name = f"integration {integration.name}"
    test = f"emailrouter integration test '{integration.name}' shows the response"
    channel = CHANNELS.get(integration.type)
    if channel is None:
        return fail(name, f"unknown type {integration.type!r}", "Install the Email Router version that created it")
    try:
        if poster is None:
            raise DecryptionError("no key")
        settings = poster.decrypt_settings(channel, integration)
    except DecryptionError:
        fix = "Restore the right secret key (see the line `secret key`), or enter the settings again"
        return fail(name, "its settings cannot be decrypted with the secret key of this host", fix)
    except Refused as refused:
        options = {field.name: f" {field.option} {'-' if field.secret else 'TEXT'}" for field in channel.fields}
        change = f"emailrouter integration change '{integration.name}'{options.get(refused.field or '', '')}"
        fix = f"Enter the setting again: {change}"
        return fail(name, refused.message, fix)
    if integration.status == "failing":
        fix = f"Restore access at {channel.label}, or enter new settings; {test}"
        return fail(name, f"failing ({integration.last_error}), so its deliveries are held", fix)
    parts = urlsplit(channel.target_url(settings))
    if not parts.hostname:
        return ok(name, f"{integration.hint}: no connection to check")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    trust = context.tls_context if parts.scheme == "https" else None
    private = context.config.delivery.allow_private_networks
    problem = await _find_connection_problem(parts.hostname, port, trust, private=private)
    if problem is not None:
        return fail(name, problem[0], f"{problem[1]}; {test}")
    if integration.last_error:
        return warn(name, f"reachable, but the last delivery or test failed: {integration.last_error}", test)
    how = "over TLS with a valid certificate" if context.tls_context and parts.scheme == "https" else "without TLS"
    return ok(name, f"{parts.hostname} is reachable {how}")


async def _find_connection_problem(
    host: str, port: int, trust: ssl.SSLContext | None, *, private: bool
) -> tuple[str, str] | None:
    """Connects to the host, with TLS if `trust` is given. Returns a problem and its fix; None if it connected."""
    writer = None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            addresses = list(dict.fromkeys(entry["host"] for entry in await SystemResolver().resolve(host, port)))
            allowed = [address for address in addresses if private or non_public_reason(address) is None]
            if not allowed:
                what = non_public_reason(addresses[0])
                return (
                    f"{host} resolves to {addresses[0]}, which is {what}",
                    "Use a service on the public Internet, or set [delivery] allow_private_networks = true",
                )
            name = host if trust is not None else None
            _, writer = await asyncio.open_connection(allowed[0], port, ssl=trust, server_hostname=name)
    except socket.gaierror:
        return f"the host name {host} does not resolve", "Check the host name in the settings, and /etc/resolv.conf"
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or "not valid"
        return (
            f"the certificate of {host} is not valid: {reason}",
            "Check the clock and the ca-certificates of this host; if both are correct, a proxy may intercept TLS",
        )
    except ssl.SSLError as error:
        return f"TLS with {host} failed ({error.reason or error})", "Check whether a proxy or firewall intercepts it"
    except TimeoutError:
        return (
            f"no connection to {host} within {_CONNECT_SECONDS:g} s",
            f"Allow outgoing connections to port {port} (firewall)",
        )
    except OSError as error:
        return (
            f"no connection to {host}: {error.strerror or error}",
            f"Allow outgoing connections to port {port} (firewall)",
        )
    finally:
        if writer is not None:
            writer.close()
    return None
