"""Uploads for tests."""

from collections.abc import AsyncIterator

from router.model import Actor, Upload
from tests.support.installation import Installation


async def upload(
    installation: Installation, actor: Actor, data: bytes, name: str = "a.txt", content_type: str = "text/plain"
) -> Upload:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    return await installation.services.uploads.add(actor, name, content_type, chunks())
