"""Settings of hypothesis for all tests."""

from hypothesis import settings

# An example has no time limit: on a busy machine, any may exceed it.
settings.register_profile("default", deadline=None)
# A longer run, of one or two modules: `pytest --hypothesis-profile=long --timeout=0 tests/unit/smtp/test_lines.py`
settings.register_profile("long", max_examples=200_000, deadline=None, database=None)
