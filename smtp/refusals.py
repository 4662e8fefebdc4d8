"""Log lines about what is refused: few, however much a client causes.

Guarantee: every refusal is in the metrics at once, by the name of its reply, and in the counts of
one log line. A session has one line for each transaction, a network one a minute for refused
connections and one with the count of those that followed.
"""

from __future__ import annotations

import structlog

from router.meter import Meter
from smtp import replies
from smtp.bounds import Bounds
from smtp.replies import Reply

_log = structlog.get_logger()


class Refusals:
    """The refusals of one session since its last log line."""

    __slots__ = ("_counts", "_facts", "_recipients")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._facts: dict[str, object] = {}  # of the first one
        self._recipients: list[str] = []

    def add(self, meter: Meter, reply: Reply, recipient: str | None = None, **facts: object) -> None:
        """Counts a refusal. The line has the facts of the first one, and some of the refused recipients."""
        name = replies.name(reply)
        meter.refused(name)
        if not self._counts:
            self._facts = {**facts, "reason": reply.text}
        self._counts[name] = self._counts.get(name, 0) + 1
        if recipient is not None and len(self._recipients) < Bounds.logged_recipients:
            self._recipients.append(recipient)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def log(self, peer: str) -> None:
        """Writes the line and starts from the beginning."""
        counts, facts, recipients = self._counts, self._facts, self._recipients
        self._counts, self._facts, self._recipients = {}, {}, []
        if recipients:
            facts["refused_recipients"] = recipients
        _log.info("smtp.refused", peer=peer, **facts, refused=sum(counts.values()), reasons=counts)


class RefusedConnections:
    """The connections that were refused since the last `log`, by network."""

    def __init__(self) -> None:
        self._following: dict[str, dict[str, int]] = {}  # by network, then by the text of the reply

    def add(self, meter: Meter, reply: Reply, peer: str, network: str) -> None:
        """Counts a refused connection; the first of its network has its log line now.

        Args:
            network: The one that has too many connections, or that of the peer; `""` where all are too many.
        """
        meter.refused(replies.name(reply))
        if network not in self._following and len(self._following) >= Bounds.logged_networks:
            network = ""
        counts = self._following.setdefault(network, {})
        if reply.text in counts:
            counts[reply.text] += 1
        else:
            counts[reply.text] = 0
            _log.info("smtp.refused", peer=peer, network=network, reason=reply.text, refused=1)

    def log(self) -> None:
        """Writes a line for each network that had more than one."""
        following, self._following = self._following, {}
        for network, counts in following.items():
            for reason, refused in counts.items():
                if refused:
                    _log.info("smtp.refused", network=network, reason=reason, refused=refused)
