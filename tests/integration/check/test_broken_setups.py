"""`emailrouter check` reports each broken setup with its fix."""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from router.secrets import KEY_FILE, SecretBox, new_key
from tests.support.installation import DOMAIN, HOST
from tests.support.installation.checked import CheckedInstallation, assert_line, free_port

BreakSetup = Callable[[CheckedInstallation], object]  # an awaitable result is awaited


def _write_file(text: str, name: str = "chain.pem") -> BreakSetup:
    return lambda setup: (setup.folder / name).write_text(text)


def _write_expired_certificate(setup: CheckedInstallation) -> None:
    setup.write_certificate(
        HOST, not_before=datetime.now(UTC) - timedelta(days=90), not_after=datetime.now(UTC) - timedelta(days=1)
    )


def _reverse_chain(setup: CheckedInstallation) -> None:
    leaf = setup.write_certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    pems = [blob.bytes() for blob in leaf.cert_chain_pems]
    (setup.folder / "chain.pem").write_bytes(b"".join(reversed(pems)))


def _write_leaf_only(setup: CheckedInstallation) -> None:
    leaf = setup.write_certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    (setup.folder / "chain.pem").write_bytes(leaf.cert_chain_pems[0].bytes())


def _write_chain_of_another_issuer(setup: CheckedInstallation) -> None:
    leaf = setup.write_certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    other_issuer = trustme.CA().create_child_ca()
    (setup.folder / "chain.pem").write_bytes(leaf.cert_chain_pems[0].bytes() + other_issuer.cert_pem.bytes())


def _replace_domain_records(setup: CheckedInstallation) -> None:
    setup.dns.set(DOMAIN, "MX", "5 old.example.net.")
    setup.dns.remove(f"_emailrouter.{DOMAIN}")


async def _replace_webhook(setup: CheckedInstallation, url: str, key: str | None = None) -> None:
    encrypted = SecretBox(key or setup.installation.secret_key).encrypt(json.dumps({"webhookUrl": url}))
    await setup.installation.execute("UPDATE integrations SET encrypted_settings = :encrypted", encrypted=encrypted)


async def _insert_message_without_ticket(
    setup: CheckedInstallation, message_id: str = "msg_lost", peer: str = ""
) -> None:
    await setup.installation.execute(
        "INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size, "
        "received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic) "
        "VALUES (:id, :workspace, '', '', :peer, '', '', '', 1, 1, '', '[]', '', '', '', '')",
        workspace=setup.installation.workspace_id,
        id=message_id,
        peer=peer,
    )


async def _insert_messages_through_gateway(setup: CheckedInstallation) -> None:
    """Inserts 105 messages. Of the newest 100, 95 are of one private address."""
    for number in range(105):
        peer = "172.17.0.1" if 5 <= number < 100 else f"203.0.113.{number}"
        await _insert_message_without_ticket(setup, f"msg_{number:03}", peer)


def _change_settings(**settings: object) -> BreakSetup:
    return lambda setup: setup.settings.update({key.replace("__", "."): value for key, value in settings.items()})


BROKEN: dict[str, tuple[BreakSetup, str, str, str]] = {
    # --- the certificate
    "no certificate": (
        lambda s: [s.settings.pop(key) for key in ("smtp.tls_cert", "smtp.tls_key")],
        "warn",
        "tls: no certificate",
        "set [smtp] tls_cert",
    ),
    "missing certificate file": (
        lambda s: (s.folder / "chain.pem").unlink(),
        "fail",
        "chain.pem does not exist",
        "Correct [smtp] tls_cert",
    ),
    "invalid certificate file": (_write_file("hello"), "fail", "contains no certificate", "must be PEM"),
    "invalid key file": (_write_file("hello", "key.pem"), "fail", "contains no usable private key", "privkey.pem"),
    "key of another certificate": (
        lambda s: s.write_key(s.authority.issue_cert("x.test").private_key_pem.bytes()),
        "fail",
        "does not match the certificate",
        "both files must come from the same renewal",
    ),
    "key readable by everyone": (
        lambda s: (s.folder / "key.pem").chmod(0o644),
        "fail",
        "is readable by every user",
        "chmod 640",
    ),
    "certificate for another name": (
        lambda s: s.write_certificate("other.test"),
        "warn",
        "not for mx1.host.test",
        "certbot",
    ),
    "expired": (_write_expired_certificate, "fail", "the certificate expired on", "certbot renew"),
    "expires soon": (
        lambda s: s.write_certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=5)),
        "warn",
        "the certificate expires on",
        "certbot renew",
    ),
    "not valid yet": (
        lambda s: (
            s.write_certificate(
                HOST, not_before=datetime.now(UTC) + timedelta(days=2), not_after=datetime.now(UTC) + timedelta(days=60)
            )
            and None
        ),
        "fail",
        "is not valid before",
        "timedatectl",
    ),
    "chain in the wrong order": (_reverse_chain, "fail", "wrong order", "certificate of the host first"),
    "incomplete chain": (_write_leaf_only, "warn", "the chain is incomplete", "fullchain.pem"),
    "chain of another issuer": (
        _write_chain_of_another_issuer,
        "warn",
        "broken or in the wrong order",
        "fullchain.pem",
    ),
    # --- DNS and domains
    "local host name": (
        _change_settings(server__hostname="localhost"),
        "fail",
        "the host name localhost is not public",
        "full name",
    ),
    "host without an address": (lambda s: s.dns.remove(HOST), "fail", "has no A or AAAA record", "Add an A record"),
    "host with a private address": (
        lambda s: s.dns.set(HOST, "A", "10.0.0.5"),
        "warn",
        "is not public: 10.0.0.5",
        "public",
    ),
    "no PTR record": (
        lambda s: s.dns.remove("34.216.184.93.in-addr.arpa"),
        "warn",
        "93.184.216.34 has no PTR record",
        "PTR record to mx1.host.test",
    ),
    "an MX host without an address": (
        _change_settings(
            server__mx_hosts=[{"host": HOST, "priority": 10}, {"host": "mx2.router.test", "priority": 20}]
        ),
        "fail",
        "mx2.router.test has no A or AAAA record",
        "Add an A record",
    ),
    "DNS failure": (
        lambda s: s.dns.fail(HOST, "SERVFAIL"),
        "warn",
        "could not be queried",
        "[dns] nameservers",
    ),
    "verified domain with wrong records": (
        _replace_domain_records,
        "fail",
        "verified, but its MX record is wrong (5 old.example.net)",
        "(5 old.example.net) with MX 10",
    ),
    "verified domain with a wrong MX record": (
        lambda s: s.dns.set(DOMAIN, "MX", "5 old.example.net."),
        "warn",
        "verified, but its MX record is wrong",
        "(5 old.example.net) with MX 10",
    ),
    "no domain": (lambda s: s.installation.execute("DELETE FROM domains"), "warn", "no domains yet", "domain add"),
    # --- the data directory
    "missing data directory": (
        _change_settings(server__data_dir="/nonexistent/emailrouter"),
        "fail",
        "does not exist",
        "install -d",
    ),
    # --- the secret key and private files
    "another secret key": (
        lambda s: (s.folder / KEY_FILE).write_text(new_key()),
        "fail",
        "the secrets in the database were encrypted with",
        "all hosts of one database need the same key",
    ),
    "missing secret key": (lambda s: (s.folder / KEY_FILE).unlink(), "fail", "secrets encrypted with a key", "backup"),
    "secret key readable by others": (
        lambda s: (s.folder / KEY_FILE).chmod(0o644),
        "warn",
        "is readable by other users",
        "chmod 600",
    ),
    "unused first login": (
        lambda s: (s.folder / "first-login").touch(),
        "warn",
        "first-login still exists",
        "Open its link",
    ),
    "database readable by others": (
        lambda s: (s.folder / "emailrouter.db").chmod(0o640),
        "warn",
        "is readable by other users",
        "chmod 600",
    ),
    # --- integrations
    "failing integration": (
        lambda s: s.installation.execute(
            "UPDATE integrations SET status = 'failing', last_error = 'Slack returned 404 no_service'"
        ),
        "fail",
        "failing (Slack returned 404 no_service), so its deliveries are held",
        "or enter new settings",
    ),
    "settings encrypted with another key": (
        lambda s: _replace_webhook(s, "https://hooks.slack.com/services/T0/B0/x", new_key()),
        "fail",
        "cannot be decrypted with the secret key of this host",
        "Restore the right secret key",
    ),
    "unreachable host": (
        lambda s: _replace_webhook(s, f"https://localhost:{free_port()}/x"),
        "fail",
        "no connection to localhost",
        "firewall",
    ),
    "a certificate for another host": (
        lambda s: _replace_webhook(s, s.slack.url(host="127.0.0.1")),
        "fail",
        "the certificate of 127.0.0.1 is not valid",
        "ca-certificates",
    ),
    "webhook at a private address": (
        _change_settings(delivery__allow_private_networks=False),
        "fail",
        "which is loopback",
        "public Internet",
    ),
    "no integration": (
        lambda s: s.installation.execute("DELETE FROM integrations"),
        "warn",
        "no integrations yet",
        "integration add",
    ),
    # --- ports and addresses
    "program not running": (lambda _: None, "warn", "smtp port: nothing listens", "systemctl start"),
    "an address of another host": (
        _change_settings(smtp__listen=["192.0.2.77:2525"]),
        "fail",
        "cannot listen on 192.0.2.77:2525",
        "192.0.2.77 is not one",
    ),
    "SMTP on loopback only": (lambda _: None, "warn", "mail is accepted on loopback only", "0.0.0.0:25"),
    "API on a public address": (_change_settings(api__listen="0.0.0.0:1"), "warn", "without TLS", "127.0.0.1"),
    "public_url on loopback": (
        _change_settings(server__public_url="http://127.0.0.1:8080"),
        "warn",
        "public_url is a loopback address",
        "[server] public_url",
    ),
    # --- loss audit
    "a message without a ticket": (
        _insert_message_without_ticket,
        "fail",
        "accepted for 1 aliases, but ticketed for 0",
        "emailrouter trace",
    ),
    # --- clients
    "addresses hidden by a gateway": (
        _insert_messages_through_gateway,
        "warn",
        "at least 95% of the newest 100 messages came from 172.17.0.1",
        "network of the host",
    ),
    # --- published records
    "a TLSA record of another key": (
        lambda s: s.dns.set(f"_25._tcp.{HOST}", "TLSA", "3 1 1 " + "ab" * 32),
        "fail",
        "is for another key",
        "TLSA 3 1 1",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_setup_is_reported_with_fix(setup: CheckedInstallation, case: str) -> None:
    break_setup, status, text, fix = BROKEN[case]
    result = break_setup(setup)
    if inspect.isawaitable(result):
        await result
    assert_line(await setup.run_checks(), status, text, fix)
