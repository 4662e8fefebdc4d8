"""The mutated conversations that the clients of `tests.system.smtp.fuzz` send."""

from __future__ import annotations

import itertools
import random

from smtp.bounds import Bounds

VERBS = [
    b"EHLO client.test", b"HELO client.test", b"NOOP", b"RSET", b"VRFY x", b"EXPN x", b"HELP", b"TURN", b"STARTTLS",
    b"QUIT", b"DATA", b"BDAT 3", b"BDAT 0 LAST", b"BDAT x", b"BDAT\t3", b"BDAT 3 LAST\0", b"BDAT 99999999999999999999",
    b"BDAT 400000 LAST", b"AUTH PLAIN", b"", b" ", b"\xff\xfe", b"MAIL", b"RCPT", b"EHLO", b"DATA x",
]  # fmt: skip
SENDERS = [
    b"<a@client.test>", b"<>", b"<a@client.test> SIZE=10", b"<a@client.test> SIZE=999999", b"<a@junk.example>",
    b"<a@client.test> BODY=8BITMIME SMTPUTF8", b"a@client.test", b"<a@client.test> X=1", b" <@relay.test:a@b.test>",
    "<ä@client.test>".encode(), b"<\"a b\"@client.test>", b"<" + b"a" * 500 + b"@client.test>",
]  # fmt: skip
RECIPIENTS = [
    b"<support@example.com>", b"<sales@example.com>", b"<user1@example.com>", b"<nobody@example.com>", b"<postmaster>",
    b"<x@elsewhere.example>", b"<x@pending.example>", b"<disabled@example.com>", "<büro@example.com>".encode(),
    b"<support@example.com> NOTIFY=NEVER", b"<>", b"<support+tag@example.com>",
]  # fmt: skip
PIECES = [
    b"\r\n", b"\r", b"\n", b"\0", b".", b"..", b"\r\n.\r\n", b"\r\n.", b"\n.\n", b".\r\n", b"\r\n..", b"\r\n.\n",
    b"\r.\r", b"x", b"Subject: x\r\n", b"MAIL FROM:<forged@client.test>\r\n", b"DATA\r\n", b"BDAT 5 LAST\r\n", b"\xff",
    b"y" * 1200, b"Received: x\r\n" * 51,
]  # fmt: skip


def random_content(rng: random.Random) -> bytes:
    """Returns content made of `PIECES`, sometimes with a long line at the end."""
    mail = b"".join(rng.choices(PIECES, k=rng.randrange(12)))
    if rng.random() < 0.15:
        mail += b"z" * rng.choice([65_000, 70_000, 99_000, 100_000, 101_000, 260_000])
    return mail


def random_dialogue(rng: random.Random) -> bytes:
    sent = [b"EHLO client.test\r\n"] if rng.random() < 0.9 else []
    for _ in range(rng.randrange(1, 12)):
        kind = rng.random()
        if kind < 0.45:
            sent.append(b"MAIL FROM:" + (SENDERS[0] if rng.random() < 0.7 else rng.choice(SENDERS)) + b"\r\n")
            for _ in range(rng.randrange(1, 4)):
                to = RECIPIENTS[0] if rng.random() < 0.6 else rng.choice(RECIPIENTS)
                sent.append(b"RCPT TO:" + to + b"\r\n")
            if rng.random() < 0.6:
                sent += [b"DATA\r\n", random_content(rng), b"\r\n.\r\n"]
            else:
                for last in [b""] * rng.randrange(3) + [b" LAST"]:
                    chunk = random_content(rng)
                    sent += [b"BDAT %d%b\r\n" % (len(chunk), last), chunk]
        elif kind < 0.85:
            sent.append(rng.choice(VERBS) + b"\r\n")
        elif kind < 0.95:
            sent.append(random_content(rng))
        else:
            sent.append(rng.choice([b"NOOP\r\n" * 110, b"A" * 5000 + b"\r\n", b"NOOP\n", b"MAIL " + b"x" * 560]))
    return b"".join(sent)


def mutate(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([0, 0, 1, 2, 5])):
        position = rng.randrange(len(changed) + 1)
        length = rng.choice([1, 1, 2, 8, 64])
        match rng.randrange(4):
            case 0:
                del changed[position : position + length]
            case 1:
                changed[position:position] = changed[position : position + length]
            case 2:
                changed[position:position] = rng.choice(PIECES)
            case 3:
                changed[position : position + 1] = rng.randbytes(1)
    return bytes(changed)


def split(rng: random.Random, data: bytes) -> list[bytes]:
    if rng.random() < 0.1 and len(data) < 3000:
        return [data[position : position + 1] for position in range(len(data))]
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 1, 3, 10, 30])))
    bounds = [0, *cuts, len(data)]
    whole = [data[start:end] for start, end in itertools.pairwise(bounds)]
    # The event loop passes at most 256 KiB (`Bounds.read_bytes`) to data_received() at once.
    return [
        piece[position : position + Bounds.read_bytes]
        for piece in whole
        for position in range(0, len(piece), Bounds.read_bytes)
    ]
