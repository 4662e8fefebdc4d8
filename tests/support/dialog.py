r"""SMTP dialogues as text files: `run_dialog` plays one against a server.

A `.dialog` file is one connection, line by line. Its comments give the reason for the dialogue.

    # why this dialogue exists                  comments and empty lines are ignored
    S: 220 *                                    one line from the server; `*` matches anything
    C: EHLO client.test                         the client sends this line and CRLF
    S: 250-${hostname}                          one line of a multiline reply...
    S* 250                                      ...or all remaining lines of a reply, each with this code
    C: MAIL FROM:<a@client.test>
    S~ 250 2\.\d\.\d .*                         one line from the server that matches a regular expression
    C<< NOOP\r\nNOOP\x00\r\n                    exact bytes: \r \n \t \0 \\ and \xHH; no CRLF is added
    starttls                                    the TLS handshake, after the server's 220
    half-close                                  the client closes its sending side and continues to read
    reset                                       the client resets the connection; must be the last step
    close                                       the client closes the connection; must be the last step
    expect-close                                the server closes without further output; must be the last step

`${name}` is a variable, `${text*600}` repeats the text 600 times. The space after `C:`, `S:` and the other verbs is
not part of the text. The file must contain a step for the server's greeting. Lines that the server sends after the last
step are detected only by `expect-close`. A dialogue that must detect additional replies ends with that step.
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
    """A dialogue file is invalid."""


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
    """Plays a dialogue against a server.

    Raises:
        AssertionError: The server deviates from the dialogue. The text contains the exchange so far.
        DialogError: The file is invalid.
    """
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
    steps: list[tuple[int, str, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _STEP.fullmatch(line)
        if not match:
            raise DialogError(f"{path}:{number}: not a step of a dialogue: {line!r}")
        verb, text = match[1], match[2] or ""
        if text and verb in _WITHOUT_TEXT:
            raise DialogError(f"{path}:{number}: {verb} takes no text: {line!r}")
        if steps and steps[-1][1] in ("close", "expect-close", "reset"):
            raise DialogError(f"{path}:{number}: nothing can follow {steps[-1][1]}: {line!r}")
        try:
            steps.append((number, verb, _substitute(text, variables, for_regex=verb == "S~")))
        except KeyError as error:
            raise DialogError(f"{path}:{number}: undefined variable {error}") from None
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
    return str(error).partition("\n--- exchange so far")[0]
