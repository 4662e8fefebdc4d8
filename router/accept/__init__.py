"""The one transaction behind every 250: `prepare` what is known of a mail, `transaction` as a list of named steps."""

from router.accept.accept import Accept

__all__ = ["Accept"]
