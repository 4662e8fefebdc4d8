"""Compares the CPU time and rate of servers that accept 4 KB messages: `python -m bench.accept [--quick]`.

bench/README.md lists the servers and cases. Prints a table with ratios, and whether each target is met.
"""

from __future__ import annotations

from bench.comparison import PerformanceTarget, main
from bench.load import Load
from bench.rounds import Case
from bench.servers import HANDSHAKE, HARAKA, POSTFIX

ONE, MANY, TLS = "4 KB, a connection each", "4 KB, many a connection", "4 KB over STARTTLS"

CASES = [
    Case(f"{ONE}, 20 at once", Load(concurrency=20, per_connection=1), min_messages=200),
    Case(f"{MANY}, 20 at once", Load(concurrency=20, per_connection=0), min_messages=400),
    Case(f"{ONE}, alone", Load(concurrency=1, per_connection=1), seconds=0.8, min_messages=100),
    Case(f"{MANY}, alone", Load(concurrency=1, per_connection=0), seconds=0.8, min_messages=100),
    Case(f"{ONE}, 200 at once", Load(concurrency=200, per_connection=1), min_messages=600),
    Case(f"{MANY}, 200 at once", Load(concurrency=200, per_connection=0), min_messages=1000),
    Case(TLS, Load(concurrency=20, per_connection=1, starttls=True), min_messages=200, without=()),
]
TWO_PROCESS_CASES = CASES[:2]

TARGETS = [
    PerformanceTarget(case, server, "CPU", bound)
    for case in (CASES[0].name, CASES[1].name)
    for server, bound in (("unmodified aiosmtpd", 1 / 3), (HARAKA, 1 / 3), (POSTFIX, 1 / 4))
]
TARGETS.append(PerformanceTarget(TLS, HANDSHAKE, "CPU", 1.4))

if __name__ == "__main__":
    main(__doc__ or "", CASES, TWO_PROCESS_CASES, TARGETS)
