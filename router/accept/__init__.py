"""Accepts messages: the one transaction behind every `250`.

`accept` prepares the values to be stored; `transaction` writes them as a list of named statements.
"""

from router.accept.accept import Accept

__all__ = ["Accept"]
