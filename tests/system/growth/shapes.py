"""Inputs of any size: a prefix, a repeated unit and a suffix.

Inefficient regular expressions are slow if the prefix starts a match, the unit can be matched in several ways, and the
suffix makes every match fail.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """The inputs `prefix + unit * k + suffix` for any k."""

    unit: bytes
    prefix: bytes = b""
    suffix: bytes = b""

    def build(self, size: int) -> bytes:
        """Returns the longest input of at most `size` bytes, but with at least one unit."""
        space = size - len(self.prefix) - len(self.suffix)
        return self.prefix + self.unit * max(1, space // len(self.unit)) + self.suffix

    def __str__(self) -> str:
        parts = [f"{_abbreviate(self.prefix)} + " if self.prefix else "", f"{_abbreviate(self.unit)} * k"]
        return "".join([*parts, f" + {_abbreviate(self.suffix)}" if self.suffix else ""])


def _abbreviate(piece: bytes) -> str:
    text = repr(piece)[1:]
    return text if len(text) <= 60 else f"{text[:57]}..."


# delimiters of addresses, header fields, parameters, encoded words, JSON, URLs and host names
PUNCTUATION = tuple(bytes([byte]) for byte in b"\"'\\()<>[]{},;:=?@%&+*/.-_#|!~`^$")
SPACE = (
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\r\n",
    b"\0",
    b"\f",
    b"\r\n\r\n",
    b"\r\n ",
    b"\n\t",
    b" \n",
    b"\r\n.\r",
)
TEXT = (b"a", b"1", b"A1", b"a.", b"1.", b":0", b"a@", b"-a", b"xn--a.", b"\xff", b"\x1b$B", b"=FF", b"%41", b"&#1;")
CHARACTERS = tuple(
    character.encode()
    for character in (
        "\u00e4",
        "a\u0301",
        "\u05d0",
        "\u200d",
        "\U0001f468\u200d",
        "\U0001f1e6",
        "\u202e",
        "\u6f22",
        "\u00a0",
        "\u2028",
        "\u30fb",
        "\ufb03",
        "\ufdfa",
        "\u3002",
    )
)
HEADER = (
    *(b"a,", b"a:", b"<>", b"<a@b>,", b'"a"', b'\\"', b'"\\', b"(a", b"a (b) ", b"=?", b"=?a?q?", b"=?utf-8?q?a?= "),
    *(b"=?utf-8?b?YQ==?=", b"=?utf-8?q?=", b"?=", b"From: a\r\n", b"a: b\r\n", b"X-A:\r\n ", b"Received: a\r\n"),
    *(b"<a@b> ", b"a b ", b"@a:", b":;", b"a\r\n b", b"Jan 1 ", b"1:", b"charset="),
)
PARAMETERS = (b"; a=b", b';a="', b';a="\\', b"; ", b"a*0*=", b";a*1=b", b";a*=utf-8''%41", b'="\\"', b";=", b"%4")
MIME = (
    *(
        b"--b\r\n",
        b"--b--\r\n",
        b"\n--",
        b"\n--b",
        b"--b\r\nA:b\r\n",
        b"--b\r\n\r\na\r\n",
        b"\n.",
        b"--b\r\nA:b\r\n\r\n",
    ),
    *(b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\nContent-Type: message/rfc822\r\n\r\n"),
    *(b"--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n", b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n=\r\n"),
    *(b"begin 644 a\r\n", b"M%\r\n", b"=\r\n", b"=3D", b"=4", b"QUJD\r\n", b"A===", b"--\r\n"),
)
QUOTES = (
    *(b">", b"> ", b"> a\n", b">>\n", b"> a\nb\n", b"a:\n", b"On 1 a wrote:\n", b"On 1 <a@b.c> wrote: ", b"-- \n"),
    *(b"From: a\n", b"a \n", b"-", b"- ", b"____", b"On ", b"1 ", b"wrote", b"wrote:", b"Le 1 a ", b"am 1 schrieb "),
    *(b"a:\n\n", b"\n\n", b"sent from my a\n"),
)
HTML = (
    *(
        b"<b>",
        b"<b><i>",
        b"</b>",
        b"<p>",
        b"<div>",
        b"</div>",
        b"<a href=",
        b"<a href=http://a>b</a>",
        b"<br>",
        b"<!--",
    ),
    *(b"<![CDATA[", b"<?", b"</", b"<", b"<a ", b"a=b ", b"&", b"&amp", b"&lt;", b"&#x41", b"<table>", b"<tr><td>"),
    *(b"<td>", b"<li>", b"<ul>", b"<blockquote>", b"<pre>\n", b"<script>", b"<style>", b"<img src=cid:a>", b"<svg>"),
    *(b"<math>", b"<select>", b"<template>", b"<font>", b"<h1>", b"<p hidden>", b'"data:a/', b"<title>", b"<nobr>"),
)
JSON = (
    *(b"[", b"]", b"{", b"[]", b"[],", b'{"a":', b'"a":1,', b'"a",', b"\\u0041", b"1,", b"0.", b"1e", b"-"),
    *(b"[[],", b'"', b"\\", b"{},", b"null,", b"\\ud800"),
)
URL = (b"a=b&", b"&", b"=", b"%", b"%2", b"%C3", b"+", b"a&", b";", b"a=1;", b"a[]=&", b"/", b"../", b"#", b":", b"//")

ALPHABET: tuple[bytes, ...] = tuple(
    dict.fromkeys((*PUNCTUATION, *SPACE, *TEXT, *CHARACTERS, *HEADER, *PARAMETERS, *MIME, *QUOTES, *HTML, *JSON, *URL))
)


# The units of plain text in `make test`, which has no time for all units.
FEW_UNITS = (*(b'"\\(<,:?@&. \n\ra\xff'[at : at + 1] for at in range(15)), b"\r\n", "a\u0301".encode())


def single_shapes(*families: tuple[bytes, ...]) -> tuple[Shape, ...]:
    return tuple(Shape(unit) for unit in dict.fromkeys(unit for family in families for unit in family))


def random_shape(generator: random.Random, family: tuple[bytes, ...]) -> Shape:
    """Returns a random shape, built mostly from units of `family`."""

    def choose(minimum: int, maximum: int) -> bytes:
        picked = generator.choices((family, ALPHABET), weights=(4, 1), k=generator.randint(minimum, maximum))
        return b"".join(generator.choice(units) for units in picked)

    return Shape(choose(1, 3), choose(0, 2), choose(0, 2))
