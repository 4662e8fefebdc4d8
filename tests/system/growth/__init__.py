"""Measures how CPU time and memory grow with untrusted input.

`measure.py` runs the functions of `inventory.SUBJECTS` in a child process. Each shape (`shapes.py`) generates inputs of
doubling size. A shape fails if CPU time grows clearly faster than the input, one call takes too long, or the peak
memory is too large. docs/decisions/0017-cost-growth.md explains why this test may measure time.

- `test_growth.py` (`make test`): each subject with a fixed set of shapes.
- `python -m tests.system.growth.long --seconds N` (`make fuzz`): random shapes.
- `python -m tests.system.growth.long --table`: the shapes of `make test`, as a table.

Add each new function that reads untrusted bytes to `SUBJECTS`. `test_inventory.py` fails for a module that no subject
runs and `exempt.EXEMPT` does not cover.
"""
