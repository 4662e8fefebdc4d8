"""Uploads: files for replies that are not sent yet. They are deleted after a day, or when their reply is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from router.model import Actor, Upload


class UploadService:
    """Manages the uploads of the actor's user."""

    async def add(self, actor: Actor, filename: str, content_type: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Stores a file while it is received, in chunks.

        Raises:
            Refused: `payload_too_large` if the file is larger than a reply may be, or `conflict` if the user has too
                many unused uploads. Then nothing is stored.
        """
        raise NotImplementedError

    async def get_many(self, actor: Actor, upload_ids: Iterable[str]) -> list[Upload]:
        """Returns the uploads that exist, in the order of the ids."""
        raise NotImplementedError

    async def delete(self, actor: Actor, upload_id: str) -> None:
        raise NotImplementedError
