"""What the octets of a mail cost, up to its durable 250: `python -m bench.data [--quick]`.

100 KB and 10 MB mails, alone and many at once, one and two processes of each server; see bench/README.md for the
servers. Prints a table, paired ratios, and for each target whether it is met.
"""

from __future__ import annotations

from bench.comparison import Target, main
from bench.load import Load
from bench.rounds import Case
from bench.servers import HARAKA, POSTFIX

_KB, _MB = 1024, 1048576

CASES = [
    Case("100 KB, 20 at once", Load(size=100 * _KB, concurrency=20), least=60),
    Case("100 KB, alone", Load(size=100 * _KB, concurrency=1), seconds=0.6, least=20),
    Case("10 MB, 20 at once", Load(size=10 * _MB, concurrency=20), seconds=1.5, least=20),
    Case("10 MB, alone", Load(size=10 * _MB, concurrency=1), seconds=0.8, least=3),
]
TWICE = [CASES[0], CASES[2]]

TARGETS = [
    Target("100 KB, 20 at once", "stock Sink", "rate", 4.0),
    Target("100 KB, 20 at once", HARAKA, "rate", 1.5),
    Target("10 MB, 20 at once", "stock Sink", "rate", 6.0),
    Target("10 MB, 20 at once", HARAKA, "rate", 1.7),
    Target("10 MB, 20 at once", POSTFIX, "rate", 0.8),
]

if __name__ == "__main__":
    main(__doc__ or "", CASES, TWICE, TARGETS)
