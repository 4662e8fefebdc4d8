"""Replacements for the Internet inside the machine: DNS, a certificate authority, Slack and public addresses.

The machine trusts the authority, which stands in for Let's Encrypt. The stand-in for Slack is an HTTPS server at
`hooks.slack.com` in a separate network namespace and applies the rules of `tests.support.slack_rules`. The addresses
are from a block of RFC 7535 (AS112), so that the program does not reject them as private.
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.system.debian.machine import Failed, Machine

HOST, HOST_ADDRESS = "mx1.example.com", "192.31.196.25"
SLACK, SLACK_ADDRESS = "hooks.slack.com", "192.31.196.80"
TICKETS = "tickets.example.com"
WEBHOOK = f"https://{SLACK}/services/T0001/B0001/abcdefghijklmnop"
PYTHON = "/usr/local/lib/surroundings/python"  # runs the Python of the program
_POSTS = "/var/lib/surroundings/posts"
_SLACK_RULES = Path(__file__).parents[2] / "support" / "slack_rules.py"

_ADDRESSES = f"""[Unit]
Description=Test environment: two public addresses, one in its own network namespace
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip netns add slack
ExecStart=/sbin/ip link add slack type veth peer name host netns slack
ExecStart=/sbin/ip address add {HOST_ADDRESS} peer {SLACK_ADDRESS} dev slack
ExecStart=/sbin/ip link set slack up
ExecStart=/sbin/ip -netns slack address add {SLACK_ADDRESS} peer {HOST_ADDRESS} dev host
ExecStart=/sbin/ip -netns slack link set host up
[Install]
WantedBy=multi-user.target
"""
_SLACK = f"""[Unit]
Description=Test environment: Slack
Requires=surroundings-addresses.service
After=surroundings-addresses.service
[Service]
NetworkNamespacePath=/run/netns/slack
ExecStart={PYTHON} /usr/local/lib/surroundings/slack.py
[Install]
WantedBy=multi-user.target
"""
_SLACK_PROGRAM = f"""import asyncio, json, ssl
from aiohttp import web
from slack_rules import rejection_reason

async def receive_post(request):
    payload = await request.json()
    refused = rejection_reason(payload)
    with open({_POSTS!r}, "a") as posts:
        posts.write(json.dumps([request.path, payload, refused and str(refused)]) + "\\n")
    return web.Response(status=400 if refused else 200, text=str(refused) if refused else "ok")

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/var/lib/surroundings/{SLACK}.pem", "/var/lib/surroundings/{SLACK}.key")
    application = web.Application()
    application.router.add_post("/{{path:.*}}", receive_post)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, {SLACK_ADDRESS!r}, 443, ssl_context=context).start()
    await asyncio.Event().wait()

asyncio.run(main())
"""
_ISSUE = """#!/bin/sh
# NAME FOLDER: writes the certificate chain and private key of NAME to FOLDER, with the file names of certbot.
# Python 3.13 verifies strictly: both certificates need the extensions that RFC 5280 requires.
set -e
cd /var/lib/surroundings
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
printf 'subjectAltName=DNS:%s\\nauthorityKeyIdentifier=keyid\\nbasicConstraints=critical,CA:FALSE\\n' "$1" > "$1.ext"
openssl x509 -req -in "$1.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days 60 -extfile "$1.ext" \\
    -out "$1.pem"
mkdir -p "$2"
cat "$1.pem" authority.pem > "$2/fullchain.pem"
cp "$1.key" "$2/privkey.pem"
chmod 600 "$2/privkey.pem"
"""


def build(machine: Machine) -> None:
    """Installs all replacements and starts all except Slack, which needs the program's Python."""
    machine.put("/etc/systemd/system/surroundings-addresses.service", _ADDRESSES)
    machine.put("/etc/systemd/system/surroundings-slack.service", _SLACK)
    machine.put("/usr/local/lib/surroundings/slack.py", _SLACK_PROGRAM)
    machine.put("/usr/local/lib/surroundings/slack_rules.py", _SLACK_RULES.read_text())
    machine.put("/usr/local/lib/surroundings/issue", _ISSUE)
    machine.put(
        "/etc/dnsmasq.d/surroundings.conf",
        "no-resolv\nno-hosts\nlocal=/com/\nlocal=/arpa/\n"
        f"host-record={HOST},{HOST_ADDRESS}\nhost-record={SLACK},{SLACK_ADDRESS}\naddress=/{TICKETS}/{HOST_ADDRESS}\n",
    )
    machine.run(
        "apt-get update; apt-get install --yes --no-install-recommends dnsmasq iproute2 openssl", registries=True
    )
    machine.run(
        """mkdir -p /var/lib/surroundings && cd /var/lib/surroundings && chmod 755 /usr/local/lib/surroundings/issue
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 -subj "/CN=The walk's authority" \
            -addext keyUsage=critical,keyCertSign,cRLSign \
            -keyout authority.key -out authority.pem
        cp authority.pem /usr/local/share/ca-certificates/walk.crt && update-ca-certificates
        systemctl daemon-reload
        systemctl enable --now surroundings-addresses.service
        systemctl restart dnsmasq.service"""
    )


def start_slack(machine: Machine) -> None:
    """Starts Slack, once the program is installed: the server uses its Python and its libraries."""
    commands = "/usr/local/bin/emailrouter /opt/emailrouter/bin/emailrouter"  # that of a package is not in /usr/local
    found = machine.run(f"realpath --canonicalize-existing {commands}", check=False)[1].splitlines()
    python = next(line for line in found if line.startswith("/opt/")).replace("/bin/emailrouter", "/bin/python")
    machine.put(PYTHON, f'#!/bin/sh\nexec {python} "$@"\n')
    issue(machine, SLACK, "/var/lib/surroundings/slack")
    machine.run(f"chmod 755 {PYTHON}; systemctl enable --now surroundings-slack.service")


def issue(machine: Machine, name: str, folder: str | None = None) -> None:
    """Writes a certificate chain and a key with the file names of certbot, by default to the folder of certbot."""
    machine.run(f"/usr/local/lib/surroundings/issue {name} {folder or f'/etc/letsencrypt/live/{name}'}")


def publish(machine: Machine, printed: str) -> None:
    mx = re.search(r"^\s*(\S+)\. \d+ IN MX (\d+) (\S+)\.$", printed, re.MULTILINE)
    txt = re.search(r'^\s*(\S+)\. \d+ IN TXT "(\S+)"$', printed, re.MULTILINE)
    if mx is None or txt is None:
        raise Failed(f"no records to publish in:\n{printed}")
    records = f"mx-host={mx[1]},{mx[3]},{mx[2]}\ntxt-record={txt[1]},{txt[2]}\n"
    machine.put("/etc/dnsmasq.d/provider.conf", records)
    machine.run("systemctl restart dnsmasq.service")


def posts(machine: Machine) -> list[dict[str, Any]]:
    """Returns the payloads of the posts to Slack. Raises `Failed` if one violates Slack's rules or has a wrong path."""
    found = []
    for line in machine.run(f"cat {_POSTS} 2>/dev/null || true")[1].splitlines():
        path, payload, refused = json.loads(line)
        if refused or not WEBHOOK.endswith(path):
            raise Failed(f"Slack would reject {path} {payload}: {refused}")
        found.append(payload)
    return found
