"""Converts a use case's refusal to a tuple that tests can compare."""

from collections.abc import Awaitable

import pytest

from router.errors import ErrorCode, Refused


async def refused_code(call: Awaitable[object]) -> tuple[ErrorCode, str | None]:
    """Returns the code and field of the `Refused` that the call must raise."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.code, refused.value.field


async def refused_message(call: Awaitable[object]) -> str:
    """Returns the message of the `Refused` that the call must raise."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.message
