"""The API call that uploads files for replies."""

from __future__ import annotations

from api.route import Call, FileForm, Route
from api.schema.replies import UploadAnswer
from api.schema.shape import EmptyBody, NoQuery
from router.errors import Refused


async def add(call: Call[EmptyBody, NoQuery]) -> UploadAnswer:
    if not call.uploads:
        raise Refused("unsupported_media_type", "Content-Type must be multipart/form-data, with a part file")
    return UploadAnswer.from_model(call.uploads[0])


ROUTES = (
    Route(
        "POST",
        "/uploads",
        "uploadFile",
        add,
        "Upload a file for a reply",
        "agent",
        UploadAnswer,
        status=201,
        creates=True,
        errors=("conflict",),
        form=FileForm(1),
    ),
)
