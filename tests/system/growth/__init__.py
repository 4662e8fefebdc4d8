"""Measures how CPU time and memory grow with untrusted input.

`inventory.SUBJECTS` lists the functions that read untrusted bytes: SMTP, HTTP, messages, DNS and Slack responses. Each
runs on generated shapes (`shapes.py`: a prefix, a repeated unit, a suffix) of sizes that double. `measure.py` runs
them in a child process with limited CPU time.

A shape fails if

- each of two consecutive doublings takes more than `measure.MAX_FACTOR` times the CPU time, and the last step takes
  over `measure.MIN_STEP_SECONDS`;
- or one call takes `measure.CALL_SECONDS`;
- or the peak memory exceeds `measure.MAX_MEMORY_FACTOR` bytes per input byte.

A shape is usually measured once. If a factor is too large, the shape is measured 5 times and the best time counts; this
is repeated up to three times. If only the last doubling exceeds the limit, one more size decides. Only CPU time of the
child counts, so other programs have little influence. docs/decisions/0017-cost-growth.md explains why this
test may measure time.

- `test_growth.py` (`make test`): each subject with a fixed set of shapes, one test each.
- `python -m tests.system.growth.long --seconds N` (`make fuzz`): random shapes; continues where the last run ended.
- `python -m tests.system.growth.long --table`: the shapes of `make test` once, with longer steps, as a table.

Add each new function that reads untrusted bytes to `SUBJECTS`. `test_inventory.py` fails for a module that no subject
runs, unless `exempt.EXEMPT` contains the reason. The `regressions` of a subject keep the shapes of fixed defects.
"""
