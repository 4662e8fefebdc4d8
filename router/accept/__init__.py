"""Accepts messages: the transaction that is committed before the `250` reply to the message.

`accept` prepares the values to be stored; `transaction` writes them with named statements.
"""

from router.accept.accept import Accept

__all__ = ["Accept"]
