"""All growth-test subjects."""

from __future__ import annotations

from tests.system.growth import (
    answer_subjects,
    compose_subjects,
    dashboard_subjects,
    dkim_subjects,
    http_subjects,
    mail_subjects,
    reply_subjects,
    result_subjects,
    smtp_subjects,
    template_subjects,
    text_subjects,
)
from tests.system.growth.subject import Subject

SUBJECTS: tuple[Subject, ...] = (
    *smtp_subjects.SUBJECTS,
    *mail_subjects.SUBJECTS,
    *dkim_subjects.SUBJECTS,
    *compose_subjects.SUBJECTS,
    *reply_subjects.SUBJECTS,
    *template_subjects.SUBJECTS,
    *text_subjects.SUBJECTS,
    *answer_subjects.SUBJECTS,
    *http_subjects.SUBJECTS,
    *dashboard_subjects.SUBJECTS,
    *result_subjects.SUBJECTS,
)
