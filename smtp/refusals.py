"""Log events about rejections. A client cannot increase the number of events without limit.

The rejections of a transaction are logged as at most one event. Rejected connections and failed TLS handshakes
are logged once a minute for each network and reason. Further rejections and failures are only logged as counts.
"""

from __future__ import annotations

import structlog

from router.meter import Meter
from router.network import address_key
from smtp import replies
from smtp.bounds import Bounds
from smtp.replies import Reply

_log = structlog.get_logger()


class Refusals:
    """The rejections of one session since its last log event."""

    __slots__ = ("_counts", "_details", "_recipients")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._details: dict[str, object] = {}  # details of the first rejection
        self._recipients: list[str] = []

    def add(self, meter: Meter, reply: Reply, recipient: str | None = None, **details: object) -> None:
        """Counts a rejection. The log event describes the first one and names some recipients."""
        name = replies.reply_name(reply)
        meter.record_refusal(name)
        if not self._counts:
            self._details = {**details, "reason": reply.text}
        self._counts[name] = self._counts.get(name, 0) + 1
        if recipient is not None and len(self._recipients) < Bounds.logged_recipients:
            self._recipients.append(recipient)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def log(self, peer: str, networks: NetworkRefusals | None = None) -> None:
        """Logs the rejections as one event, or only adds their number to `networks`. Then clears the rejections."""
        counts, details, recipients = self._counts, self._details, self._recipients
        self._counts, self._details, self._recipients = {}, {}, []
        if networks is not None:
            networks.add_transaction(peer, str(details["reason"]), sum(counts.values()))
            return
        if recipients:
            details["refused_recipients"] = recipients
        _log.info("smtp.refused", peer=peer, **details, count=sum(counts.values()), reasons=counts)


class NetworkRefusals:
    """Rejections and failed TLS handshakes by network since the last `log`."""

    def __init__(self) -> None:
        self._refused = _NetworkCounts()
        self._handshakes = _NetworkCounts()

    def add_connection(self, meter: Meter, reply: Reply, peer: str, network: str) -> None:
        """Counts a rejected or closed connection, and logs the first one of each network and reason."""
        meter.record_refusal(replies.reply_name(reply))
        if self._refused.needs_line(network, reply.text):
            _log.info("smtp.refused", peer=peer, network=network, reason=reply.text, count=1)

    def add_handshake(self, peer: str, reason: str) -> None:
        network = address_key(peer)
        if self._handshakes.needs_line(network, reason):
            _log.info("smtp.tls_failed", peer=peer, network=network, reason=reason, count=1)

    def add_transaction(self, peer: str, reason: str, refused: int) -> None:
        self._refused.add(address_key(peer), reason, refused)

    def log(self) -> None:
        """Logs the counts by network and reason, then resets them."""
        for network, reason, refused in self._refused.take():
            _log.info("smtp.refused", network=network, reason=reason, count=refused)
        for network, reason, refused in self._handshakes.take():
            _log.info("smtp.tls_failed", network=network, reason=reason, count=refused)


class _NetworkCounts:
    """Counts by network and reason. Networks past `logged_networks` are counted together as `""`."""

    def __init__(self) -> None:
        self._networks: dict[str, dict[str, int]] = {}

    def needs_line(self, network: str, reason: str) -> bool:
        """Returns True for the first event of a network and reason. Counts later events and returns False."""
        counts = self._counts(network)
        if reason in counts:
            counts[reason] += 1
            return False
        counts[reason] = 0
        return True

    def add(self, network: str, reason: str, number: int) -> None:
        counts = self._counts(network)
        counts[reason] = counts.get(reason, 0) + number

    def take(self) -> list[tuple[str, str, int]]:
        networks, self._networks = self._networks, {}
        return [(network, *each) for network, counts in networks.items() for each in counts.items() if each[1]]

    def _counts(self, network: str) -> dict[str, int]:
        if network not in self._networks and len(self._networks) >= Bounds.logged_networks:
            network = ""
        return self._networks.setdefault(network, {})
