"""Compares the CPU time and rate of servers that accept large messages: `python -m bench.data [--quick]`.

bench/README.md lists the servers and cases. Prints a table with ratios, and whether each target is met.
"""

from __future__ import annotations

from bench.comparison import PerformanceTarget, main
from bench.load import Load
from bench.rounds import Case
from bench.servers import HARAKA, POSTFIX

_KB, _MB = 1024, 1048576

CASES = [
    Case("100 KB, 20 at once", Load(size=100 * _KB, concurrency=20), min_messages=60),
    Case("100 KB, alone", Load(size=100 * _KB, concurrency=1), seconds=0.6, min_messages=20),
    Case("10 MB, 20 at once", Load(size=10 * _MB, concurrency=20), seconds=1.5, min_messages=20),
    Case("10 MB, alone", Load(size=10 * _MB, concurrency=1), seconds=0.8, min_messages=3),
]
TWO_PROCESS_CASES = [CASES[0], CASES[2]]

TARGETS = [
    PerformanceTarget("100 KB, 20 at once", "unmodified aiosmtpd", "rate", 4.0),
    PerformanceTarget("100 KB, 20 at once", HARAKA, "rate", 1.5),
    PerformanceTarget("10 MB, 20 at once", "unmodified aiosmtpd", "rate", 6.0),
    PerformanceTarget("10 MB, 20 at once", HARAKA, "rate", 1.7),
    PerformanceTarget("10 MB, 20 at once", POSTFIX, "rate", 0.8),
]

if __name__ == "__main__":
    main(__doc__ or "", CASES, TWO_PROCESS_CASES, TARGETS)
