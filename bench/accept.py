"""What a small mail costs, up to its durable 250: `python -m bench.accept [--quick]`.

4 KB mails: one and many in a connection, 1, 20 and 200 connections at once, over STARTTLS, one and two processes of
each server; see bench/README.md for the servers. Prints a table, paired ratios, and for each target whether it is met.
"""

from __future__ import annotations

from bench.comparison import Target, main
from bench.load import Load
from bench.rounds import Case
from bench.servers import HANDSHAKE, HARAKA, POSTFIX

ONE, MANY, TLS = "4 KB, a connection each", "4 KB, many a connection", "4 KB over STARTTLS"

CASES = [
    Case(f"{ONE}, 20 at once", Load(concurrency=20, per_connection=1), least=200),
    Case(f"{MANY}, 20 at once", Load(concurrency=20, per_connection=0), least=400),
    Case(f"{ONE}, alone", Load(concurrency=1, per_connection=1), seconds=0.8, least=100),
    Case(f"{MANY}, alone", Load(concurrency=1, per_connection=0), seconds=0.8, least=100),
    Case(f"{ONE}, 200 at once", Load(concurrency=200, per_connection=1), least=600),
    Case(f"{MANY}, 200 at once", Load(concurrency=200, per_connection=0), least=1000),
    Case(TLS, Load(concurrency=20, per_connection=1, starttls=True), least=200, without=()),
]
TWICE = CASES[:2]

TARGETS = [
    Target(case, server, "CPU", bound)
    for case in (CASES[0].name, CASES[1].name)
    for server, bound in (("stock Sink", 1 / 3), (HARAKA, 1 / 3), (POSTFIX, 1 / 4))
]
TARGETS.append(Target(TLS, HANDSHAKE, "CPU", 1.4))

if __name__ == "__main__":
    main(__doc__ or "", CASES, TWICE, TARGETS)
