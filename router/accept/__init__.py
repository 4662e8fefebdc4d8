"""Accepts messages: the transaction that is committed before the `250` reply."""

from router.accept.accept import Accept

__all__ = ["Accept"]
