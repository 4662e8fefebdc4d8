"""A fence: fails when a new aiosmtpd, or a new Python, changes what the subclass replaces or rests on.

When it does: read upstream's change, adapt `smtp.protocol` (its docstring lists the places), and set the new values.
"""

import asyncio
import hashlib
import inspect

import aiosmtpd
import pytest
from aiosmtpd import smtp as upstream

from smtp.protocol import SMTP
from smtp.stream import Stream

# What the docstring of smtp.protocol says is replaced, as it was read: the first digits of SHA-256 of its source.
READ = {
    "__init__": "8a9ca80f23ad9bf2",
    "connection_made": "77a45df5065bba34",
    "connection_lost": "d3bf6349bc3c25c1",
    "eof_received": "baab5aaf93160933",
    "_reset_timeout": "fef19b94d28dff31",
    "_timeout_cb": "10a7351f9bec2818",
    "push": "15f4f1de5e30c337",
    "handle_exception": "33be80d97d2d75ee",
    "_handle_client": "0e4d096403af6c74",
    "__del__": "bdfddff9796a4d50",
}


def test_the_version_that_was_read() -> None:
    assert aiosmtpd.__version__ == "1.4.6"


@pytest.mark.parametrize("name", READ)
def test_what_is_replaced_is_what_was_read(name: str) -> None:
    source = inspect.getsource(getattr(upstream.SMTP, name))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == READ[name]


def test_every_command_of_upstream_is_replaced_or_left_out() -> None:
    theirs = {name for name in vars(upstream.SMTP) if name.startswith("smtp_")}
    ours = {name for name in vars(SMTP) if name.startswith("smtp_")}
    assert theirs - ours == {"smtp_AUTH", "smtp_HELP"}


def test_nothing_of_upstreams_state_is_ours_by_accident() -> None:
    """An attribute that upstream's methods set and ours reuse with another meaning would break in silence."""
    loop = asyncio.new_event_loop()
    try:
        stock = upstream.SMTP(object(), loop=loop)
        theirs = set(vars(stock)) - set(vars(asyncio.StreamReaderProtocol(None, loop=loop)))  # type: ignore[arg-type]  # None is what asyncio takes for "no reader"
    finally:
        loop.close()
    ours = {word for cls in (SMTP, Stream) for word in inspect.getsource(vars(cls)["__init__"]).split()}
    shared = {name for name in theirs if f"self.{name}" in ours or f"self.{name}:" in ours}
    assert shared == {"loop"}


def test_what_asyncio_gives_us() -> None:
    """connection_lost of StreamReaderProtocol must work without a reader."""
    source = inspect.getsource(asyncio.StreamReaderProtocol.connection_lost)
    assert "if reader is not None" in source
    assert issubclass(upstream.SMTP, asyncio.StreamReaderProtocol)
