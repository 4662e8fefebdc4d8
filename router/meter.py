"""The interface for metrics.

Text arguments come from small fixed sets, so label values never depend on received data.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

ParseResult = Literal["clean", "warnings", "failed"]
# What became of a question to a spam filter. `skipped`: the filter does not check the message. `too_large`: not sent.
# `refused`: because of the password. `failed`: another error status. `malformed`: the response cannot be used.
SpamCheckOutcome = Literal[
    "checked", "skipped", "too_large", "timeout", "unreachable", "refused", "failed", "malformed"
]


class Meter(Protocol):
    """Records events of one process. Durations are in seconds, sizes in bytes."""

    def record_connection(self) -> None:
        """Records a new SMTP connection."""

    def record_refusal(self, reason: str) -> None:
        """Records an SMTP refusal; `reason` is the name of a reply in `smtp.replies`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """Records an accepted message. A duplicate is accepted without being stored again."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """Records the result of a commit for the aliases of one message.

        Args:
            aliases: The number of aliases of the message, counted before the transaction.
            ticketed: The number of aliases at which the message opened or joined a ticket.
            duplicates: The number of aliases that had received the message before.
            queued: The number of created deliveries.
        """

    def record_commit(self, seconds: float) -> None:
        """Records how long a message waited for its group commit, which may have failed."""

    def record_parse(self, result: ParseResult) -> None:
        """Records the result of parsing a message."""

    def record_dns_question(self, seconds: float, fault: str) -> None:
        """Records a DNS question of the sender checks that was sent.

        Args:
            seconds: The response time.
            fault: A `router.dns.answers.AnswerFault`.
        """

    def record_sender_check(self, method: str, result: str) -> None:
        """Records the result of one method of sender authentication, for DKIM of one signature.

        Args:
            method: `router.mail.auth_results.AuthMethod`.
            result: `router.mail.auth_results.AuthWord`.
        """

    def record_spam_check(self, outcome: SpamCheckOutcome, seconds: float) -> None:
        """Records that a spam filter was asked about a message.

        Args:
            seconds: Until its response, or until there was none.
        """

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """Records an attempt to send deliveries to an integration in one request.

        Args:
            outcome: A name that `router.dispatch.delivery_batch.outcome_name` returns.
            deliveries: The number of deliveries in the request.
            seconds: The response time.
        """

    def record_delivery(self, seconds: float) -> None:
        """Records a completed delivery. `seconds` is the time since its message was accepted."""

    def record_submission(self, outcome: str, seconds: float) -> None:
        """Records an attempt to submit a reply for one recipient to a smarthost.

        Args:
            outcome: A name that `router.dispatch.submission_work.end_name` returns.
            seconds: The duration of the SMTP transaction.
        """

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """Records a finished HTTP request.

        Args:
            route: The registered path, such as `/api/domains/{id}`; "none" if no route matches.
            status: The class of the status, such as `2xx`; "none" for an aborted response.
            seconds: The duration; None for a stream.
        """


class NullMeter:
    """Records nothing."""

    def record_connection(self) -> None:
        """See `Meter`."""

    def record_refusal(self, reason: str) -> None:
        """See `Meter`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """See `Meter`."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """See `Meter`."""

    def record_commit(self, seconds: float) -> None:
        """See `Meter`."""

    def record_parse(self, result: ParseResult) -> None:
        """See `Meter`."""

    def record_dns_question(self, seconds: float, fault: str) -> None:
        """See `Meter`."""

    def record_sender_check(self, method: str, result: str) -> None:
        """See `Meter`."""

    def record_spam_check(self, outcome: SpamCheckOutcome, seconds: float) -> None:
        """See `Meter`."""

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """See `Meter`."""

    def record_delivery(self, seconds: float) -> None:
        """See `Meter`."""

    def record_submission(self, outcome: str, seconds: float) -> None:
        """See `Meter`."""

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """See `Meter`."""


NULL_METER: Final[Meter] = NullMeter()
