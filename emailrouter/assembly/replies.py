"""Builds the parts that replies are made and sent with."""

from __future__ import annotations

from emailrouter.assembly.core import Core
from router.admin.replies.composer import ComposerReader
from router.admin.replies.recipient_checks import RecipientChecks
from router.admin.replies.replies import ReplyService
from router.admin.replies.retries import Retries
from router.admin.replies.uploads import UploadService
from router.admin.templates.templates import TemplateService
from router.clock import to_micros
from router.replies.build import ReplyBuilder
from router.replies.recipients import RecipientChooser


def build_builder(core: Core) -> ReplyBuilder:
    return ReplyBuilder(
        core.database,
        core.contents,
        core.clock,
        core.box,
        resolver=core.routing_cache,
        sending=core.sending,
        link_base=core.link_base,
        max_age=to_micros(core.config.delivery.max_age),
    )


def build_uploads(core: Core) -> UploadService:
    return UploadService(core.database, core.clock, max_bytes=core.config.outgoing.max_message_bytes)


def build_replies(core: Core, uploads: UploadService, templates: TemplateService) -> ReplyService:
    database, clock, builder = core.database, core.clock, core.reply_builder
    chooser = RecipientChooser(core.contents, core.routing_cache)
    checks = RecipientChecks(database, clock, chooser)
    max_age = to_micros(core.config.delivery.max_age)
    return ReplyService(
        database,
        clock,
        builder=builder,
        checks=checks,
        composer=ComposerReader(database, clock, core.box, builder=builder, chooser=chooser, sending=core.sending),
        retries=Retries(
            database, clock, core.box, builder=builder, checks=checks, sending=core.sending, max_age=max_age
        ),
        uploads=uploads,
        templates=templates,
        wake=core.wake,
        settings=core.config.outgoing,
    )
