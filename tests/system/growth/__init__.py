"""How CPU time and memory grow with what a stranger sends.

`inventory.SUBJECTS` names the functions that read a stranger's bytes: SMTP, HTTP, mail, DNS and Slack answers. Each is
run over generated shapes (`shapes.py`: a prefix, a unit that repeats, a suffix) of size n, 2n and 4n.
`measure.py` runs them in a child process with a bound on CPU time.

A shape fails when each of the two doublings takes more than `measure.MAX_FACTOR` times the process CPU (only where the
last step takes over `measure.MIN_STEP`), when one call reaches `measure.CALL_SECONDS`, or when the peak memory exceeds
`measure.MAX_MEMORY` bytes for each input byte. A shape is measured once; where a factor looks too large, the best of 5
counts, measured up to three times, and where only the last doubling is above the bound, one size more decides. The unit
is CPU time of the child alone, so that other programs on the machine change little. This is the one exception to "no
timing assertion in a test": docs/decisions/0017-cost-growth.md.

- `test_growth.py` (`make test`): every subject over a fixed set of shapes, one test each.
- `python -m tests.system.growth.long --seconds N` (`make fuzz`): random shapes, resumed where the last run ended.
- `python -m tests.system.growth.long --table`: the shapes of `make test` once, to longer steps, as a table.

A new function that reads a stranger's bytes gets a line in `SUBJECTS`. `test_inventory.py` fails for a module that no
subject runs, unless `exempt.EXEMPT` says why it needs none. A shape that was a defect is kept in its subject's
`regressions`.
"""
