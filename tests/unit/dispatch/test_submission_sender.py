"""What a submission needs of the smarthost and of memory."""

import asyncio

import pytest

from router.dispatch.submission_sender import ContentMemory, needs_smtputf8
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("content", "address", "expected"),
    [
        (b"Subject: Hello\r\n\r\n\xc3\xa4", "ann@customer.test", False),
        (b"To: \xc3\xa4nn@customer.test\r\n\r\nHello", "ann@customer.test", True),
        (b"Subject: Hello\r\n\r\nHello", "änn@customer.test", True),
        (b"Subject: Hello\r\n\r\nHello", "", False),
    ],
)
def test_a_header_or_an_address_that_is_not_ascii_needs_smtputf8(content: bytes, address: str, expected: bool) -> None:
    assert needs_smtputf8(content, address) is expected


async def test_messages_wait_for_memory_and_a_large_one_for_all_of_it() -> None:
    memory = ContentMemory(10)
    started: list[int] = []
    released = asyncio.Event()

    async def send(size: int) -> None:
        async with memory.reserve(size):
            started.append(size)
            await released.wait()

    tasks = [asyncio.create_task(send(size)) for size in (6, 4, 5, 100)]
    await wait_until(lambda: len(started) >= 2, "two mails have memory")  # all tasks begin in the same turn of the loop
    assert started == [6, 4]
    released.set()
    await asyncio.gather(*tasks)
    assert sorted(started) == [4, 5, 6, 100]
