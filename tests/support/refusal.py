"""What a use case refuses, as one value that a test compares."""

from collections.abc import Awaitable

import pytest

from router.errors import ErrorCode, Refused


async def refusal(call: Awaitable[object]) -> tuple[ErrorCode, str | None]:
    """The code and the field of the `Refused` that the call must raise."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.code, refused.value.field
