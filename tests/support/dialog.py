r"""SMTP conversations as text files: `run_dialog` plays one against a server.

A `.dialog` file is a connection, line by line; the reason for the dialogue stands in its comments.

    # why this dialogue is here                 comments and empty lines say nothing
    S: 220 *                                    one line from the server; `*` stands for anything, the rest as it is
    C: EHLO client.test                         the client says this and CR LF
    S: 250-${hostname}                          each line of a longer reply by itself...
    S* 250                                      ...or the rest of it, whatever it says, by its code alone
    C: MAIL FROM:<a@client.test>
    S~ 250 2\.\d\.\d .*                         one line from the server, as a regular expression (all of it)
    C<< NOOP\r\nNOOP\x00\r\n                    bytes as they are: \r \n \t \0 \\ and \xHH; no CR LF is added
    starttls                                    the TLS handshake, after the server's 220
    half-close                                  the client ends its side and listens on
    reset                                       the client breaks the connection
    close                                       the client closes it; nothing may follow
    expect-close                                the server closes now, without another word; nothing may follow

`${name}` is a variable, `${text*600}` is the text 600 times. One space after `C:` and its kin is not part of the
text. The greeting is read like every other line. Lines that the server said and the dialogue did not ask for are
seen by `expect-close` alone: end with it wherever an answer too many would be a fault.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from tests.support.smtp import ConnectionClosedError, RawSmtp

_STEP = re.compile(r"(C:|C<<|S:|S~|S\*|starttls|half-close|reset|close|expect-close)(?: (.*))?")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_WITHOUT_TEXT = ("starttls", "half-close", "reset", "close", "expect-close")


class DialogError(Exception):
    """The file itself is wrong."""


async def run_dialog(
    path: Path,
    host: str,
    port: int,
    variables: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    *,
    local_addr: tuple[str, int] | None = None,
    timeout: float = 10,
) -> None:
    """Plays the file. AssertionError (file:line, expected, got, all that was said) where the server differs."""
    steps = parse(path, variables or {})
    client = await RawSmtp.connect(host, port, local_addr=local_addr, timeout=timeout, greeting=False)
    async with client:
        for number, verb, text in steps:
            try:
                await _run_step(client, verb, text, ssl_context)
            except (AssertionError, ConnectionClosedError, OSError) as error:
                step = f"{verb} {text}".rstrip()
                raise AssertionError(
                    f"{path}:{number}: {step}\n{_first_line(error)}{client.exchange_text()}"
                ) from error


def parse(path: Path, variables: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """(line number, verb, text) of each step, variables put in."""
    steps: list[tuple[int, str, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _STEP.fullmatch(line)
        if not match:
            raise DialogError(f"{path}:{number}: no step of a dialogue: {line!r}")
        verb, text = match[1], match[2] or ""
        if text and verb in _WITHOUT_TEXT:
            raise DialogError(f"{path}:{number}: {verb} takes no text: {line!r}")
        if steps and steps[-1][1] in ("close", "expect-close", "reset"):
            raise DialogError(f"{path}:{number}: nothing can follow {steps[-1][1]}: {line!r}")
        try:
            steps.append((number, verb, _substitute(text, variables, for_regex=verb == "S~")))
        except KeyError as error:
            raise DialogError(f"{path}:{number}: no variable is called {error}") from None
    return steps


async def _run_step(client: RawSmtp, verb: str, text: str, ssl_context: ssl.SSLContext | None) -> None:
    match verb:
        case "C:":
            await client.send_line(text)
        case "C<<":
            await client.send_bytes(unescape(text))
        case "S:":
            line = await client.read_line()
            pattern = ".*".join(re.escape(part) for part in text.split("*"))
            assert re.fullmatch(pattern, line, re.DOTALL), f"expected: {text}\n     got: {line}"
        case "S~":
            line = await client.read_line()
            assert re.fullmatch(text, line, re.DOTALL), f"expected (regex): {text}\n             got: {line}"
        case "S*":
            reply = await client.read_reply()
            assert str(reply.code) == text, f"expected: {text}\n     got: {reply}"
        case "starttls":
            assert ssl_context is not None, "this dialogue needs an ssl_context"
            await client.start_tls(ssl_context)
        case "half-close":
            client.half_close()
        case "reset":
            await client.abort()
        case "close":
            await client.close()
        case "expect-close":
            rest = await client.read_to_eof()
            assert not rest, f"expected: the end\n     got: {rest!r}"


def unescape(text: str) -> bytes:
    r"""The bytes that `C<<` sends: text is UTF-8, escapes are bytes."""
    data = bytearray()
    end = 0
    for match in _ESCAPE.finditer(text):
        data += text[end : match.start()].encode()
        name = match[1]
        if name in _ESCAPES:
            data += _ESCAPES[name]
        elif len(name) == 3:
            data.append(int(name[1:], 16))
        else:
            raise DialogError(f"unknown escape {match[0]!r}")
        end = match.end()
    return bytes(data + text[end:].encode())


def _substitute(text: str, variables: Mapping[str, str], *, for_regex: bool) -> str:
    def value(match: re.Match[str]) -> str:
        name, star, times = match[1].rpartition("*")
        if star and times.isdecimal():
            return name * int(times)
        return re.escape(variables[match[1]]) if for_regex else variables[match[1]]

    return _VARIABLE.sub(value, text)


def _first_line(error: Exception) -> str:
    """Its message without the history that the client's own failures carry."""
    return str(error).partition("\n--- said so far")[0]
