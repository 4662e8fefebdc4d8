"""Measures how CPU time and memory grow with untrusted input.

`inventory.SUBJECTS` lists the functions that read untrusted bytes. `measure.py` runs each of them in a child process on
generated shapes (`shapes.py`) of sizes that double. A shape fails if CPU time grows clearly faster than the input, one
call takes too long, or the peak memory is too large. The limits are constants of `measure.py`.

A suspect measurement is repeated, and the best time counts. Only CPU time of the child counts, so other programs have
little influence. docs/decisions/0017-cost-growth.md explains why this test may measure time.

- `test_growth.py` (`make test`): each subject with a fixed set of shapes.
- `python -m tests.system.growth.long --seconds N` (`make fuzz`): random shapes.
- `python -m tests.system.growth.long --table`: the shapes of `make test`, with longer steps, as a table.

Add each new function that reads untrusted bytes to `SUBJECTS`. `test_inventory.py` fails for a module that is neither
run nor in `exempt.EXEMPT`.
"""
