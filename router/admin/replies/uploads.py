"""Uploads: files for replies that are not sent yet. They are deleted after a day, or when their reply is sent.
Those of a queued reply stay for the draft that it becomes if it is canceled.

A file is stored in chunks while it is received, each in a transaction of its own, so that neither its size nor a slow
client takes memory or locks. A file whose upload was interrupted has no known id, and is deleted after a day.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence

from router import ids
from router.clock import Clock
from router.errors import Refused
from router.mail.compose.files import OutgoingFile
from router.model import Actor, Upload, User
from router.store.database import Database, QueryExecutor, fetch_model, fetch_models
from router.unicode_security import safe_line

CHUNK_BYTES = 256 * 1024
MAX_UNUSED = 50  # uploads of one user
MAX_UNUSED_BYTES = 200 * 1024 * 1024  # of one user
MAX_FILENAME_LENGTH = 255  # characters
MAX_CONTENT_TYPE_LENGTH = 200  # characters


class UploadService:
    """Manages the uploads of the actor's user. `max_bytes` is the setting `[outgoing] max_message_bytes`."""

    def __init__(self, database: Database, clock: Clock, *, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self.max_bytes = max_bytes

    async def add(
        self,
        actor: Actor,
        filename: str,
        content_type: str,
        chunks: AsyncIterator[bytes],
        *,
        expected: int | None = None,
    ) -> Upload:
        """Stores a file while it is received.

        Args:
            expected: Maximum bytes that will come, if it is known; only so much is reserved.

        Raises:
            Refused: `payload_too_large` if the file is larger than a reply may be, `conflict` if the user has too many
                unused uploads. Then nothing is stored.
        """
        name = safe_line(filename).strip()[:MAX_FILENAME_LENGTH] or "file"
        upload = Upload(
            id=ids.new_id("upl"),
            workspace_id=actor.workspace_id,
            user_id=actor.user_id,
            filename=name,
            content_type=content_type[:MAX_CONTENT_TYPE_LENGTH],
            size=self.max_bytes if expected is None else min(expected, self.max_bytes),
            created_at=self._clock.now(),
        )
        await self._reserve(actor, upload)
        try:
            size = await self._store(upload, chunks)
        except BaseException:
            await self._database.execute("upload_delete", id=upload.id, workspace_id=actor.workspace_id)
            raise
        await self._database.execute("upload_set_size", id=upload.id, size=size)
        return Upload(
            upload.id, upload.workspace_id, upload.user_id, name, upload.content_type, size, upload.created_at
        )

    async def get_many(self, actor: Actor, upload_ids: Iterable[str]) -> list[Upload]:
        """Returns the uploads of the actor's user that exist, in the order of the ids."""
        wanted = [each for each in upload_ids if ids.is_well_formed(each, "upl")]
        found = await fetch_models(
            self._database, Upload, "uploads_by_ids", ids=json.dumps(wanted), workspace_id=actor.workspace_id
        )
        own = {upload.id: upload for upload in found if upload.user_id == actor.user_id}
        return [own[each] for each in wanted if each in own]

    async def require_many(self, actor: Actor, upload_ids: Sequence[str]) -> list[Upload]:
        """Returns the uploads in the order of the ids. Raises `invalid_request` if one of them does not exist."""
        found = await self.get_many(actor, upload_ids)
        missing = set(upload_ids) - {upload.id for upload in found}
        if missing:
            raise Refused("invalid_request", f"There is no upload {min(missing)[:40]}: upload it again", "attachments")
        return found

    async def read(self, upload: Upload) -> OutgoingFile:
        """Reads a file into memory. Raises `invalid_request` if it was deleted meanwhile."""
        content = bytearray()
        n = 0
        while (row := await self._database.fetch_one("upload_chunk", upload_id=upload.id, n=n)) is not None:
            content += row["data"]
            n += 1
        if len(content) != upload.size:
            raise Refused("invalid_request", f"{upload.filename} was deleted: upload it again", "attachments")
        return OutgoingFile(upload.filename, upload.content_type, bytes(content), content_id=upload.id)

    async def delete_many(self, actor: Actor, uploads: Iterable[Upload]) -> None:
        for upload in uploads:
            await self._database.execute("upload_delete", id=upload.id, workspace_id=actor.workspace_id)

    async def _reserve(self, actor: Actor, upload: Upload) -> None:
        """Inserts the upload with the size that it may have, so that concurrent uploads stay within the limits."""
        async with self._database.transaction() as transaction:
            if actor.user_id is not None:
                await fetch_model(
                    transaction, User, "user_lock_to_change", id=actor.user_id, workspace_id=actor.workspace_id
                )
            await _check_unused(transaction, actor, upload.size)
            await transaction.execute("upload_insert", **{name: getattr(upload, name) for name in _COLUMNS})

    async def _store(self, upload: Upload, chunks: AsyncIterator[bytes]) -> int:
        size, n, pending = 0, 0, bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > self.max_bytes:
                raise Refused(
                    "payload_too_large", f"{upload.filename} is larger than a reply may be: {self.max_bytes} bytes"
                )
            pending += chunk
            while len(pending) >= CHUNK_BYTES:
                await self._insert_chunk(upload, n, bytes(pending[:CHUNK_BYTES]))
                del pending[:CHUNK_BYTES]
                n += 1
        if pending:
            await self._insert_chunk(upload, n, bytes(pending))
        return size

    async def _insert_chunk(self, upload: Upload, n: int, data: bytes) -> None:
        await self._database.execute("upload_insert_chunk", upload_id=upload.id, n=n, data=data)


_COLUMNS = ("id", "workspace_id", "user_id", "filename", "content_type", "size", "created_at")


async def _check_unused(transaction: QueryExecutor, actor: Actor, size: int) -> None:
    row = await transaction.fetch_one("uploads_unused", workspace_id=actor.workspace_id, user_id=actor.user_id)
    count, total = (row["uploads"], int(row["size"])) if row else (0, 0)
    if count >= MAX_UNUSED:
        raise Refused("conflict", f"You have {MAX_UNUSED} uploads that are not sent: send them, or wait for a day")
    if total + size > MAX_UNUSED_BYTES:
        raise Refused(
            "conflict", f"Your uploads that are not sent would exceed {MAX_UNUSED_BYTES} bytes: send them first"
        )
