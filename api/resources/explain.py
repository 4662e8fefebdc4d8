"""API call that explains the routing of a message."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.operations import ExplainAnswer, ExplainRequest
from api.schema.shape import NoQuery


async def explain(call: Call[ExplainRequest, NoQuery]) -> ExplainAnswer:
    body = call.body
    return ExplainAnswer.from_model(
        await call.services.explanations.explain(call.actor, body.recipient, sender=body.from_, subject=body.subject)
    )


ROUTES = (
    Route(
        "POST",
        "/explain",
        "explainRouting",
        explain,
        "Explain how a message would be routed",
        "viewer",
        ExplainAnswer,
        body=ExplainRequest,
    ),
)
