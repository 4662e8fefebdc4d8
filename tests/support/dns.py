"""The DNS stand-in as tests use it: the product's own, under the tests' roof."""

from emailrouter.standins.dns import DnsStandIn, Failure

__all__ = ["DnsStandIn", "Failure"]
