"""Accepts messages: the one transaction behind every `250`.

`accept` prepares what is known of a message; `transaction` writes it as a list of named statements.
"""

from router.accept.accept import Accept

__all__ = ["Accept"]
