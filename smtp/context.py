"""The objects and settings that all connections of a server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.clock import Clock
from router.meter import NULL_METER, Meter
from router.ports import Acceptor, NullPrefetch, RecipientResolver, SenderPrefetch
from router.side_tasks import SideTasks
from smtp.bounds import Bounds
from smtp.dnsbl import BlockLists
from smtp.limits import PeerLimits
from smtp.memory import MemoryQuota
from smtp.policy import BlockedSenders
from smtp.reception import Reception
from smtp.refusals import NetworkRefusals
from smtp.throttle import DiscardThrottle


@dataclass(frozen=True, slots=True)
class ServerContext:
    """`hostname` is the server's name in replies."""

    bounds: Bounds
    hostname: str
    expects_proxy: bool
    recipients: RecipientResolver
    acceptor: Acceptor
    clock: Clock
    limits: PeerLimits
    memory: MemoryQuota[Reception]
    throttle: DiscardThrottle
    blocked_senders: BlockedSenders
    block_lists: BlockLists | None
    network_refusals: NetworkRefusals = field(default_factory=NetworkRefusals)
    meter: Meter = NULL_METER
    side_tasks: SideTasks = field(default_factory=SideTasks)
    senders: SenderPrefetch = field(default_factory=NullPrefetch)
