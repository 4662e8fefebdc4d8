"""The events that a process counts, as Prometheus metrics in a registry of their own.

Labels have a fixed set of values. Counters start at 0 when the process starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from router.meter import ParseResult, SpamCheckOutcome

# Upper bounds of the histograms' buckets, in seconds.

# On PostgreSQL, a statement is cancelled after 30 s by default.
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
# `[delivery] timeout` is 10 s by default.
ANSWER_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# Each answer may take 60 s by default, and that to the final dot 10 minutes.
SUBMISSION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
# A ticket event may wait days for a failing webhook; `[delivery] max_age` is 3 days by default.
DELIVERY_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 21600, 86400, 259200)
# A question of the sender checks ends after 4 s.
DNS_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# `[checks] rspamd_timeout` is 4 s by default.
SPAM_CHECK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# `[api] request_timeout` is 30 s by default.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)


class _MetricSpec(NamedTuple):
    """A histogram if it has `buckets`, else a counter.

    `values` are the label values that are exported as 0 before their first event.
    """

    name: str
    about: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_METRICS = {
    "connections": _MetricSpec("emailrouter_smtp_connections", "SMTP connections accepted."),
    "refused": _MetricSpec(
        "emailrouter_refused",
        "Connections, senders, recipients and messages refused, by name of the reply.",
        ("reason",),
    ),
    "accepted": _MetricSpec(
        "emailrouter_mails_accepted",
        "Messages answered 250: new ones, and repeats of messages already stored.",
        ("kind",),
        values=("new", "repeat"),
    ),
    "bytes": _MetricSpec("emailrouter_accepted_bytes", "Bytes of the messages answered 250, including repeats."),
    "aliases": _MetricSpec(
        "emailrouter_audit_accepted",
        "Aliases of accepted messages; a message counts once for each of its aliases.",
    ),
    "ticketed": _MetricSpec(
        "emailrouter_audit_ticketed", "Aliases of accepted messages at which the message opened or joined a ticket."
    ),
    "repeated": _MetricSpec(
        "emailrouter_audit_repeated", "Aliases of accepted messages at which the message was a duplicate."
    ),
    "deliveries": _MetricSpec("emailrouter_audit_owed", "Ticket events queued for an integration."),
    "commit_seconds": _MetricSpec(
        "emailrouter_commit_seconds", "Time that a message waited for its group commit.", buckets=COMMIT_BUCKETS
    ),
    "parsed": _MetricSpec(
        "emailrouter_mails_parsed",
        "Messages parsed: clean, with warnings, or failed (shown unparsed).",
        ("result",),
        values=("clean", "warnings", "failed"),
    ),
    "dns_seconds": _MetricSpec(
        "emailrouter_check_dns_seconds",
        "Response time of the DNS questions of the sender checks, without those answered from the cache.",
        buckets=DNS_BUCKETS,
    ),
    "dns_faults": _MetricSpec(
        "emailrouter_check_dns_faults",
        "DNS questions of the sender checks without a usable answer, by fault.",
        ("fault",),
        values=("timeout", "refused", "malformed"),
    ),
    "sender_checks": _MetricSpec(
        "emailrouter_sender_checks",
        "Results of sender authentication, by method and RFC 8601 result; DKIM counts each signature.",
        ("method", "result"),
    ),
    "spam_checks": _MetricSpec(
        "emailrouter_spam_checks",
        "Messages that rspamd was asked about, by outcome.",
        ("outcome",),
        values=get_args(SpamCheckOutcome),
    ),
    "spam_check_seconds": _MetricSpec(
        "emailrouter_spam_check_seconds",
        "Response time of rspamd, including failures, without messages that were not sent.",
        buckets=SPAM_CHECK_BUCKETS,
    ),
    "attempts": _MetricSpec(
        "emailrouter_delivery_attempts",
        "Delivery attempts by outcome; a digest counts one for each of its deliveries.",
        ("outcome",),
    ),
    "answer_seconds": _MetricSpec(
        "emailrouter_delivery_answer_seconds",
        "Response time of the webhooks.",
        buckets=ANSWER_BUCKETS,
    ),
    "delivery_seconds": _MetricSpec(
        "emailrouter_delivery_seconds",
        "Time from accepting a message to delivering its ticket event.",
        buckets=DELIVERY_BUCKETS,
    ),
    "submissions": _MetricSpec(
        "emailrouter_reply_attempts",
        "Attempts to submit a reply for one recipient to a smarthost, by outcome.",
        ("outcome",),
        values=("sent", "retry", "parked", "rejected"),
    ),
    "submission_seconds": _MetricSpec(
        "emailrouter_reply_answer_seconds", "Duration of the SMTP transactions of replies.", buckets=SUBMISSION_BUCKETS
    ),
    "requests": _MetricSpec(
        "emailrouter_http_requests",
        "Requests to the API and the dashboard, by route pattern and status class.",
        ("method", "route", "status"),
    ),
    "request_seconds": _MetricSpec(
        "emailrouter_http_request_seconds",
        "Response time of HTTP requests, without event streams.",
        ("method", "route"),
        buckets=REQUEST_BUCKETS,
    ),
}


class PrometheusMeter:
    """The Prometheus implementation of `router.meter.Meter`."""

    def __init__(
        self,
        roles: Iterable[str],
        *,
        dropped_lines: Callable[[], int] = int,
        side_task_failures: Callable[[], int] = int,
    ) -> None:
        """`dropped_lines` and `side_task_failures` return totals. They are called at each scrape."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        about = Info("emailrouter", "This process: its version and its roles.", registry=registry)
        about.info({"version": version("emailrouter"), "roles": ",".join(sorted(roles))})
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for key, spec in _METRICS.items():
            if spec.buckets:
                self._histograms[key] = Histogram(
                    spec.name, spec.about, spec.labels, buckets=spec.buckets, registry=registry
                )
            else:
                counter = self._counters[key] = Counter(spec.name, spec.about, spec.labels, registry=registry)
                for value in spec.values:
                    counter.labels(value)
        registry.register(
            _ExternalCounter(
                "emailrouter_log_lines_dropped",
                "Log lines that could not be written: the reader is gone or stopped, or the disk is full.",
                dropped_lines,
            )
        )
        registry.register(
            _ExternalCounter(
                "emailrouter_side_task_failures",
                "Log lines, metrics and wake-ups that failed; messages, requests and deliveries are not affected.",
                side_task_failures,
            )
        )

    def watch_connections(self, count: Callable[[], int]) -> None:
        gauge = Gauge("emailrouter_smtp_open_connections", "SMTP connections open now.", registry=self.registry)
        gauge.set_function(count)

    def watch_certificate(self, expires_at: Callable[[], float | None]) -> None:
        """The metric has no value while `expires_at` returns None."""
        self.registry.register(_CertificateExpiry(expires_at))

    def record_connection(self) -> None:
        self._counters["connections"].inc()

    def record_refusal(self, reason: str) -> None:
        self._counters["refused"].labels(reason).inc()

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        self._counters["accepted"].labels("repeat" if is_duplicate else "new").inc()
        self._counters["bytes"].inc(size)

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        self._counters["aliases"].inc(aliases)
        self._counters["ticketed"].inc(ticketed)
        self._counters["repeated"].inc(duplicates)
        self._counters["deliveries"].inc(queued)

    def record_commit(self, seconds: float) -> None:
        self._histograms["commit_seconds"].observe(seconds)

    def record_parse(self, result: ParseResult) -> None:
        self._counters["parsed"].labels(result).inc()

    def record_dns_question(self, seconds: float, fault: str) -> None:
        self._histograms["dns_seconds"].observe(seconds)
        if fault:
            self._counters["dns_faults"].labels(fault).inc()

    def record_sender_check(self, method: str, result: str) -> None:
        self._counters["sender_checks"].labels(method, result).inc()

    def record_spam_check(self, outcome: SpamCheckOutcome, seconds: float) -> None:
        self._counters["spam_checks"].labels(outcome).inc()
        if outcome != "too_large":
            self._histograms["spam_check_seconds"].observe(seconds)

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        self._counters["attempts"].labels(outcome).inc(deliveries)
        self._histograms["answer_seconds"].observe(seconds)

    def record_delivery(self, seconds: float) -> None:
        self._histograms["delivery_seconds"].observe(seconds)

    def record_submission(self, outcome: str, seconds: float) -> None:
        self._counters["submissions"].labels(outcome).inc()
        self._histograms["submission_seconds"].observe(seconds)

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        self._counters["requests"].labels(method, route, status).inc()
        if seconds is not None:
            self._histograms["request_seconds"].labels(method, route).observe(seconds)


class _CertificateExpiry(Collector):
    """A gauge that has no value without a certificate, because 0 would be an expiry in 1970."""

    def __init__(self, expires_at: Callable[[], float | None]) -> None:
        self._expires_at = expires_at

    def collect(self) -> Iterator[Metric]:
        found = self._expires_at()
        family = GaugeMetricFamily(
            "emailrouter_certificate_expiry_timestamp_seconds",
            "Unix time at which the current STARTTLS certificate expires.",
        )
        if found is not None:
            family.add_metric([], found)
        yield family


class _ExternalCounter(Collector):
    def __init__(self, name: str, about: str, count: Callable[[], int]) -> None:
        self._name = name
        self._about = about
        self._count = count

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._about, self._count())
