"""Settings of hypothesis and of the interpreter for all tests."""

import gc
import sys

from hypothesis import settings

# Even if the user's environment forbids it: otherwise each worker compiles every module of the tests in every run.
sys.dont_write_bytecode = False
# Collecting the tests creates hundreds of thousands of objects that live until the end. The collector would traverse
# them again and again, also during the tests.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# An example has no time limit: on a busy machine, any may exceed it.
settings.register_profile("default", deadline=None)
# A longer run, of one or two modules: `pytest --hypothesis-profile=long --timeout=0 tests/unit/smtp/test_lines.py`
settings.register_profile("long", max_examples=200_000, deadline=None, database=None)
