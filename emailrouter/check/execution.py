"""Runs one check with a time limit. A check that fails or hangs is itself a result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail
from router.errors import Unavailable

Check = Callable[[CheckContext], Awaitable[list[CheckResult]]]


async def run_check(check: Check, context: CheckContext, seconds: float) -> list[CheckResult]:
    name = check.__name__.replace("_", " ")
    try:
        async with asyncio.timeout(seconds):
            return await check(context)
    except TimeoutError:
        return [fail(name, f"did not finish within {seconds:g} s", "Check the network, the DNS and the database")]
    except Unavailable as error:
        return [fail(name, f"the database is unavailable: {error}", "Check the database, its disk and its network")]
    except OSError as error:
        return [fail(name, f"the check failed: {error}", "Run the check as the user of the program (emailrouter)")]
    except Exception as error:  # noqa: BLE001 - a bug in one check must not stop the others
        return [
            fail(name, f"the check failed: {type(error).__name__}: {error}", "This is a bug in Email Router: report it")
        ]
