"""The SMTP servers that test messages are sent to."""

import pytest

from emailrouter.assembly import smtp_servers
from router.ports import GREETING_SUFFIX
from smtp import replies
from tests.support.installation.settings import make_config

MX_HOSTS = [{"host": "mx2.host.test", "priority": 20}, {"host": "mx1.host.test", "priority": 10}]
REMOTE = ["mx1.host.test:25", "mx2.host.test:25"]


@pytest.mark.parametrize(
    ("listen", "listening", "expected"),
    [
        (["0.0.0.0:25", "[::]:2525", "127.0.0.1:25"], [], ["127.0.0.1:25", "[::1]:2525", *REMOTE]),
        (["192.0.2.7:25"], [], ["192.0.2.7:25", *REMOTE]),
        ("systemd", [], ["127.0.0.1:25", *REMOTE]),
        (["127.0.0.1:0"], [], REMOTE),
        (["127.0.0.1:0"], ["127.0.0.1:40001"], ["127.0.0.1:40001"]),
        ("systemd", ["0.0.0.0:2525", "[::]:25", "/run/smtp.sock"], ["127.0.0.1:2525", "[::1]:25"]),
    ],
)
def test_servers_are_tried_in_this_order(listen: object, listening: list[str], expected: list[str]) -> None:
    config = make_config({"server.hostname": "mx1.host.test", "server.mx_hosts": MX_HOSTS, "smtp.listen": listen})
    assert [str(server) for server in smtp_servers.find_servers(config, listening)] == expected


def test_the_client_recognises_the_greeting_of_this_program() -> None:
    assert replies.greeting("mx1.host.test").text.endswith(f" {GREETING_SUFFIX}")
