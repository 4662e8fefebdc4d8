"""Errors of the operating system in words."""

import errno
import os

import pytest

from config.load import load
from emailrouter.os_errors import describe_os_error, describe_unavailable
from router.errors import Unavailable

CONFIG = load(None, {"EMAILROUTER_SMTP__LISTEN": '["[::1]:25", "127.0.0.1:2525"]'})


def bind_error(code: int, address: tuple[str, int]) -> OSError:
    return OSError(code, f"error while attempting to bind on address {address!r}: {os.strerror(code).lower()}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (bind_error(errno.EADDRINUSE, ("127.0.0.1", 2525)), ["127.0.0.1:2525 ([smtp] listen)", "ss -ltnp", ":2525"]),
        (bind_error(errno.EADDRINUSE, ("127.0.0.1", 8080)), ["([api] listen)"]),
        (bind_error(errno.EACCES, ("::1", 25)), ["[::1]:25 ([smtp] listen)", "below 1024", '"systemd"']),
        (bind_error(errno.EADDRNOTAVAIL, ("192.0.2.1", 25)), ["192.0.2.1:25: this host does not have", "ip address"]),
        (
            PermissionError(errno.EACCES, "x", "/nonexistent/a/key"),
            ["/nonexistent/a/key: permission denied", "as root"],
        ),
        (FileNotFoundError(errno.ENOENT, "x", "/nonexistent/a"), ["the directory /nonexistent does not exist"]),
        (FileNotFoundError(errno.ENOENT, "x", "/nonexistent"), ["/nonexistent does not exist"]),
        (OSError(errno.ENOSPC, "x", "/var/a"), ["disk of /var/a", "df -h"]),
        (OSError(errno.EROFS, "x", "/var/a"), ["/var/a is on a read-only file system"]),
        (OSError(errno.EMFILE, "x"), ["too many files", "LimitNOFILE"]),
        (OSError(errno.EIO, "Input/output error", "/var/a"), ["/var/a: Input/output error"]),
    ],
)
def test_error_says_where_and_what_to_do(error: OSError, words: list[str]) -> None:
    text = describe_os_error(error, CONFIG)
    assert all(word in text for word in words), text
    assert "Errno" not in text


def test_refused_connection_to_postgresql() -> None:
    error = Unavailable("PostgreSQL at 127.0.0.1:5432: Connection refused")
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert "systemctl start postgresql" in describe_unavailable(error, CONFIG)
    assert describe_unavailable(Unavailable("the text"), CONFIG) == "the text"
